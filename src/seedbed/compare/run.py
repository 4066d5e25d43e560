"""Running a comparison: what is there is taken, what was interrupted goes on, what is known is written at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from seedbed.core.errors import InputError
from seedbed.core.files import storage_errors, write_json
from seedbed.evaluate.statistics import detectable_effect, power
from seedbed.recipe.execute import Workspace, current_workspace, run_plan
from seedbed.recipe.plan import make_plan

from .arms import ArmRun, arm_runs
from .comparison import Comparison
from .result import Result, make_result
from .work import work


def compare(
    comparison: Comparison,
    place: Workspace | None = None,
    *,
    processes: int = 1,
    say: Callable[[str], None] = print,
    path: Path | None = None,
    quick: bool = False,
) -> Result:
    """Run all arms with all seeds and return the result, which is written to `path`.

    What is known so far, whenever all arms have one more seed, stands in `RUNS/comparisons/NAME.json`, where the whole
    result goes too. A `quick` result says that it is no evidence.
    """
    if processes < 1:
        raise InputError("jobs", "must be at least 1", value=processes)
    place = place or current_workspace()
    own = place.root / "comparisons" / f"{comparison.name}.json"
    for line in foresight(comparison):
        say(line)
    runs = arm_runs(comparison, place, say)
    result: Result = {}
    width = len(comparison.arms)

    def progress(whole: int) -> None:
        nonlocal result
        repetitions = whole // width
        if repetitions > len(result.get("seeds", ())):
            result = {**_collect(comparison, runs[: repetitions * width], place), "quick": quick}
            _write(own, result)

    work(runs, place, processes, say, progress)
    assert len(result["seeds"]) == comparison.seeds
    if path is not None:
        _write(path, result)
    return result


def _write(path: Path, result: Result) -> None:
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, result)


def _collect(comparison: Comparison, runs: Sequence[ArmRun], place: Workspace) -> Result:
    """The result of runs of which every step is there."""
    made = [run_plan(make_plan(run.recipe, place.store, comparison.targets), say=lambda _: None) for run in runs]
    return make_result(comparison, runs, made)


def foresight(comparison: Comparison) -> list[str]:
    """What this many seeds can see of the claimed effect, from the spread that the study names: `effect` is in units
    of the first statement's metric, `spread` the standard deviation of its paired differences."""
    effect, spread = comparison.study.get("effect"), comparison.study.get("spread")
    if effect is None or not comparison.statements:
        return []
    if spread is None:
        return [f"how likely {comparison.seeds} seeds are to find an effect of {effect} is not known: no spread yet"]
    smallest = detectable_effect(float(spread), comparison.seeds)
    chance = power(float(effect), float(spread), comparison.seeds)
    lines = [f"{comparison.seeds} seeds find an effect of {effect} with probability {chance:.2f} (spread {spread})"]
    if chance < 0.8:
        enough = next((n for n in range(comparison.seeds, 101) if power(float(effect), float(spread), n) >= 0.8), None)
        wanted = f"; {enough} seeds would do" if enough else ""
        limit = "no effect" if math.isinf(smallest) else f"effects below {smallest:.3g}"
        lines.append(f"this study is too small for its claim: it is likely to leave {limit} unresolved{wanted}")
    return lines
