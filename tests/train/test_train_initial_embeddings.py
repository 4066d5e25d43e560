"""Word vectors as first embeddings: which rows, what stays of the vectors, and the same after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interruption import resumed_equals_whole
from made_characters import character_tokenizer, characters
from train_world import SIZE, SPECIALS

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.train.hooks.initial_embeddings import InitialEmbeddings, blend, fitted
from seedbed.vectors.artifact import WordVectors
from seedbed.vectors.table import WordTable
from seedbed.vocabulary.artifact import Tokenizer

TOKENS = characters(SIZE - SPECIALS)
KNOWN = TOKENS[3:40]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return character_tokenizer(tmp_path_factory.mktemp("tokenizer") / "made", TOKENS)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> WordVectors:
    matrix = np.random.default_rng(0).standard_normal((len(KNOWN), 6)).astype(np.float32)
    folder = tmp_path_factory.mktemp("vectors")
    WordTable(KNOWN, matrix, np.ones(len(KNOWN), np.int64)).save(folder)
    return WordVectors(folder)


class Told(InitialEmbeddings):
    """One that is told of this tokenizer, whatever the run's is."""

    its: Tokenizer

    def on_data(self, sources: Any, tokenizer: Any) -> None:
        super().on_data(sources, self.its)


def made(tokenizer: Tokenizer, vectors: WordVectors, weight: float = 1.0) -> InitialEmbeddings:
    found = Told(vectors, weight)
    found.its = tokenizer
    return found


def table_of(method: InitialEmbeddings | None, size: int = SIZE) -> np.ndarray:
    network: Any = backbones.create("encoder", layers=1, width=16, heads=2, max_length=16).network(size, 3, pad=0)
    if method is not None:
        method.on_data(None, None)  # type: ignore[arg-type]
        method.prepare(network, 3)
    return np.asarray(network.embedding.weight.detach().numpy().copy())


def cosines(matrix: np.ndarray) -> np.ndarray:
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(unit @ unit.T)


def test_tokens_with_a_vector_begin_with_it_and_others_as_they_were(tokenizer: Tokenizer, vectors: WordVectors) -> None:
    before, after = table_of(None, SIZE + 2), table_of(made(tokenizer, vectors), SIZE + 2)
    rows = np.array([SPECIALS + TOKENS.index(word) for word in KNOWN])
    others = np.setdiff1d(np.arange(SIZE + 2), rows)
    assert (after[others] == before[others]).all()
    np.testing.assert_allclose(cosines(after[rows]), cosines(vectors.table.matrix_WD), atol=1e-5)
    length = np.linalg.norm(before[rows], axis=1).mean()
    np.testing.assert_allclose(np.linalg.norm(after[rows], axis=1), length, rtol=1e-5)


def test_a_weight_below_one_keeps_something_of_the_row(tokenizer: Tokenizer, vectors: WordVectors) -> None:
    before, half, whole = (table_of(m) for m in (None, made(tokenizer, vectors, 0.5), made(tokenizer, vectors)))
    row = SPECIALS + TOKENS.index(KNOWN[0])
    direction = before[row] / np.linalg.norm(before[row]) + whole[row] / np.linalg.norm(whole[row])
    np.testing.assert_allclose(half[row] / np.linalg.norm(half[row]), direction / np.linalg.norm(direction), atol=1e-6)


def test_wide_vectors_keep_their_leading_directions() -> None:
    """Those that lie in a few directions lose nothing."""
    dice = np.random.default_rng(1)
    flat = dice.standard_normal((9, 3)) @ dice.standard_normal((3, 12))
    np.testing.assert_allclose(cosines(fitted(flat, 4, 0)), cosines(flat), atol=1e-8)
    narrow = dice.standard_normal((9, 3))
    np.testing.assert_allclose(fitted(narrow, 7, 0) @ fitted(narrow, 7, 0).T, narrow @ narrow.T, atol=1e-12)
    assert blend(np.ones((9, 7)), narrow, 1.0, 0).dtype == np.float32


def test_resuming_is_bitwise(tokenizer: Tokenizer, vectors: WordVectors, tmp_path: Path) -> None:
    resumed_equals_whole(tmp_path, lambda: {"interventions": [made(tokenizer, vectors)], "steps": 8}, 5, 7)


def test_vectors_of_another_language_and_a_weight_of_nothing_are_errors(tokenizer: Tokenizer, tmp_path: Path) -> None:
    WordTable(["elsewhere"], np.ones((1, 2), np.float32), np.ones(1, np.int64)).save(tmp_path)
    with pytest.raises(InputError, match="none of the tokenizer's tokens"):
        table_of(made(tokenizer, WordVectors(tmp_path)))
    with pytest.raises(InputError, match="weight"):
        InitialEmbeddings(WordVectors(tmp_path), 0.0)
