"""Studies: a paper's claim as a comparison that anyone can run (`papers/studies/<paper>-<name>.yaml`).

Beside what a comparison has, a study says:
- `paper`, its number in the catalogue; `claim`, in our own words;
- `notes`: what is smaller than in the paper, and what that can hide;
- `effect`, the claimed difference in units of the first statement's metric, and `spread`, the standard deviation of
  that statement's paired differences as a pilot found it (else as the ledger's result has it): from them the study's
  power is computed before it runs;
- `quick`, changes (`overrides`, `seeds`) under which it runs in a minute on data that it makes itself, to see that
  everything works. A quick result is never evidence.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seedbed.compare.comparison import Comparison, check, is_amount, load_comparison
from seedbed.core.errors import InputError, unknown_key
from seedbed.core.files import read_json
from seedbed.recipe.recipe import Recipe

STUDIES = Path(__file__).parent / "studies"
LEDGER = Path(__file__).parent / "ledger"
_REQUIRED = ("paper", "claim", "notes", "quick")
_QUICK = ("overrides", "seeds")


def study_files(names: Sequence[str] = ()) -> list[Path]:
    """The files of the named studies, all of them without names. A name is a paper's number (`29`, `029`), a study's
    name (`029-domain-vocabulary`), or the path of a file."""
    known = sorted(STUDIES.glob("*.yaml"))
    found: list[Path] = []
    for name in names:
        matches = [path for path in known if path.stem == name or path.stem.split("-")[0] == name.zfill(3)]
        if not matches and not Path(name).is_file():
            raise unknown_key("", name, [path.stem for path in known], "study")
        found += matches or [Path(name)]
    return list(dict.fromkeys(found)) if names else known


def load_study(path: Path, *, quick: bool = False, overrides: Iterable[str] = ()) -> Comparison:
    """A study as a comparison. `overrides` change its recipe; `quick` makes it as small as the study says."""
    study = load_comparison(path)
    for key in _REQUIRED:
        if key not in study.study:
            raise InputError(f"{path}.{key}", "is required in a study")
    if study.expect is None:
        raise InputError(f"{path}.expect", "is required in a study")
    recipe = study.recipe
    changes: dict[str, Any] = {}
    if quick:
        smaller = study.study["quick"]
        for key in smaller:
            if key not in _QUICK:
                raise unknown_key(f"{path}.quick.{key}", key, _QUICK)
        recipe = recipe.overridden(smaller.get("overrides", {}))
        changes = {"seeds": smaller.get("seeds", 2), "name": f"{study.name}-quick"}
    facts = {"spread": _known_spread(path.stem), **study.study}
    known = path.stem if path.parent == STUDIES else str(path)
    given = list(overrides)
    command = " ".join(["seedbed check", known, *_repeatable(given, recipe), *["--quick"] * quick])
    study = dataclasses.replace(study, recipe=recipe.overridden(given), study=facts, command=command, **changes)
    check(study)
    return study


def _repeatable(overrides: list[str], recipe: Recipe) -> list[str]:
    """Overrides as somebody else would give them: where data lie differs from machine to machine."""
    pairs = [(override, override.partition("=")[0]) for override in overrides]
    return [
        shlex.quote(given) if is_amount(recipe.variables.get(name, 0)) else f"{name}=FOLDER" for given, name in pairs
    ]


def _known_spread(name: str) -> float | None:
    """The spread that the study's result in the ledger found."""
    path = LEDGER / f"{name}.json"
    power = read_json(path)["power"] if path.is_file() else None
    return None if power is None else power["spread"]
