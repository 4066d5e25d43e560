"""Random unigram tokenizers over the words of a corpus.

Shapes: C candidates, D documents.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.counters import generator, key, uniform
from seedbed.core.errors import InputError
from seedbed.vocabulary.byte_level import ALPHABET, BYTES, read, written
from seedbed.vocabulary.counts import long_runs

if TYPE_CHECKING:
    from seedbed.vocabulary.counts import WordCounts

_SUBSTRINGS = 1_000_000  # different ones that are counted, of the most frequent words first
_CANDIDATES = 100_000
_NEAR = 64  # characters in which the beginning of a word is looked for


@dataclass(frozen=True)
class Candidates:
    """Pieces that a vocabulary may have, as text, with their shares of the sum of all scores; most first."""

    texts: list[str]
    share_C: np.ndarray


def splitter() -> Any:
    """Words as GPT-2's pattern finds them, in its characters for bytes; at most 100 characters long."""
    from tokenizers import pre_tokenizers

    return pre_tokenizers.Sequence([long_runs(), pre_tokenizers.ByteLevel(add_prefix_space=False)])


def count_candidates(words: WordCounts, longest: int = 16) -> Candidates:
    """Every substring of up to `longest` characters of every word, its score being how often it occurs times its bytes.

    That is the score of Minixhofer et al. (their code; the first list of sentencepiece's Unigram has the same). They
    count in the last 2,048 texts, and take every fourth beginning; here the whole sample is counted, once.
    """
    cut = splitter()
    counts = words.pieces(lambda word: [read(piece) for piece, _ in cut.pre_tokenize_str(word)])
    scores: Counter[str] = Counter()
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        for start in range(len(word)):
            for end in range(start + 1, min(start + longest, len(word)) + 1):
                scores[word[start:end]] += count
        if len(scores) > _SUBSTRINGS:
            break
    sizes = {text: len(text.encode("utf8")) for text in scores}
    scores = Counter({text: count * sizes[text] for text, count in scores.items() if sizes[text] > 1})
    if not scores:
        raise InputError("corpus", "holds no word of two letters from which a tokenizer could be made")
    kept = sorted(scores, key=lambda text: (-scores[text], text))[:_CANDIDATES]
    score_C = np.array([scores[text] for text in kept], dtype=np.float64)
    return Candidates(kept, score_C / scores.total())


class SampledTokenizer:
    """A unigram tokenizer: the 256 bytes, then pieces. `surfaces` are their texts (see `vocabulary.surfaces`)."""

    def __init__(self, pieces: Sequence[str], scores: Sequence[float]) -> None:
        from tokenizers import Tokenizer, models

        alphabet = [bytes([BYTES[char]]).decode("utf8", "surrogateescape") for char in ALPHABET]
        self.surfaces = [*alphabet, *pieces]
        least = min(scores, default=0.0)
        named = [(char, least) for char in ALPHABET]
        named += [(written(piece), score) for piece, score in zip(pieces, scores, strict=True)]
        self._fast = Tokenizer(models.Unigram(named))
        self._fast.pre_tokenizer = splitter()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The likeliest cuts: ids, which are places in `surfaces`. Nothing is unknown."""
        return [encoding.ids for encoding in self._fast.encode_batch(list(texts), add_special_tokens=False)]


@dataclass(frozen=True)
class Noise:
    """What is added to the shares: normal numbers, whose deviation is itself drawn for each tokenizer, from a
    log-normal distribution with this median and this deviation of the logarithm."""

    median: float = 1e-5
    spread: float = 4.0

    def __post_init__(self) -> None:
        if not 0 <= self.median < math.inf or not 0 <= self.spread < math.inf:
            raise InputError("noise", "must be two numbers that are not negative", value=[self.median, self.spread])


def sample_tokenizer(candidates: Candidates, size: int, noise: Noise, seed: int, number: int) -> SampledTokenizer:
    """The `number`th tokenizer: the `size` - 256 candidates with the highest shares after noise, which are also their
    probabilities. So small noise gives sensible vocabularies, large noise any. Candidates that noise has brought to
    zero or below are left out, though the vocabulary may then be smaller (the authors keep them, never to be used)."""
    drawing = generator(seed, "tokenizer", number)
    deviation = noise.median * math.exp(noise.spread * drawing.standard_normal())
    noised_C = candidates.share_C + deviation * drawing.standard_normal(len(candidates.share_C))
    best = np.argsort(-noised_C, kind="stable")[: size - len(ALPHABET)]
    best = best[noised_C[best] > 0]
    return SampledTokenizer([candidates.texts[index] for index in best], np.log(noised_C[best]).tolist())


class Windows:
    """Windows of texts: any place of any text is drawn as often as any other."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = [text for text in texts if text.strip()]
        self.ends_D = np.cumsum([len(text) for text in self.texts])

    def draw(self, seed: int, step: int, rows: int, size: int) -> list[str]:
        """So many windows of `size` characters; each begins with its text, or with the space before its place."""
        places = (uniform(key(seed, "window"), step, np.arange(rows)) * self.ends_D[-1]).astype(np.int64)
        found = []
        for place, document in zip(places.tolist(), np.searchsorted(self.ends_D, places, side="right"), strict=True):
            text = self.texts[document]
            start = place - int(self.ends_D[document]) + len(text)
            space = text.rfind(" ", max(0, start - _NEAR), start + 1)
            start = space if space >= 0 else start * (start > _NEAR)
            found.append(text[start : start + size])
        return found
