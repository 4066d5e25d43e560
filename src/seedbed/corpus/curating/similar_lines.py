"""Lines that hardly differ from the one before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from seedbed.core.errors import InputError
from seedbed.corpus import curation

if TYPE_CHECKING:
    from daft import DataFrame

    from seedbed.corpus.text.cuts import Row


@curation.register("similar_lines", papers=["311"])
class SimilarLines:
    """Takes out of each text the lines that hardly differ from the last line before them that stays.

    Two lines are similar if the edit distance between them (insertions, deletions and replacements of characters) is
    less than `share` of the shorter one's length: the rule of CT-LLM (Du et al., 2024, similar-line deduplication
    within a document, with a tenth), as we remember it; we could not read it again. Lines end at the characters
    `ends`, of which each stays with its line; for a script that writes sentence after sentence "\\n。！？" cuts these.
    Lines of fewer than `min_chars` characters, without the white space around them, stay and are not compared (ours: a
    closing bracket comes again for a reason). `back` is the number of lines before with which one is compared
    (ours; the paper's rule is about consecutive lines, so 1). `edits` hold the lines that went.

    The distance is by Myers' (1999) bit vectors; before it lengths and the number of characters that only one has rule
    most pairs out, which changes no result.
    """

    def __init__(self, share: float = 0.1, ends: str = "\n", min_chars: int = 10, back: int = 1) -> None:
        if not 0 < share <= 1:
            raise InputError("share", "is a share of a line, above 0 and at most 1", value=share)
        if not ends:
            raise InputError("ends", "names no character that ends a line", value=ends)
        if min_chars < 1 or back < 1:
            raise InputError("min_chars" if min_chars < 1 else "back", "must be at least 1", value=min(min_chars, back))
        self.share, self.min_chars, self.back = share, min_chars, back
        self._cut_behind = re.compile(f"(?<=[{re.escape(ends)}])")

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.text.cuts import with_cuts

        return with_cuts(frame, self._rows)

    def similar(self, one: str, other: str) -> bool:
        shorter, longer = sorted((one, other), key=len)
        limit = self.share * len(shorter)
        if one == other or len(longer) - len(shorter) >= limit:
            return one == other
        counts = Counter(longer)
        counts.subtract(shorter)
        if sum(count for count in counts.values() if count > 0) >= limit:
            return False
        return edit_distance(shorter, longer) < limit

    def _rows(self, ids: list[str], texts: list[str]) -> Iterator[Row]:
        from seedbed.corpus.text.cuts import row

        del ids
        for text in texts:
            kept: list[str] = []
            before: list[str] = []
            gone: list[tuple[str, str]] = []
            pieces = self._cut_behind.split(text)
            for piece in pieces:
                line = piece.strip()
                if len(line) < self.min_chars:
                    kept.append(piece)
                elif any(self.similar(line, earlier) for earlier in before):
                    gone.append(("similar to a line before", line))
                else:
                    kept.append(piece)
                    before = [*before, line][-self.back :]
            left = "".join(kept)
            yield row(text, left if text[-1:].isspace() else left.rstrip(), gone)


def edit_distance(one: str, other: str) -> int:
    """The least number of characters to insert, delete or replace (Levenshtein): Myers' algorithm, with the columns of
    the table as bits of one integer; Hyyrö's (2003) form for whole strings. Time: a step for each character of `other`.
    """
    if not one:
        return len(other)
    full, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    where: dict[str, int] = {}
    for place, char in enumerate(one):
        where[char] = where.get(char, 0) | 1 << place
    more, less, distance = full, 0, len(one)  # where the table rises, and falls, down its column
    for char in other:
        equal = where.get(char, 0)
        diagonal = (((equal & more) + more) ^ more) | equal | less
        rises, falls = less | ~(diagonal | more) & full, more & diagonal
        distance += bool(rises & last) - bool(falls & last)
        rises, falls = rises << 1 | 1, falls << 1
        more = (falls | ~(equal | less | rises)) & full
        less = rises & (equal | less) & full
    return distance
