"""What a comparison has still to make, and how long that takes on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .arms import ArmRun
from .work import jobs_of


@dataclass(frozen=True)
class Forecast:
    """All that is to be made of one step of the recipe, by all arms and seeds."""

    step: str
    function: str
    number: int
    seconds: float | None  # of all of them, one after the other; None where the step's kind gives no estimate


def forecast(runs: Sequence[ArmRun]) -> list[Forecast]:
    """By step, in the order in which they begin. What has the same size is measured once."""
    found: dict[str, list[float | None]] = {}
    functions: dict[str, str] = {}
    measured: dict[tuple[object, ...], float | None] = {}
    for job in jobs_of(runs):
        plan = runs[job.runs[0]].plan
        planned = next(planned for planned in plan if planned.fingerprint == job.fingerprint)
        estimate = plan.estimate(planned)
        size = (planned.step.name, estimate.tokens, estimate.parameters, estimate.flops)
        if size not in measured:
            measured[size] = estimate.duration()
        functions[job.step] = planned.step.name
        found.setdefault(job.step, []).append(measured[size])
    return [Forecast(step, functions[step], len(each), _sum(each)) for step, each in found.items()]


def _sum(seconds: Sequence[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return sum(known) if len(known) == len(seconds) else None
