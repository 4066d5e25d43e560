"""Dolma's rules for web pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.corpus import curation
from seedbed.corpus.curating.gopher_quality import STOP_WORDS
from seedbed.corpus.text.characters import LETTER, Spans, Texts
from seedbed.corpus.text.lines import without
from seedbed.corpus.text.repetition import Repeats
from seedbed.corpus.text.rules import Measured, Rule, bounded, share, tag

if TYPE_CHECKING:
    from daft import DataFrame

_MOST_COMMON = {2: 0.20, 3: 0.18, 4: 0.16}
_DUPLICATE = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}


@curation.register("dolma", papers=["326"])
class Dolma:
    """Dolma's rules for web pages (Soldaini et al., 2024, section 5.2: "Gopher All" and "C4 NoPunc"), as its tagger
    `gopher_v1` and its mix 1.5 have them; they differ from `gopher_quality` and `gopher_repetition`.

    First lines go that end with none of `terminal` (white space behind it aside); the edits name them. Of what remains,
    each a column, where words are what white space parts and bounds are those a text may just reach:

    - `dolma_words` 50 to 100,000; `dolma_word_length`, the median, 3 to 10
    - `dolma_symbols`, the share of words with `#` or `…`, at most 0.1
    - `dolma_alphabetic_words`, the share with a letter, at least 0.8
    - `dolma_stop_words`, the occurrences of `stop_words`, at least 2
    - `dolma_bullet_lines`, the share of lines that begin with `*` or `-`, at most 0.9; `dolma_ellipsis_lines`, that end
      with `…`, at most 0.3
    - `dolma_duplicate_lines`, the share of lines that are there more than once, the first counted too, at most 0.3;
      `dolma_duplicate_line_characters`, their characters, of those of all words, at most 0.3
    - `dolma_top_2gram`, `..._3gram`, `..._4gram`, the characters of the most common n-gram times how often it is there,
      of those of all words, at most 0.20, 0.18, 0.16
    - `dolma_duplicate_5gram` to `..._10gram`, the characters of the n-grams that are there more than once, of those of
      all n-grams, overlaps counted each time, at most 0.15, 0.14, 0.13, 0.12, 0.11, 0.10

    Not here: Dolma's language, toxicity and personal-data filters and its duplicates, which are steps of their own. A
    bound of null switches a rule off. `drop: false` only adds the columns, of the texts as they are.
    """

    def __init__(
        self,
        min_words: int | None = 50,
        max_words: int | None = 100_000,
        min_word_length: float | None = 3.0,
        max_word_length: float | None = 10.0,
        max_symbols: float | None = 0.1,
        min_alphabetic_words: float | None = 0.8,
        min_stop_words: int | None = 2,
        stop_words: list[str] = STOP_WORDS,
        max_bullet_lines: float | None = 0.9,
        max_ellipsis_lines: float | None = 0.3,
        max_duplicate_lines: float | None = 0.3,
        max_duplicate_line_characters: float | None = 0.3,
        top_ngrams: dict[int, float] = _MOST_COMMON,
        duplicate_ngrams: dict[int, float] = _DUPLICATE,
        terminal: str = '.?!"',
        drop: bool = True,
    ) -> None:
        self.bounds: dict[str, tuple[float | None, float | None]] = {
            "dolma_words": (min_words, max_words),
            "dolma_word_length": (min_word_length, max_word_length),
            "dolma_symbols": (None, max_symbols),
            "dolma_alphabetic_words": (min_alphabetic_words, None),
            "dolma_stop_words": (min_stop_words, None),
            "dolma_bullet_lines": (None, max_bullet_lines),
            "dolma_ellipsis_lines": (None, max_ellipsis_lines),
            "dolma_duplicate_lines": (None, max_duplicate_lines),
            "dolma_duplicate_line_characters": (None, max_duplicate_line_characters),
        }
        self.bounds |= {f"dolma_top_{n}gram": (None, bound) for n, bound in top_ngrams.items()}
        self.bounds |= {f"dolma_duplicate_{n}gram": (None, bound) for n, bound in duplicate_ngrams.items()}
        self.top_ngrams, self.duplicate_ngrams, self.drop = top_ngrams, duplicate_ngrams, drop
        self._terminal = np.array([ord(mark) for mark in terminal], np.uint32)
        self._stop_hashes = np.array([Texts([word]).whole_hash() for word in stop_words], np.uint64)

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        return tag(frame, self.rules(), self.measure, drop=self.drop, edits=self.drop)

    def rules(self) -> list[Rule]:
        return [rule for column, (least, most) in self.bounds.items() for rule in bounded(column, least, most)]

    def measure(self, texts: Texts) -> Measured:
        if not self.drop:
            return Measured(self._columns(texts))
        lines = texts.parted_at_newlines()
        _, ends = texts.trimmed(lines)
        ended = np.isin(texts.codes_C[np.maximum(ends - 1, 0)], self._terminal) & (ends > lines.starts)
        kept, edits = without(texts, lines, (~ended).astype(np.int8), ["no end mark"], None)
        return Measured(self._columns(Texts(kept)), kept, edits)

    def _columns(self, texts: Texts) -> dict[str, np.ndarray]:
        words, codes_C = texts.words, texts.codes_C
        chars_D = words.totals(words.lengths)
        symbols_W = texts.counted((codes_C == ord("#")) | (codes_C == ord("…")), words.starts, words.ends) > 0
        stop_W = np.isin(texts.hashes(words), self._stop_hashes)
        columns = {
            "dolma_words": words.counts,
            "dolma_word_length": _medians(words),
            "dolma_symbols": share(words.totals(symbols_W), words.counts),
            "dolma_alphabetic_words": share(words.totals((texts.classes(words) & LETTER) != 0), words.counts),
            "dolma_stop_words": words.totals(stop_W),
        }
        return columns | self._lines(texts, chars_D) | self._ngrams(texts, chars_D)

    def _lines(self, texts: Texts, chars_D: np.ndarray) -> dict[str, np.ndarray]:
        lines, codes_C = texts.parted_at_newlines(), texts.codes_C
        filled = lines.lengths > 0
        bullets = np.isin(codes_C[lines.starts], np.array([ord("*"), ord("-")], np.uint32)) & filled
        ellipses = (codes_C[np.maximum(lines.ends - 1, 0)] == ord("…")) & filled
        keys = texts.local(texts.hashes(lines), lines.texts)
        _, codes, counts = np.unique(keys, return_inverse=True, return_counts=True)
        again = counts[codes] > 1
        return {
            "dolma_bullet_lines": share(lines.totals(bullets), lines.counts),
            "dolma_ellipsis_lines": share(lines.totals(ellipses), lines.counts),
            "dolma_duplicate_lines": share(lines.totals(again), lines.counts),
            "dolma_duplicate_line_characters": share(lines.totals(again * lines.lengths), chars_D),
        }

    def _ngrams(self, texts: Texts, chars_D: np.ndarray) -> dict[str, np.ndarray]:
        repeats, columns = Repeats(texts, texts.words), {}
        for level in repeats.levels(max([*self.top_ngrams, *self.duplicate_ngrams], default=1)):
            if level.n in self.top_ngrams:
                count_D, _, length_D = repeats.top(level)
                columns[f"dolma_top_{level.n}gram"] = share(count_D * length_D, np.where(count_D > 0, chars_D, 0))
            if level.n in self.duplicate_ngrams:
                shares = share(repeats.all_chars(level), repeats.sum_of_lengths(level.n))
                columns[f"dolma_duplicate_{level.n}gram"] = shares
        return columns


def _medians(words: Spans) -> np.ndarray:
    """The median length of each text's words, NaN without words."""
    order = np.sort((words.texts << 32) + words.lengths)
    has_D = words.counts > 0
    low = words.offsets[:-1] + (words.counts - 1) // 2
    high = words.offsets[:-1] + words.counts // 2
    medians = np.full(len(has_D), np.nan)
    medians[has_D] = ((order[low[has_D]] & 0xFFFFFFFF) + (order[high[has_D]] & 0xFFFFFFFF)) / 2
    return medians
