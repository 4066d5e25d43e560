"""One sentence a line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.corpus.curating.sentences import Sentences
from seedbed.segmentation.artifact import Segmenter


class Marks:
    """A splitter that ends sentences at full stops."""

    def __init__(self) -> None:
        self.thresholds: list[float | None] = []

    def split(self, text: str, threshold: float | None = None) -> list[str]:
        self.thresholds.append(threshold)
        return [part.strip() for part in re.findall(r"[^.]+\.?", text) if part.strip()]


TEXT = "One. Two goes\non here. Three.\n\n  Four.  \n \nFive\n"


@pytest.mark.parametrize(
    ("wrapped", "wanted"),
    [
        (False, "One.\nTwo goes\non here.\nThree.\n\nFour.\n\nFive\n"),
        (True, "One.\nTwo goes on here.\nThree.\n\n  Four.\n \nFive"),
    ],
)
def test_lines_by_hand(wrapped: bool, wanted: str, tmp_path: Path) -> None:
    marks: Any = Marks()
    step = Sentences(Segmenter(tmp_path), wrapped=wrapped, threshold=0.25)
    assert step.split(TEXT, marks) == wanted
    assert set(marks.thresholds) == {0.25}
    assert step.split(wanted, marks).split("\n") == wanted.split("\n"), "again changes nothing"
    assert step.split("", marks) == ""


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        Sentences(Segmenter(tmp_path), threshold=0.0)
