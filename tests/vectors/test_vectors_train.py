"""Word vectors against the dense formula, one pair of words at a time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_languages import documents, lexicon, make_corpus, run

from seedbed.core.errors import InputError
from seedbed.vectors import cooccurrence
from seedbed.vectors.artifact import WordVectors
from seedbed.vectors.cooccurrence import count_pairs
from seedbed.vectors.factorize import ppmi, singular_vectors
from seedbed.vectors.train import train_word_vectors
from seedbed.vectors.words import number_words, splitter


def by_loops(ids: list[int], num_words: int, window: int) -> np.ndarray:
    near = np.zeros((num_words, num_words))
    for i, first in enumerate(ids):
        for j in range(i + 1, min(i + window, len(ids) - 1) + 1):
            if first >= 0 and ids[j] >= 0:
                near[first, ids[j]] += (window + 1 - (j - i)) / window
    return near


def test_pairs_are_counted_as_by_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.random.default_rng(0).integers(-1, 7, 300)
    for chunk, pending in ((1 << 21, 1 << 24), (13, 20)):
        monkeypatch.setattr(cooccurrence, "_CHUNK", chunk)
        monkeypatch.setattr(cooccurrence, "_PENDING", pending)
        keys, weights = count_pairs(ids, 7, 4)
        found = np.zeros(49)
        found[keys] = weights
        np.testing.assert_allclose(found.reshape(7, 7), by_loops(ids.tolist(), 7, 4))


@pytest.mark.parametrize(("shift", "smoothing"), [(1.0, 1.0), (1.0, 0.75), (5.0, 0.75)])
def test_ppmi_is_the_formula(shift: float, smoothing: float) -> None:
    ids = np.random.default_rng(1).integers(0, 9, 200) ** 2 // 9
    once = by_loops(ids.tolist(), 8, 3)
    near = once + once.T
    wanted = np.zeros((8, 8))
    smooth = near.sum(0) ** smoothing
    for a in range(8):
        for b in range(8):
            if near[a, b]:
                chance_a, chance_b = near[a].sum() / near.sum(), smooth[b] / smooth.sum()
                information = math.log(near[a, b] / near.sum() / (chance_a * chance_b)) - math.log(shift)
                wanted[a, b] = max(0.0, information)
    rows, columns, values = ppmi(*count_pairs(ids, 8, 3), 8, shift=shift, smoothing=smoothing)
    found = np.zeros((8, 8))
    found[rows, columns] = values
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert (values > 0).all()


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_singular_vectors_are_those_of_the_dense_matrix(power: float) -> None:
    dice = np.random.default_rng(2)
    dense = np.where(dice.random((90, 90)) < 0.2, dice.random((90, 90)), 0)
    dense += 20 * np.outer(dice.random(90), dice.random(90)) + 5 * np.outer(dice.random(90) - 0.5, dice.random(90))
    rows, columns = np.nonzero(dense)
    found = singular_vectors(rows, columns, dense[rows, columns].astype(np.float32), 90, 2, power, 0)
    left, values, _ = np.linalg.svd(dense)
    wanted = left[:, :2] * values[:2] ** power
    np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=2e-3 * values[0] ** (2 * power))


def train(folder: Path, texts: list[str], **given: Any) -> WordVectors:
    corpus = make_corpus(folder / "corpus", texts)
    run(train_word_vectors, folder / "out", corpus=corpus, **{"dimensions": 20, "min_count": 2, "window": 2, **given})
    return WordVectors(folder / "out")


def test_words_that_stand_alike_are_near(tmp_path: Path) -> None:
    """Two words that take turns in the same places are each other's nearest."""
    words = lexicon("abdegikloru")
    texts = documents(words, 0)
    dice = np.random.default_rng(3)
    twin = words[7]
    texts = [" ".join("Zwilling" if w == twin and dice.random() < 0.5 else w for w in t.split()) for t in texts]
    table = train(tmp_path, texts, language="x").table
    assert table.is_lowercased and table.language == "x" and (np.diff(table.counts_W) <= 0).all()
    unit = table.matrix_WD / np.linalg.norm(table.matrix_WD, axis=1, keepdims=True)
    here = table.ids[twin]
    order = np.argsort(-(unit @ unit[here]))
    assert [table.words[index] for index in order[:2]] == [twin, "zwilling"]
    assert train(tmp_path / "again", texts).table.matrix_WD.tobytes() == table.matrix_WD.tobytes()


def test_words_are_cut_at_spaces_and_marks() -> None:
    split = splitter(None, lowercase=False)
    assert split("«L'été», dit-il: 3 हिन्दी।Nein!") == ["L'été", "dit-il", "3", "हिन्दी", "Nein"]
    numbered = number_words(["b a b", "c a"], splitter(None, True), min_count=2, size=9, gap=2)
    assert numbered.words == ["a", "b"] and numbered.counts_W.tolist() == [2, 2]
    assert numbered.ids_T.tolist() == [1, 0, 1, -1, -1, -1, 0, -1, -1]
    assert number_words(["b a b", "b a"], splitter(None, True), min_count=1, size=1, gap=0).words == ["b"]


def test_a_script_without_spaces_needs_a_tokenizer(tmp_path: Path) -> None:
    from tokenizers import Tokenizer as Fast
    from tokenizers import models, pre_tokenizers

    from seedbed.vocabulary.artifact import Tokenizer
    from seedbed.vocabulary.save import finish, write_folder

    texts = ["白日依山盡。黃河入海流。" * 3, "欲窮千里目。更上一層樓。" * 3]
    with pytest.raises(InputError, match="without spaces") as caught:
        train(tmp_path, texts)
    assert caught.value.key == "tokenizer"
    fast = Fast(
        models.WordLevel({"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "白": 4, "日": 5, "山": 6, "。": 7}, "<unk>")
    )
    fast.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    (tmp_path / "t").mkdir()
    write_folder(tmp_path / "t", fast, finish(fast, "decoder"))
    table = train(tmp_path / "with", texts, tokenizer=Tokenizer.open(tmp_path / "t")).table
    assert sorted(table.words) == sorted("白日山"), "neither marks nor special tokens"


@pytest.mark.parametrize(
    ("given", "key"), [({"window": 0}, "window"), ({"shift": 0.0}, "shift"), ({"min_count": 99}, "min_count")]
)
def test_what_cannot_be_trained_is_said(given: dict[str, Any], key: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        train(tmp_path, ["one two one two"], **given)
    assert caught.value.key == key
    with pytest.raises(InputError, match="no words"):
        train(tmp_path / "empty", ["...", " "])
