"""Paragraphs that stand in several documents."""

from __future__ import annotations

from seedbed.corpus import curation
from seedbed.corpus.text.characters import Spans, Texts
from seedbed.corpus.text.shared_pieces import Cut, WithoutRepeats


@curation.register("duplicate_paragraphs", papers=["326"])
class DuplicateParagraphs(WithoutRepeats):
    """Takes out of each text the paragraphs that an earlier document, or the text itself further up, has already.

    As `duplicate_lines`, of pieces between two or more newlines.
    """

    def __init__(self, min_chars: int = 20, expected: int | None = None, false_positives: float = 0.01) -> None:
        super().__init__(Cut("paragraph", _paragraphs, min_chars), expected, false_positives)


def _paragraphs(texts: Texts) -> Spans:
    return texts.parted_at_newlines(2, joined=True)
