"""WECHSEL and OFA against slow formulas over words that hold tokens, and a permuted language with a perfect dictionary.

Shapes in names: V old tokens, N new ones.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_vocabularies import change, made_texts, make_change, make_model, make_tokenizer

from seedbed.core.errors import InputError
from seedbed.models.artifact import Model
from seedbed.surgery.initializers.ofa import OFA
from seedbed.surgery.initializers.wechsel import Wechsel
from seedbed.vectors.artifact import AlignedVectors
from seedbed.vectors.subwords import token_vectors
from seedbed.vectors.table import WordTable
from seedbed.vocabulary.artifact import Tokenizer

OLD = made_texts()
NEW = made_texts(1, letters="acefhijlprtuvö")


def words_of(texts: list[str]) -> list[str]:
    return sorted({word.strip(".,").lower() for text in texts for word in text.split() if word.strip(".,").isalpha()})


def made_table(words: list[str], matrix: np.ndarray, lowercase: bool = True) -> WordTable:
    counts = np.array([1 + (7 * index) % 13 for index in range(len(words))])
    return WordTable(words, matrix.astype(np.float32), counts, "", lowercase)


def aligned(folder: Path, source: WordTable, target: WordTable) -> AlignedVectors:
    folder.mkdir()
    source.save(folder / "source")
    target.save(folder / "target")
    return AlignedVectors(folder)


def slow_token_vectors(tokenizer: Tokenizer, tables: list[WordTable], by_count: bool) -> list[np.ndarray | None]:
    """Word by word: the tokens of its four spellings; then token by token the mean of its words."""
    fast, vocabulary = tokenizer.load(), tokenizer.vocabulary()
    holds: list[list[tuple[np.ndarray, float]]] = [[] for _ in range(vocabulary.size)]
    for table in tables:
        for row, word in enumerate(table.words):
            spellings = [word, f" {word}"]
            if table.is_lowercased:
                spellings += [word.capitalize(), f" {word.capitalize()}"]
            for spelling in spellings:
                for token in set(fast.encode(spelling, add_special_tokens=False).ids):
                    holds[token].append((table.matrix_WD[row], float(table.counts_W[row]) if by_count else 1.0))
    found: list[np.ndarray | None] = []
    for token, held in enumerate(holds):
        special = vocabulary.special_V[token]
        if special or not held:
            found.append(None)
            continue
        mean = np.sum([w * v for v, w in held], axis=0) / sum(w for _, w in held)
        found.append(mean / math.sqrt(float(mean @ mean)))
    return found


def slow_mixture(new: np.ndarray, olds: list[np.ndarray | None], rows: np.ndarray, neighbors: int, t: float) -> Any:
    cosines = sorted(((float(new @ old), index) for index, old in enumerate(olds) if old is not None), reverse=True)
    if cosines[neighbors - 1][0] - cosines[neighbors][0] < 1e-6:
        return None  # tokens of the same words are equally near: which of them is taken is not said
    nearest = cosines[:neighbors]
    total = sum(math.exp(cosine / t) for cosine, _ in nearest)
    return sum(math.exp(cosine / t) / total * rows[index] for cosine, index in nearest)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Tokenizer, AlignedVectors]:
    root = tmp_path_factory.mktemp("world")
    old = make_tokenizer(root / "old", "bpe", OLD)
    new = make_tokenizer(root / "new", "unigram", NEW, size=300)
    dice = np.random.default_rng(0)
    tables = [made_table(words, dice.standard_normal((len(words), 10))) for words in map(words_of, (OLD, NEW))]
    return make_model(root / "model", "decoder", old, tied=False), new, aligned(root / "vectors", *tables)


@pytest.mark.parametrize("weighting", ["frequency", "equal"])
@pytest.mark.parametrize("algorithm", ["bpe", "wordpiece", "unigram"])
def test_tokens_are_placed_by_their_words(algorithm: str, weighting: Any, tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path / "t", algorithm, OLD, "encoder" if algorithm == "wordpiece" else "decoder")
    words = words_of(OLD)[:25]
    dice = np.random.default_rng(1)
    tables = [made_table(words[:15], dice.random((15, 4)), False), made_table(words[10:], dice.random((15, 4)))]
    wanted = slow_token_vectors(tokenizer, tables, weighting == "frequency")
    found = token_vectors(tokenizer, tables, weighting)
    assert any(row is None for row in wanted) and sum(row is not None for row in wanted) > 20
    np.testing.assert_allclose(found, [np.zeros(4) if row is None else row for row in wanted], atol=1e-5)


@pytest.mark.parametrize(("neighbors", "temperature"), [(10, 0.1), (3, 1.0)])
def test_wechsel_is_the_slow_formula(
    neighbors: int, temperature: float, world: tuple[Model, Tokenizer, AlignedVectors]
) -> None:
    model, new, vectors = world
    made = make_change(model, new)
    built = Wechsel(vectors, neighbors=neighbors, temperature=temperature)
    found = built.initialize(made)
    olds = slow_token_vectors(made.old, [vectors.source], True)
    news = slow_token_vectors(new, [vectors.target], True)
    assert found.keys() == {"input", "output"} and any(row is None for row in news)
    for name, rows in found.items():
        old_VD = made.embeddings[name].numpy()
        compared = 0
        for index, place in enumerate(news):
            if place is not None:
                wanted = slow_mixture(place, olds, old_VD, neighbors, temperature)
                if wanted is not None:
                    np.testing.assert_allclose(rows[index].numpy(), wanted, atol=1e-5)
                    compared += 1
        assert compared > 50
        unplaced = rows[[index for index, place in enumerate(news) if place is None]]
        # As many deviations from the mean as there are columns, on average.
        distance = ((unplaced - made.embeddings[name].mean(0)) / made.embeddings[name].std(0)).square().mean()
        assert 0.5 < float(distance) < 1.6


def test_a_permuted_language_gets_each_translations_neighbors(tmp_path: Path) -> None:
    """The new language is the old one in other words, one for one, its tokens whole words: with word vectors turned
    into each other by a perfect dictionary, a token's embedding is that of its translation, mixed with the neighbors
    of the translation as the old language has them."""
    old_words = words_of(OLD)[:40]
    new_words = random.Random(3).sample([word for word in words_of(NEW) if word not in old_words], 40)
    old = make_tokenizer(tmp_path / "old", "wordpiece", [" ".join(old_words)] * 9, "encoder", 2000)
    new = make_tokenizer(tmp_path / "new", "wordpiece", [" ".join(new_words)] * 9, "encoder", 2000)
    ids = [[made.load().get_vocab()[word] for word in words] for made, words in ((old, old_words), (new, new_words))]
    matrix = np.random.default_rng(2).standard_normal((40, 12))
    vectors = aligned(tmp_path / "v", made_table(old_words, matrix, False), made_table(new_words, matrix, False))
    made = make_change(make_model(tmp_path / "model", "encoder", old), new)
    one = Wechsel(vectors, neighbors=1)
    rows = one.initialize(made)["input"]
    torch.testing.assert_close(rows[ids[1]], made.embeddings["input"][ids[0]])
    many = Wechsel(vectors, neighbors=4, temperature=0.3)
    rows = many.initialize(made)["input"]
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    for index, translation in enumerate(ids[1]):
        nearest = sorted(range(40), key=lambda other: -(unit[index] @ unit[other]))[:4]
        assert nearest[0] == index
        chances = np.exp([unit[index] @ unit[other] / 0.3 for other in nearest])
        wanted = chances / chances.sum() @ made.embeddings["input"].numpy()[[ids[0][other] for other in nearest]]
        np.testing.assert_allclose(rows[translation].numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("primitives", [None, 6])
@pytest.mark.parametrize("words", ["both", "target"])
def test_ofa_is_the_slow_formula(
    primitives: int | None, words: Any, world: tuple[Model, Tokenizer, AlignedVectors]
) -> None:
    model, new, vectors = world
    made = make_change(model, new)
    built = OFA(vectors, primitives=primitives, words=words)
    found = built.initialize(made)
    olds = slow_token_vectors(made.old, [vectors.source], False)
    news = slow_token_vectors(new, ([vectors.source] if words == "both" else []) + [vectors.target], False)
    kinds = set()
    for name, rows in found.items():
        old_VD = made.embeddings[name].numpy()
        if primitives:
            left, values, right = np.linalg.svd(old_VD)
            old_VD = (left[:, :primitives] * values[:primitives]) @ right[:primitives]
        for index, place in enumerate(news):
            surface = made.new_surfaces[index]
            same = made.same_N[index]
            others = [i for i, old in enumerate(made.old_surfaces) if surface and old.lower() == surface.lower()]
            if same >= 0:
                wanted, kind = old_VD[same], "same"
            elif others:
                wanted, kind = old_VD[max(others, key=lambda i: made.old_surfaces[i])], "case"
            elif place is not None:
                wanted, kind = slow_mixture(place, olds, old_VD, 10, 0.1), "mixture"
            else:
                continue
            if wanted is None:
                continue
            kinds.add(kind)
            np.testing.assert_allclose(rows[index].numpy(), wanted, atol=2e-5, err_msg=surface)
        if primitives:
            assert torch.linalg.matrix_rank(rows, rtol=1e-5) == primitives
    assert {"same", "mixture"} <= kinds


@pytest.mark.parametrize("method", ["wechsel", "ofa"])
def test_the_step_takes_them(method: str, world: tuple[Model, Tokenizer, AlignedVectors], tmp_path: Path) -> None:
    model, new, vectors = world
    built = {"wechsel": Wechsel, "ofa": OFA}[method](vectors)
    changed = change(model, new, tmp_path / "changed", built)
    network = changed.network()
    assert network.vocabulary_size == new.vocabulary().size
    pad, old_pad = new.vocabulary().pad, model.tokenizer().vocabulary().pad
    torch.testing.assert_close(network.embedding.weight[pad], model.network().embedding.weight[old_pad])


def test_vectors_of_another_language_are_an_error(
    world: tuple[Model, Tokenizer, AlignedVectors], tmp_path: Path
) -> None:
    model, new, vectors = world
    foreign = aligned(tmp_path / "v", vectors.source, made_table([], np.ones((0, 10))))
    made = make_change(model, new)
    built = Wechsel(foreign)
    with pytest.raises(InputError, match="no token of the new vocabulary"):
        built.initialize(made)
    for given, key in (({"neighbors": 0}, "neighbors"), ({"temperature": 0.0}, "temperature")):
        wrong = Wechsel(vectors, **given)
        with pytest.raises(InputError) as caught:
            wrong.initialize(made)
        assert caught.value.key == key
    many = OFA(vectors, primitives=33)
    with pytest.raises(InputError, match="more than the rank"):
        many.initialize(made)
