"""Vectors from a graph of words: each part against its formula, written as loops, and what the whole is for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_languages import make_corpus, make_vectors, run

from seedbed.core.directions import unit
from seedbed.core.errors import InputError
from seedbed.vectors import graph_network
from seedbed.vectors.artifact import WordVectors
from seedbed.vectors.cooccurrence import both_directions, count_pairs
from seedbed.vectors.token_graph import class_shares, draw_samples, propagation
from seedbed.vectors.train_graph import train_graph_vectors


def test_shares_are_of_classes_brought_to_one_size() -> None:
    ids = np.array([0, 0, 1, -1, 0, 1, 2, 3, -1, 2])
    classes = np.array([0, 0, 0, 0, 1, 1, 1, 1, -1, -1])
    found = class_shares(ids, classes, 5, 2)
    rates = {0: (2 / 3, 1 / 4), 1: (1 / 3, 1 / 4), 2: (0, 1 / 4), 3: (0, 1 / 4)}
    for word, (first, second) in rates.items():
        np.testing.assert_allclose(found[word], [first / (first + second), second / (first + second)])
    assert found[4].tolist() == [0, 0], "no text with a label has it"


def test_both_directions_are_the_matrix_and_its_transpose() -> None:
    dense = np.array([[1.0, 2, 0], [0.5, 0, 0], [0, 3, 0]])
    rows, columns = dense.nonzero()
    found = np.zeros((3, 3))
    rows_E, columns_E, values_E = both_directions(rows * 3 + columns, dense[rows, columns], 3)
    found[rows_E, columns_E] = values_E
    np.testing.assert_array_equal(found, dense + dense.T)
    assert (np.diff(rows_E * 3 + columns_E) > 0).all(), "sorted, each once"


def test_propagation_is_that_of_a_graph_convolution() -> None:
    ids = np.random.default_rng(0).integers(0, 6, 60)
    counts = np.bincount(ids, minlength=7)  # the last word stands alone
    keys, near = count_pairs(ids, 7, 2)
    dense = np.zeros((7, 7))
    rows, columns, values = both_directions(keys, near, 7)
    for a, b, value in zip(rows, columns, values, strict=True):
        if a != b:
            dense[a, b] = (value + 1) / (counts[a] + counts[b] + 7)
    dense += np.eye(7)
    wanted = dense / np.sqrt(dense.sum(0))[:, None] / np.sqrt(dense.sum(0))[None, :]
    np.testing.assert_allclose(propagation(keys, near, counts).to_dense().numpy(), wanted, rtol=1e-6)


def drawn(seed: int = 0, **given: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """Samples for two classes of texts: words 0 to 9 are of one, 10 to 19 of the other, 20 to 24 of both."""
    dice = np.random.default_rng(1)
    texts, classes = [], []
    for text in range(120):
        words = np.concatenate([dice.integers(10, size=3) + 10 * (text % 2), dice.integers(20, 25, size=3)])
        texts.append(np.concatenate([dice.permutation(words), [-1] * 3]))
        classes += [text % 2] * 9
    ids, labels = np.concatenate(texts), np.array(classes)
    shares = class_shares(ids, labels, 25, 2)
    settings: dict[str, Any] = {"window": 3, "purity": 0.9, "positives": 4, "samples": 9, **given}
    return draw_samples(ids, labels, shares, seed=seed, **settings), ids, labels, shares


def test_near_are_neighbors_that_say_something_of_the_class_and_far_the_others() -> None:
    samples, ids, _, shares = drawn()
    assert samples.anchors_A.tolist() == list(range(20)) and samples.valid_AJ.all()
    assert samples.words_AJ.shape == (20, 9) and set(samples.near_AJ.sum(1)) <= {1, 2, 3, 4}
    rows, columns, _ = both_directions(*count_pairs(ids, 25, 3), 25)
    neighbors = set(zip(rows.tolist(), columns.tolist(), strict=True))
    for anchor, words, near in zip(samples.anchors_A, samples.words_AJ, samples.near_AJ, strict=True):
        close = words[near].tolist()
        assert len(close) == len(set(close)) and anchor not in close
        for word in close:
            assert (anchor, word) in neighbors and shares[word, anchor // 10] > 0.5
        assert all(word // 10 == 1 - anchor // 10 for word in words[~near])
    again, other = drawn()[0], drawn(seed=1)[0]
    assert (again.words_AJ == samples.words_AJ).all() and (other.words_AJ != samples.words_AJ).any()


def test_neighbors_are_drawn_by_their_chances() -> None:
    from seedbed.vectors import token_graph

    rows = np.repeat(np.arange(4000), 2)
    columns, chances = np.tile([0, 1], 4000), np.tile([3.0, 1.0], 4000)
    chosen, place = token_graph._drawn(rows, columns, chances, 1, 5)
    assert (rows[chosen] == np.arange(4000)).all() and not place.any()
    assert abs((columns[chosen] == 0).mean() - 0.75) < 0.03


def test_the_loss_is_the_supervised_contrastive_one() -> None:
    dice = np.random.default_rng(2)
    vectors = dice.standard_normal((6, 3))
    anchors, words = [0, 4], [[1, 2, 3, 5], [2, 0, 0, 3]]
    near, valid = [[1, 1, 0, 0], [1, 0, 0, 0]], [[1, 1, 1, 1], [1, 1, 1, 0]]
    total = 0.0
    for number, anchor in enumerate(anchors):
        cosines = [vectors[anchor] @ vectors[w] / np.linalg.norm(vectors[anchor]) / np.linalg.norm(vectors[w])
                   for w in words[number]]  # fmt: skip
        whole = sum(math.exp(s / 0.3) for s, there in zip(cosines, valid[number], strict=True) if there)
        terms = [-math.log(math.exp(s / 0.3) / whole) for s, p in zip(cosines, near[number], strict=True) if p]
        total += sum(terms) / len(terms)
    asked = [torch.tensor(anchors), torch.tensor(words), torch.tensor(near).bool(), torch.tensor(valid).bool()]
    found = graph_network.contrast(torch.from_numpy(vectors), *asked, 0.3)
    assert float(found) == pytest.approx(total / 2, rel=1e-12)


def test_the_gradient_goes_through_the_graph() -> None:
    dense = torch.rand(5, 5, dtype=torch.float64)
    dense = dense + dense.T
    x = torch.rand(5, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(5, 3, dtype=torch.float64)
    (graph_network._Propagate.apply(dense.to_sparse_csr(), x) * weights).sum().backward()
    torch.testing.assert_close(x.grad, dense.T @ weights)


PRAISE, BLAME = ["fine", "grand", "lovely", "superb"], ["awful", "grim", "poor", "vile"]
SMALL = {"dimensions": 8, "window": 4, "min_count": 1, "purity": 0.8, "epochs": 60}


def reviews(number: int = 160, seed: int = 3) -> tuple[list[str], list[str | None]]:
    """Of every eighth the label is not known: in these alone stand `neat` and `sour`."""
    dice = np.random.default_rng(seed)
    texts, labels = list[str](), list[str | None]()
    for index in range(number):
        good, hidden = bool(dice.integers(2)), index % 8 == 0
        words = list(dice.choice(PRAISE if good else BLAME, 2, replace=False))
        words += [("neat" if good else "sour") if hidden else "so", *dice.choice(["shoe", "lamp", "cup"], 2)]
        texts.append(" ".join(dice.permutation(words)))
        labels.append(None if hidden else "good" if good else "bad")
    return texts, labels


def train(folder: Path, **given: Any) -> tuple[WordVectors, dict[str, Any]]:
    texts, labels = reviews()
    corpus = make_corpus(folder / "corpus", texts, labels)
    context = run(train_graph_vectors, folder / "out", corpus=corpus, **{**SMALL, **given})
    return WordVectors(folder / "out"), context.counts


def test_words_of_a_class_are_near_and_take_their_neighbors_along(tmp_path: Path) -> None:
    made, counts = train(tmp_path)
    assert counts["classes"] == ["bad", "good"] and counts["anchors"] == 8
    assert counts["last_loss"] < 0.75 * counts["first_loss"]
    table = made.table
    matrix = unit(table.matrix_WD)
    cosine = lambda a, b: float(matrix[table.ids[a]] @ matrix[table.ids[b]])  # noqa: E731
    within = [cosine(a, b) for group in (PRAISE, BLAME) for a in group for b in group if a < b]
    between = [cosine(a, b) for a in PRAISE for b in BLAME]
    assert min(within) > max(between) + 0.3
    assert cosine("neat", "fine") > cosine("neat", "awful") and cosine("sour", "awful") > cosine("sour", "fine"), (
        "no labeled text has these two, and their neighbors have labels"
    )
    again, _ = train(tmp_path / "again")
    assert again.table.matrix_WD.tobytes() == table.matrix_WD.tobytes()


def test_features_may_be_given(tmp_path: Path) -> None:
    words = [*PRAISE, *BLAME, "elsewhere"]
    given = make_vectors(tmp_path / "given", words, np.eye(9))
    made, counts = train(tmp_path / "run", features=given)
    assert counts["dimensions"] == 8 and np.isfinite(made.table.matrix_WD).all()
    with pytest.raises(InputError, match=r"none of the corpus's words"):
        train(tmp_path / "none", features=make_vectors(tmp_path / "other", ["unknown"], np.eye(1)))


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"label": "metadata.nothing"}, "label"),
        ({"label": "domain"}, "label"),
        ({"purity": 0.3}, "purity"),
        ({"positives": 40}, "samples"),
        ({"min_count": 10**6}, "min_count"),
        ({"temperature": 0.0}, "temperature"),
    ],
)
def test_what_cannot_be_learned_from_is_said(given: dict[str, Any], key: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        train(tmp_path, **given)
    assert caught.value.key == key


def test_labels_without_signs_of_them_are_an_error(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus", ["one two", "two one"] * 9, ["a", "b"] * 9)
    with pytest.raises(InputError, match="no word stands so often") as caught:
        run(train_graph_vectors, tmp_path / "out", corpus=corpus, **SMALL)
    assert caught.value.key == "purity"
