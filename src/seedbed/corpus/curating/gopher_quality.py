"""MassiveText's rules of quality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from seedbed.corpus import curation
from seedbed.corpus.text.characters import LETTER, OTHER, Spans, Texts
from seedbed.corpus.text.rules import Measured, Rule, bounded, share, tag

if TYPE_CHECKING:
    from daft import DataFrame

STOP_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"]


@curation.register("gopher_quality", papers=["326"])
class GopherQuality:
    """Gopher's rules of quality (Rae et al., 2021, section A.1.1), each a column; drops what fails one.

    - `gopher_words`, the number of words that are not only punctuation: `min_words` to `max_words` (50 to 100,000)
    - `gopher_word_length`, their mean length in characters: `min_word_length` to `max_word_length` (3 to 10)
    - `gopher_hashes` and `gopher_ellipses`, the number of `#`, and of `...` and `…`, for each word: at most
      `max_symbols` (0.1)
    - `gopher_bullet_lines`, the share of lines that begin with one of `bullets`: at most `max_bullet_lines` (0.9)
    - `gopher_ellipsis_lines`, the share of lines that end with an ellipsis: at most `max_ellipsis_lines` (0.3)
    - `gopher_alphabetic_words`, the share of words with a letter: at least `min_alphabetic_words` (0.8)
    - `gopher_stop_words`, how many different ones of `stop_words` are there: at least `min_stop_words` (2). The paper's
      eight are English; for another language give its own.

    A word is what white space parts (`words: space`), or with `words: pieces` also punctuation by itself, which is
    nearer to linguistic tokenizers; neither finds words in scripts without spaces. The paper says no more of words, nor
    which bullets: ours are `•` and `-`. A bound of null switches a rule off. `drop: false` only adds the columns.
    """

    def __init__(
        self,
        min_words: int | None = 50,
        max_words: int | None = 100_000,
        min_word_length: float | None = 3.0,
        max_word_length: float | None = 10.0,
        max_symbols: float | None = 0.1,
        max_bullet_lines: float | None = 0.9,
        max_ellipsis_lines: float | None = 0.3,
        min_alphabetic_words: float | None = 0.8,
        min_stop_words: int | None = 2,
        stop_words: list[str] = STOP_WORDS,
        bullets: str = "•-",
        words: Literal["space", "pieces"] = "space",
        drop: bool = True,
    ) -> None:
        self.bounds = {
            "gopher_words": (min_words, max_words),
            "gopher_word_length": (min_word_length, max_word_length),
            "gopher_hashes": (None, max_symbols),
            "gopher_ellipses": (None, max_symbols),
            "gopher_bullet_lines": (None, max_bullet_lines),
            "gopher_ellipsis_lines": (None, max_ellipsis_lines),
            "gopher_alphabetic_words": (min_alphabetic_words, None),
            "gopher_stop_words": (min_stop_words, None),
        }
        self.bullets, self.words, self.drop = bullets, words, drop
        self.stop_words = [word for word in dict.fromkeys(stop_words) if word]

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        return tag(frame, self.rules(), self.measure, drop=self.drop)

    def rules(self) -> list[Rule]:
        return [rule for column, (least, most) in self.bounds.items() for rule in bounded(column, least, most)]

    def measure(self, texts: Texts) -> Measured:
        words = texts.words if self.words == "space" else texts.pieces
        classes_S = texts.classes(words)
        real_S = (classes_S & OTHER) != 0
        real_D = words.totals(real_S)
        lines = texts.lines
        bullets_S, ellipses_S = self._marked_lines(texts, lines)
        documents = len(texts.texts)
        hashes_D = _counts(np.flatnonzero(texts.codes_C == ord("#")), texts, documents)
        return Measured(
            {
                "gopher_words": real_D,
                "gopher_word_length": share(words.totals(real_S * words.lengths), real_D),
                "gopher_hashes": share(hashes_D, words.counts),
                "gopher_ellipses": share(_ellipses(texts, documents), words.counts),
                "gopher_bullet_lines": share(lines.totals(bullets_S), lines.counts),
                "gopher_ellipsis_lines": share(lines.totals(ellipses_S), lines.counts),
                "gopher_alphabetic_words": share(words.totals((classes_S & LETTER) != 0), words.counts),
                "gopher_stop_words": self._stop_words(texts, words, documents),
            }
        )

    def _marked_lines(self, texts: Texts, lines: Spans) -> tuple[np.ndarray, np.ndarray]:
        """Whether each line begins with a bullet, and whether it ends with an ellipsis."""
        starts, ends = texts.trimmed(lines)
        filled = ends > starts
        bullets = np.array([ord(mark) for mark in self.bullets], np.uint32)
        begins = np.isin(texts.codes_C[starts], bullets) & filled
        last, codes = np.maximum(ends - 1, 0), texts.codes_C
        dots = (codes[last] == 46) & (codes[last - 1] == 46) & (codes[last - 2] == 46) & (ends - starts >= 3)
        return begins, ((codes[last] == ord("…")) | dots) & filled

    def _stop_words(self, texts: Texts, words: Spans, documents: int) -> np.ndarray:
        """How many of the stop words stand in each text."""
        found = np.zeros(documents, np.int64)
        for places in texts.find(words, self.stop_words):
            text = np.searchsorted(words.offsets, places, side="right") - 1
            found += np.bincount(text, minlength=documents) > 0
        return found


def _counts(places: np.ndarray, texts: Texts, documents: int, weights: np.ndarray | None = None) -> np.ndarray:
    """How many of the places are in each text."""
    text = np.searchsorted(texts.starts_D, places, side="right") - 1
    return np.bincount(text, weights=weights, minlength=documents)


def _ellipses(texts: Texts, documents: int) -> np.ndarray:
    """The number of `...`, one after the other, and of `…`."""
    dots = np.flatnonzero(texts.codes_C == 46)
    first = np.flatnonzero(np.diff(dots, prepend=-2) != 1)
    lengths = np.diff(np.append(first, len(dots)))
    threes = _counts(dots[first], texts, documents, lengths // 3)
    return threes + _counts(np.flatnonzero(texts.codes_C == ord("…")), texts, documents)
