"""The step that trains word vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.vocabulary.artifact import Tokenizer

from .artifact import WordVectors
from .table import WordTable

_BYTES_PER_SECOND = 1e6  # measured on one core


@step("train_word_vectors", gives=WordVectors, papers=["371", "372"])
def train_word_vectors(
    context: StepContext,
    *,
    corpus: Corpus | list[Corpus],
    language: str = "",
    size: int = 30000,
    dimensions: int = 100,
    window: int = 5,
    min_count: int = 5,
    lowercase: bool = True,
    shift: float = 1.0,
    smoothing: float = 0.75,
    power: float = 1.0,
    tokenizer: Tokenizer | None = None,
    seed: int = 0,
) -> None:
    """Static word vectors from the training split of a corpus: singular vectors of positive mutual information.

    language: its name, for reports. size, min_count: the most frequent words, of at least so many occurrences. window:
    how many places away a word still counts, nearer ones for more. shift, smoothing, power: log(shift) is taken from
    the information, context counts are raised to the power `smoothing`, singular values to `power`. tokenizer: of a
    language without spaces: its tokens are the words.

    Levy, Goldberg and Dagan (2015): skip-gram with negative sampling factorizes this matrix implicitly (shift is the
    number of negative samples), and factorizing it outright does as well on small corpora. It has no learning rate,
    takes seconds for a few million words, and gives the same vectors each time. The defaults were measured on English
    and German novels (docs/vectors.md): for likeness within one language they advise a power of 0.5 and windows of 2,
    but for translating words 1 and 5 did better; that a shift does harm showed here too. Not as in word2vec: rare
    words leave a gap in the window, frequent ones are not subsampled, and there are no vectors of character n-grams: a
    word not seen has no vector. Memory: 4 bytes a word of the corpus, about 100 bytes a pair of words that occurs.
    """
    from .cooccurrence import count_pairs
    from .factorize import ppmi, singular_vectors
    from .words import check_spaces, number_words, splitter

    _check(size, dimensions, window, min_count, shift)
    corpora = corpus if isinstance(corpus, list) else [corpus]
    split = splitter(tokenizer, lowercase)
    numbered = number_words(_texts(corpora), split, min_count=min_count, size=size, gap=window)
    if len(numbered.words) < 2:
        raise InputError(
            "min_count",
            "leaves fewer than two words",
            value=min_count,
            fix="take a smaller number, or more text",
        )
    if tokenizer is None:
        check_spaces(numbered.words, numbered.counts_W)
    num_words = len(numbered.words)
    keys_P, weights_P = count_pairs(numbered.ids_T, num_words, window)
    context.say(f"{num_words} words, {len(keys_P)} pairs of words")
    matrix = ppmi(keys_P, weights_P, num_words, shift=shift, smoothing=smoothing)
    if not len(matrix[0]):
        raise InputError("shift", "leaves nothing of the mutual information", value=shift)
    dimensions = min(dimensions, num_words)
    vectors_WD = singular_vectors(*matrix, num_words, dimensions, power, seed)
    WordTable(numbered.words, vectors_WD, numbered.counts_W, language, lowercase).save(context.folder)
    context.counts.update(
        words=num_words,
        dimensions=dimensions,
        running_words=int((numbered.ids_T >= 0).sum()),
        pairs=len(keys_P),
        nonzero=len(matrix[0]),
        language=language,
    )


@train_word_vectors.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Seconds from the corpus's bytes, once they are known."""
    corpus = parameters["corpus"]
    counts = [counts_of(item) for item in (corpus if isinstance(corpus, list) else [corpus])]
    known = [float(count["kept"]["bytes"]) for count in counts if "kept" in count]
    seconds = sum(known) / _BYTES_PER_SECOND if len(known) == len(counts) else None
    return Estimate(seconds=seconds, notes=f"at most {parameters['size']} words")


def _texts(corpora: list[Corpus]) -> Iterator[str]:
    for corpus in corpora:
        for row in corpus.documents("train", ["text"]):
            yield row["text"]


def _check(size: int, dimensions: int, window: int, min_count: int, shift: float) -> None:
    numbers = {"size": size, "dimensions": dimensions, "window": window, "min_count": min_count}
    for name, value in numbers.items():
        if value < 1:
            raise InputError(name, "must be at least 1", value=value)
    if not shift > 0:
        raise InputError("shift", "must be positive", value=shift)
