"""FineWeb's own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.corpus import curation
from seedbed.corpus.curating.gopher_repetition import duplicates
from seedbed.corpus.text.characters import Texts
from seedbed.corpus.text.rules import Measured, Rule, bounded, share, tag

if TYPE_CHECKING:
    from daft import DataFrame


@curation.register("fineweb")
class FineWeb:
    """FineWeb's own rules (Penedo et al., 2024, section 3.6), each a column; drops what fails one. Lines are what
    newlines part, without blank ones.

    - `fineweb_lines`, their number: at least one
    - `fineweb_terminated_lines`, the share that end with one of `terminal`: at least 0.12
    - `fineweb_duplicate_characters`, the characters of lines that stood earlier, of all but newlines: at most 0.1 (the
      paper's section; its appendix and its code have 0.01)
    - `fineweb_short_lines`, the share of lines of at most `short_line` characters (30): at most 0.67
    - `fineweb_newlines_per_word` (only in its code): at most 0.3

    The paper drops at the bound too, its code (datatrove) beyond it, as we do. The paper applies them after
    `gopher_repetition`, `gopher_quality`, and `c4` with `need_terminal: false`. `terminal` has ASCII marks only: add
    those of other scripts. A bound of null switches a rule off. `drop: false` only adds the columns.
    """

    def __init__(
        self,
        min_terminated_lines: float | None = 0.12,
        max_short_lines: float | None = 0.67,
        short_line: int = 30,
        max_duplicate_characters: float | None = 0.1,
        max_newlines_per_word: float | None = 0.3,
        terminal: str = ".?!\"'",
        drop: bool = True,
    ) -> None:
        self.bounds: dict[str, tuple[float | None, float | None]] = {
            "fineweb_lines": (1, None),
            "fineweb_terminated_lines": (min_terminated_lines, None),
            "fineweb_short_lines": (None, max_short_lines),
            "fineweb_duplicate_characters": (None, max_duplicate_characters),
            "fineweb_newlines_per_word": (None, max_newlines_per_word),
        }
        self.short_line, self.drop = short_line, drop
        self._terminal = np.array([ord(mark) for mark in terminal], np.uint32)

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        return tag(frame, self.rules(), self.measure, drop=self.drop)

    def rules(self) -> list[Rule]:
        return [rule for column, (least, most) in self.bounds.items() for rule in bounded(column, least, most)]

    def measure(self, texts: Texts) -> Measured:
        lines = texts.parted_at_newlines()
        newlines_D = lines.counts - 1
        first, after = texts.word_range(lines.starts, lines.ends)
        lines = lines.chosen(after > first)
        terminated_S = np.isin(texts.codes_C[lines.ends - 1], self._terminal)
        repeated_S = duplicates(texts, lines) * lines.lengths
        chars_D = texts.ends_D - texts.starts_D - newlines_D
        return Measured(
            {
                "fineweb_lines": lines.counts,
                "fineweb_terminated_lines": share(lines.totals(terminated_S), lines.counts),
                "fineweb_short_lines": share(lines.totals(lines.lengths <= self.short_line), lines.counts),
                "fineweb_duplicate_characters": share(lines.totals(repeated_S), chars_D),
                "fineweb_newlines_per_word": share(newlines_D, texts.words.counts),
            }
        )
