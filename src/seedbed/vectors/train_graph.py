"""The step that trains word vectors on a graph of words, from texts with labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.checks import check_counts, check_positive
from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.data.metadata import check_field
from seedbed.vocabulary.artifact import Tokenizer

from .artifact import WordVectors
from .table import WordTable

if TYPE_CHECKING:
    from .words import NumberedTexts

_SHIFT, _SMOOTHING = 1.0, 0.75  # of the features: those of `train_word_vectors`


@step("train_graph_vectors", gives=WordVectors, papers=["125"])
def train_graph_vectors(
    context: StepContext,
    *,
    corpus: Corpus | list[Corpus],
    label: str = "metadata.label",
    language: str = "",
    features: WordVectors | None = None,
    size: int = 30000,
    dimensions: int = 100,
    window: int = 5,
    min_count: int = 3,
    purity: float = 0.9,
    positives: int = 20,
    samples: int = 40,
    temperature: float = 0.1,
    lr: float = 0.005,
    epochs: int = 80,
    lowercase: bool = True,
    tokenizer: Tokenizer | None = None,
    seed: int = 0,
) -> None:
    """Word vectors in which words of one class are near each other, learned on a graph of words from the labels of
    related tasks (Ghosh, Maji and Desarkar, 2021, and their code), for a task with few labels of its own.

    Words are nodes, and those that stand near each other are neighbors; two layers of graph convolution read the
    graph, and their outputs are the vectors. A word that stands in one class's texts alone, or nearly, is an anchor:
    near it are to be its neighbors in that class's texts, far from it anchors of other classes, by a supervised
    contrastive loss. What is known of texts so becomes something known of words, and goes on to words that no labeled
    text has, through their neighbors.

    corpus: the training splits of one or several. label: the field of their metadata; the same value means the same in
    all. Documents without it are edges of the graph only: texts of the task to come may be among them (not in the
    paper). language: its name, for reports. features: what the network reads of a word; by default singular vectors of
    the graph's own mutual information, as by `train_word_vectors` (theirs: GloVe); words without one have zeros. size,
    min_count, lowercase, tokenizer: as of `train_word_vectors`. dimensions: of the vectors, and of the hidden layer.
    window: how many places away a word still is a neighbor, nearer ones for more (theirs: 1, the word beside it).
    purity: the share of one class from which on a word is an anchor. positives: at most so many neighbors of an
    anchor. samples: these and words of other classes, together. temperature, lr, epochs: of the loss, and of Adam; an
    epoch is one step over all anchors.

    Deviations: shares are of classes brought to one size; neighbors are drawn by n^0.75 times how much they say of the
    class, where the code has a softmax of n^0.75 and takes words that say nothing as well; cosines and a temperature
    of 0.1, where it has dot products over 5 with their sign turned; several classes, where it has two. The paper itself
    could not be read, its abstract and code were. Not here: weights of edges in the loss. Memory: 8 bytes for each
    anchor, sample and dimension.
    """
    from .graph_network import fit
    from .token_graph import class_shares, draw_samples, propagation

    _check(size, dimensions, window, min_count, purity, positives, samples, temperature, lr, epochs)
    corpora = corpus if isinstance(corpus, list) else [corpus]
    numbered, classes_T, names = _read(corpora, label, size, min_count, window, lowercase, tokenizer)
    shares_WC = class_shares(numbered.ids_T, classes_T, len(numbered.words), len(names))
    settings = {"window": window, "positives": positives, "samples": samples, "seed": seed}
    drawn = draw_samples(numbered.ids_T, classes_T, shares_WC, purity=purity, **settings)  # type: ignore[arg-type]
    if not len(drawn.anchors_A):
        problem = "no word stands so often in texts of one class, with neighbors there"
        raise InputError("purity", problem, value=purity, fix="a smaller share, a larger window, or more labeled texts")
    keys_P, near_P, features_WF = _graph(numbered, features, window, dimensions, seed)
    context.say(f"{len(numbered.words)} words, {len(keys_P)} pairs of words, {len(drawn.anchors_A)} anchors")
    fitted = fit(
        propagation(keys_P, near_P, numbered.counts_W),
        features_WF,
        drawn,
        dimensions=dimensions,
        temperature=temperature,
        lr=lr,
        epochs=epochs,
        seed=seed,
    )
    WordTable(numbered.words, fitted.vectors_WD, numbered.counts_W, language, lowercase).save(context.folder)
    context.counts.update(
        words=len(numbered.words),
        dimensions=dimensions,
        pairs=len(keys_P),
        classes=names,
        anchors=len(drawn.anchors_A),
        first_loss=fitted.first_loss,
        last_loss=fitted.last_loss,
        language=language,
    )


def _read(
    corpora: list[Corpus],
    label: str,
    size: int,
    min_count: int,
    window: int,
    lowercase: bool,
    tokenizer: Tokenizer | None,
) -> tuple[NumberedTexts, np.ndarray, list[str]]:
    """The texts as numbers, the class of each place of them (-1: none), and the classes' names."""
    from .words import check_spaces, number_words, splitter

    field = check_field(label, "label")
    texts: list[str] = []
    labels: list[str | None] = []
    for corpus in corpora:
        for row in corpus.documents("train", ["text", "metadata"]):
            value = json.loads(row["metadata"] or "{}").get(field)
            texts.append(row["text"])
            labels.append(None if value is None else str(value))
    names = sorted({name for name in labels if name is not None})
    if len(names) < 2:
        problem = "no document has this field" if not names else "all documents that have this field say the same"
        raise InputError("label", problem, value=label)
    split, lengths = splitter(tokenizer, lowercase), list[int]()

    def counted(text: str) -> list[str]:
        words = split(text)
        lengths.append(len(words) + window)
        return words

    numbered = number_words(texts, counted, min_count=min_count, size=size, gap=window)
    if len(numbered.words) < 2:
        problem = "leaves fewer than two words"
        raise InputError("min_count", problem, value=min_count, fix="take a smaller number, or more text")
    if tokenizer is None:
        check_spaces(numbered.words, numbered.counts_W)
    number = {name: index for index, name in enumerate(names)}
    classes = np.array([-1 if name is None else number[name] for name in labels], dtype=np.int64)
    return numbered, np.repeat(classes, lengths), names


def _graph(
    numbered: NumberedTexts, given: WordVectors | None, window: int, dimensions: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of neighbors, how often they are that, and the words' features, of length 1 (W, F)."""
    from seedbed.core.directions import unit

    from .cooccurrence import count_pairs
    from .factorize import ppmi, singular_vectors

    num_words = len(numbered.words)
    keys_P, near_P = count_pairs(numbered.ids_T, num_words, window)
    if given is None:
        matrix = ppmi(keys_P, near_P, num_words, shift=_SHIFT, smoothing=_SMOOTHING)
        return keys_P, near_P, unit(singular_vectors(*matrix, num_words, min(dimensions, num_words), 1.0, seed))
    rows_W = given.table.find(numbered.words)
    if (rows_W < 0).all():
        raise InputError("features", "have none of the corpus's words", value=str(given.path))
    return keys_P, near_P, unit(np.where(rows_W[:, None] >= 0, given.table.matrix_WD[rows_W], 0.0))


def _check(
    size: int,
    dimensions: int,
    window: int,
    min_count: int,
    purity: float,
    positives: int,
    samples: int,
    temperature: float,
    lr: float,
    epochs: int,
) -> None:
    check_counts(size=size, dimensions=dimensions, window=window, min_count=min_count, positives=positives)
    check_counts(epochs=epochs)
    check_positive(temperature=temperature, lr=lr)
    if not 0.5 <= purity <= 1:
        raise InputError("purity", "must lie between a half and 1", value=purity)
    if samples <= positives:
        raise InputError("samples", "leave no place for words of other classes", value=samples)
