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


@curation.register("similar_lines", papers=["311"], version=2)
class SimilarLines:
    """Takes out of each text the lines that hardly differ from the last line before them that stays.

    Two lines are similar if the edit distance between them (insertions, deletions and replacements of characters) is
    at most `share` of the longer one's length: the similar-line deduplication within a document of CT-LLM (Du et al.,
    2024), with a tenth, as the code has it that the authors have published (in MAP-NEO's repository; the paper itself
    was not at hand). There sentences are compared, each with all before it that stay, and those of at most 15
    characters go only if they are the same.

    Lines end at the characters `ends`, of which each stays with its line; for a script that writes sentence after
    sentence "\\n。！？" cuts these. Ours: `back`, the number of lines before that one is compared with, so that a long
    document takes no square of time; and lines of fewer than `min_chars` characters, without the white space around
    them, stay and are not compared, for a closing bracket comes again for a reason. `edits` hold the lines that went.

    The distance is by Myers' (1999) bit vectors; before it the number of characters and of 5-grams that both have rules
    most pairs out (Ukkonen, 1992: who changes k characters changes at most k q of the q-grams), which changes no
    result. Time: of two lines of n characters that are not ruled out n**2 / 64 steps.
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
        most = int(self.share * len(longer))
        if one == other or len(longer) - len(shorter) > most:
            return one == other
        if any(_in_both(shorter, longer, q) < len(longer) - q + 1 - most * q for q in (1, 5)):
            return False
        return edit_distance(shorter, longer) <= most

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


def _in_both(one: str, other: str, q: int) -> int:
    """The number of q-grams of characters that both have, each as often as both have it."""
    counts = [Counter(map("".join, zip(*(text[k:] for k in range(q)), strict=False))) for text in (one, other)]
    return (counts[0] & counts[1]).total()


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
