"""How many sentences stand in lines, by the words that end one."""

from __future__ import annotations

import functools

import numpy as np

from .characters import Spans, Texts

_ENDS = np.array([ord(mark) for mark in ".?!…。？！؟۔।॥።"], np.uint32)  # noqa: RUF001
_CLOSERS = np.array([ord(mark) for mark in "\"')]}”’»"], np.uint32)  # noqa: RUF001
# Titles and the like that end in a period and begin no sentence after it; those with a period inside need no list.
SHORT = (
    "Mr. Mrs. Ms. Dr. Prof. St. Jr. Sr. Gen. Col. Lt. Sgt. Rev. Hon. vs. etc. al. No. no. Fig. fig. Eq. Vol. vol. pp."
)
SHORT += " Inc. Ltd. Co. Corp. Jan. Feb. Mar. Apr. Aug. Sept. Sep. Oct. Nov. Dec. approx. ca. cf. ed. eds. Ph.D."


def sentences(texts: Texts, lines: Spans) -> np.ndarray:
    """The sentences of each line: words before its last one that end a sentence, and one more; none in a blank line.

    A word ends one with a period, question or exclamation mark, also behind closing quotes and brackets; not with
    `...`, nor as an initial (J.), an abbreviation with a period inside (U.S.) or one of a short English list.
    """
    words, codes = texts.words, texts.codes_C
    first, after = texts.word_range(lines.starts, lines.ends)
    last = np.maximum(words.ends - 1, 0)
    last = np.where(np.isin(codes[last], _CLOSERS) & (words.lengths > 1), last - 1, last)
    ending = np.isin(codes[last], _ENDS)
    period = np.flatnonzero(ending & (codes[last] == ord(".")))
    length = last[period] + 1 - words.starts[period]
    inside = (codes[last[period] - 2] == ord(".")) & (length > 2) | (codes[last[period] - 1] == ord(".")) & (length > 1)
    ending[period[inside | (length == 2)]] = False
    candidates = np.flatnonzero(ending & (last == words.ends - 1) & (words.lengths <= 7))
    known = texts.hashes(Spans(words.starts[candidates], words.ends[candidates], words.offsets[:0]))
    ending[candidates[np.isin(known, _abbreviations())]] = False
    sums = np.concatenate([[0], np.cumsum(ending)])
    before_last = np.maximum(after - 1, first)
    return np.where(after > first, sums[before_last] - sums[first] + 1, 0)


@functools.cache
def _abbreviations() -> np.ndarray:
    return np.array([Texts([word]).whole_hash() for word in SHORT.split()], np.uint64)
