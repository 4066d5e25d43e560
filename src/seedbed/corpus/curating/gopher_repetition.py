"""MassiveText's rules against repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.text.characters import Spans, Texts, is_repeat
from seedbed.corpus.text.repetition import Repeats
from seedbed.corpus.text.rules import Measured, Rule, bounded, share, tag

if TYPE_CHECKING:
    from daft import DataFrame

_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_DUPLICATE = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


@curation.register("gopher_repetition", papers=["326"])
class GopherRepetition:
    """Gopher's rules against repetition (Rae et al., 2021, section A.1.1 and table A1), each a column; drops what fails
    one. All are shares of the document, and may be at most so high:

    - `gopher_duplicate_lines`, lines that stood earlier, of all lines: 0.30; `gopher_duplicate_line_characters`, their
      characters, of the text's: 0.20. Lines are parted by newlines, of which several in a row are one.
    - `gopher_duplicate_paragraphs`, `gopher_duplicate_paragraph_characters`, the same of paragraphs, which two or more
      newlines part: 0.30, 0.20
    - `gopher_top_2gram`, `..._3gram`, `..._4gram`, the characters of the most common n-gram of words (of several the
      first) and the spaces in it, times how often it is there: `top_ngrams`, 0.20, 0.18, 0.16
    - `gopher_duplicate_5gram` to `..._10gram`, the characters in n-grams that stood earlier, going from left to right
      and never counting one twice: `duplicate_ngrams`, 0.15, 0.14, 0.13, 0.12, 0.11, 0.10

    Words as in `gopher_quality`. Of duplicates the paper does not say whether the first counts; as in datatrove it does
    not. An empty text fails nothing here. `drop: false` only adds the columns.
    """

    def __init__(
        self,
        max_duplicate_lines: float | None = 0.30,
        max_duplicate_paragraphs: float | None = 0.30,
        max_duplicate_line_characters: float | None = 0.20,
        max_duplicate_paragraph_characters: float | None = 0.20,
        top_ngrams: dict[int, float] = _TOP,
        duplicate_ngrams: dict[int, float] = _DUPLICATE,
        words: Literal["space", "pieces"] = "space",
        drop: bool = True,
    ) -> None:
        for key, sizes in {"top_ngrams": top_ngrams, "duplicate_ngrams": duplicate_ngrams}.items():
            if min(sizes, default=2) < 2:
                raise InputError(key, "n-grams have two words or more", value=min(sizes))
        self.bounds = {
            "gopher_duplicate_lines": max_duplicate_lines,
            "gopher_duplicate_paragraphs": max_duplicate_paragraphs,
            "gopher_duplicate_line_characters": max_duplicate_line_characters,
            "gopher_duplicate_paragraph_characters": max_duplicate_paragraph_characters,
        }
        self.top_ngrams, self.duplicate_ngrams = top_ngrams, duplicate_ngrams
        self.words, self.drop = words, drop

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        return tag(frame, self.rules(), self.measure, drop=self.drop)

    def rules(self) -> list[Rule]:
        bounds = self.bounds | {f"gopher_top_{n}gram": bound for n, bound in self.top_ngrams.items()}
        bounds |= {f"gopher_duplicate_{n}gram": bound for n, bound in self.duplicate_ngrams.items()}
        return [rule for column, bound in bounds.items() for rule in bounded(column, None, bound)]

    def measure(self, texts: Texts) -> Measured:
        length_D = texts.ends_D - texts.starts_D
        columns: dict[str, np.ndarray] = {}
        for name, pieces in {
            "line": texts.parted_at_newlines(joined=True),
            "paragraph": texts.parted_at_newlines(2, joined=True, stripped=True),
        }.items():
            again = duplicates(texts, pieces)
            columns[f"gopher_duplicate_{name}s"] = share(pieces.totals(again), pieces.counts)
            columns[f"gopher_duplicate_{name}_characters"] = share(pieces.totals(again * pieces.lengths), length_D)
        repeats = Repeats(texts, texts.words if self.words == "space" else texts.pieces)
        for level in repeats.levels(max([*self.top_ngrams, *self.duplicate_ngrams], default=1)):
            if level.n in self.top_ngrams:
                count_D, _, chars_D = repeats.top(level)
                columns[f"gopher_top_{level.n}gram"] = share(count_D * (chars_D + level.n - 1), length_D)
            if level.n in self.duplicate_ngrams:
                columns[f"gopher_duplicate_{level.n}gram"] = share(repeats.repeated_chars(level), length_D)
        return Measured(columns)


def duplicates(texts: Texts, pieces: Spans) -> np.ndarray:
    """Whether each piece stood earlier in its text."""
    return is_repeat(texts.local(texts.hashes(pieces), pieces.texts))
