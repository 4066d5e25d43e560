"""Noises one by one against slow formulas, and what is written for damaged texts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_objectives_denoising import pairs_of
from train_world import MadeStream, batch_of, vocabulary

from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.denoising.pairs import texts_of
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.spans import Texts
from seedbed.objectives.noising import noises
from seedbed.objectives.noising.code_switch import CodeSwitch
from seedbed.vectors.artifact import Dictionary
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.methods.bytes import bytes_
from seedbed.vocabulary.save import finish, special_tokens, write_folder

MADE = vocabulary(sentinels=8)
END, MASK = 3, 4


def bound(**settings: Any) -> Any:
    made = objectives.create("denoising_autoencoding", **settings)
    made.bind(MADE)
    return made


def texts(rows: list[list[list[int]]], length: int = 400) -> Texts:
    return texts_of(batch_of(rows, length=length), np.asarray(MADE.special_V))


def lists(ragged: Ragged) -> list[list[int]]:
    return [part.tolist() for part in np.split(ragged.values_N, np.cumsum(ragged.lengths_S)[:-1])]


def test_masked_spans() -> None:
    noise = noises.create("mask")
    noise.bind(MADE)
    original = list(range(5, 64)) * 6
    damaged = lists(noise.damaged(texts([[original]] * 40), 3))
    for text in damaged:
        # between masks stands what stood there, in order
        kept = [token for token in text if token != MASK]
        assert len(kept) == len(original) - np.ceil(0.35 * len(original))
        rest = iter(original)
        assert all(token in rest for token in kept)
    masks = np.mean([text.count(MASK) for text in damaged])
    assert masks == pytest.approx(0.35 * len(original) * (1 - np.exp(-3.5)) / 3.5, rel=0.04)


def test_words_move_a_little_and_stay_whole() -> None:
    noise = noises.create("reorder", distance=3)
    noise.bind(MADE)
    whole = [[6, 7, 8], [9, 10], [12], [15, 16, 17], [18], [21, 22], [24], [27, 28]]  # a token of 3 n begins a word
    whole[0] = [7, 8]  # a text's first word need not
    made = texts([[[token for word in whole for token in word]]] * 2000, length=16)
    moves = Counter[int]()
    for text in lists(noise.damaged(made, 1)):
        order, place = [], 0
        while place < len(text):
            word = next(word for word in whole if text[place : place + len(word)] == word)
            order.append(whole.index(word))
            place += len(word)
        assert sorted(order) == list(range(8))
        moves.update(abs(place - number) for place, number in enumerate(order))
    assert set(moves) == {0, 1, 2, 3}
    # the slow way
    random_ = np.random.default_rng(0)
    slow = Counter[int]()
    for _ in range(2000):
        order = np.argsort(np.arange(8) + random_.uniform(0, 4, 8))
        slow.update(np.abs(np.arange(8) - order).tolist())
    assert all(abs(moves[move] - slow[move]) < 0.02 * 16000 for move in range(4))


def test_replaced_tokens_are_of_the_row() -> None:
    noise = noises.create("replace", rate=0.5)
    rows = [[[5] * 60 + [6] * 20, [7] * 20], [[8] * 50, [9] * 50]] * 100
    made = texts(rows, length=100)
    damaged = noise.damaged(made, 4)
    row_N = made.row_S[damaged.sequence_N]
    for parity, shares in ((0, {5: 0.6, 6: 0.2, 7: 0.2}), (1, {8: 0.5, 9: 0.5})):
        here_N = row_N % 2 == parity
        was_N, now_N = made.tokens.values_N[here_N], damaged.values_N[here_N]
        for old in shares:
            for new, share in shares.items():
                found = (now_N[was_N == old] == new).mean()
                assert found == pytest.approx(0.5 * share + 0.5 * (old == new), abs=0.03)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    made = bytes_([], 380, special_tokens("seq2seq", []))
    write_folder(folder, made, finish(made, "seq2seq", []))
    return Tokenizer.open(folder)


@pytest.fixture(scope="module")
def dictionary(tmp_path_factory: pytest.TempPathFactory) -> Dictionary:
    folder: Path = tmp_path_factory.mktemp("dictionary")
    (folder / "train.tsv").write_text("cat\tkoshka\ncat\tmaka\nsat\tas\ndog's\tperro\n")
    (folder / "test.tsv").write_text("on\tnope\n")
    return Dictionary(folder)


def switched(noise: Any, tokenizer: Tokenizer, sentences: list[str], seed: int = 0) -> list[str]:
    noise.bind(tokenizer.vocabulary())
    loaded = tokenizer.load()
    rows = [[loaded.encode(sentence, add_special_tokens=False).ids] for sentence in sentences]
    special_V = np.asarray(tokenizer.vocabulary().special_V)
    return [loaded.decode(row) for row in lists(noise.damaged(texts_of(batch_of(rows, length=80), special_V), seed))]


def test_words_become_their_translations(tokenizer: Tokenizer, dictionary: Dictionary) -> None:
    given: dict[str, Any] = {"dictionary": dictionary, "tokenizer": tokenizer}
    always = CodeSwitch(**given, rate=1.0)
    sentences = ["cat sat on catnip. The Cat!", "koshka, as-as: (cat)", "no", "sat"]
    found = switched(always, tokenizer, sentences * 30)
    one_way = CodeSwitch(**given, rate=1.0, both=False)
    for number, text in enumerate(found):
        plain = text.replace("koshka", "maka").replace("Koshka", "Maka")
        assert plain == ["maka as on catnip. The Maka!", "cat, sat-sat: (maka)", "no", "as"][number % 4]
    assert {text[:3] for text in found[::4]} == {"kos", "mak"}, "each of two translations"
    assert switched(one_way, tokenizer, ["koshka as sat"]) == ["koshka as as"]
    never = CodeSwitch(**given, rate=0.0)
    assert switched(never, tokenizer, sentences) == sentences
    some = CodeSwitch(**given, rate=0.3)
    counted = " ".join(switched(some, tokenizer, ["sat " * 15] * 200)).split()
    assert counted.count("as") / len(counted) == pytest.approx(0.3, abs=0.03)
    with pytest.raises(InputError, match="not the tokenizer of the run"):
        some.bind(MADE)


@pytest.mark.parametrize("network", ["encoder-decoder", "prefix"])
def test_the_whole_text_is_written(network: str) -> None:
    batch = MadeStream(1).next(20)
    noise = [{"reorder": {"distance": 2.0}}, {"mask": {"rate": 0.3}}]
    found = pairs_of(bound(noise=noise, network=network).corrupt(batch, seed=2, progress=0.0))
    originals = [
        row[(seg == n) & (row >= 5)].tolist()
        for row, seg in zip(batch.tokens_BL, batch.segments_BL, strict=True)
        for n in range(2)
    ]
    originals = [text for text in originals if text]
    assert [target for _, target in found] == [[*text, END] for text in originals]
    for (source, _), text in zip(found, originals, strict=True):
        assert source[-1] == END
        assert not Counter(token for token in source[:-1] if token != MASK) - Counter(text)
    kept = [[token for token in source if token > MASK] for source, _ in found]
    assert any(part != [token for token in text if token in part] for part, text in zip(kept, originals, strict=True))
    assert sum(map(len, kept)) < 0.8 * sum(map(len, originals))


def translated(**settings: Any) -> Any:
    """Of rows with a text and its translation, with a text alone, and with a mark between."""
    batch = batch_of([[[2, 5, 6, 7, 3, 15, 16, 3]], [[8, 9]], [[10, 11, 12]]])
    batch.pieces_N6 = np.array(
        [[0, 0, 5, 0, 0, 0], [0, 5, 3, 1, 0, 0], [1, 0, 2, 0, 1, 0], [2, 0, 1, 1, 2, 0], [2, 1, 2, 0, 2, 0]]
    )
    return pairs_of(bound(**settings).corrupt(batch, seed=0, progress=0.0))


def test_translations_are_written_where_there_are_some() -> None:
    assert translated(noise=[], write="translation") == [([5, 6, 7, END], [15, 16, END]), ([10, END], [11, 12, END])]
    own = [[5, 6, 7], [15, 16], [8, 9], [10], [11, 12]]
    assert translated(noise=[]) == [([*text, END], [*text, END]) for text in own]
    ((source, target), _) = translated(noise=["mask"], write="translation", mode="t20")
    assert source[0] == 20 and source.count(MASK) == 1 and target == [15, 16, END]


def test_texts_of_one_source_are_no_translations() -> None:
    batch = batch_of([[[5, 6, 7, 8]]])
    batch.pieces_N6 = np.array([[0, 0, 2, 0, 0, 0], [0, 2, 2, 0, 1, 0]])
    with pytest.raises(InputError, match="sampler: parallel"):
        bound(write="translation").corrupt(batch, seed=0, progress=0.0)
