"""What a search makes."""

from __future__ import annotations

from typing import Any

from seedbed.core.artifact import Artifact
from seedbed.core.files import read_json


class Search(Artifact):
    """`result.json`: every point with its value and cost, those that were refused, the best one. `best.yaml`: the
    recipe with the best point put in, where a recipe was searched."""

    kind = "search"

    def result(self) -> dict[str, Any]:
        return dict(read_json(self.path / "result.json"))
