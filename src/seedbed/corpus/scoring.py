"""What a scorer is: trained once, as an artifact; then it gives columns of numbers or names for texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from seedbed.core.artifact import Artifact
from seedbed.core.files import read_json

RECORD = "scorer.json"  # {"method": the name in the registry, "columns": {name: "float" | "string"}}


def distinct(names: Iterable[str]) -> list[str]:
    """The names of columns; one that came already gets a number behind it, so that no column is lost."""
    found: list[str] = []
    for name in names:
        own, number = name, 1
        while own in found:
            own, number = f"{name}_{number + 1}", number + 1
        found.append(own)
    return found


class Scoring(Protocol):
    """A trained scorer, loaded. The scores of a text depend on that text alone."""

    @property
    def columns(self) -> Mapping[str, type]:
        """Column -> `float` or `str`. One that is called `score` goes under the name that the user gives."""
        ...

    def score(self, texts: Sequence[str]) -> Mapping[str, np.ndarray | Sequence[str | None]]:
        """Every column, one value for each text; NaN or None where there is nothing to score."""
        ...


class Trainable(Protocol):
    """A method of the registry `scorers`: its configuration names its examples and how to learn from them."""

    def fit(self, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
        """Learns, writes its files into the folder, and returns counts, with what it reaches on examples held back."""
        ...

    @staticmethod
    def load(folder: Path) -> Scoring: ...


class Scorer(Artifact):
    """scorer.json, and the files of its method."""

    kind = "scorer"

    def load(self) -> Scoring:
        from . import scorers

        method = scorers.get(read_json(self.path / RECORD)["method"])
        scoring: Scoring = method.target.load(self.path)  # type: ignore[attr-defined]
        return scoring
