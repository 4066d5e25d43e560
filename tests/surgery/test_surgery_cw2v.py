"""CW2V: mixtures and loss against slow formulas, which pairs are drawn, and that the mixtures learn."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from made_vocabularies import change, made_texts, make_change, make_corpus, make_model, make_tokenizer

from seedbed.core.errors import InputError
from seedbed.surgery.initializers.cw2v import CW2V, Hull, skip_gram_loss

OLD = made_texts()
NEW = made_texts(1, letters="acefhijlprtuvö")


def hull(rank: int = 3, seed: int = 0) -> Hull:
    """Five tokens over four old ones: 0 and 3 are copies of 2 and 0."""
    old = torch.from_numpy(np.random.default_rng(seed).standard_normal((4, 6)).astype(np.float32))
    return Hull(old, np.array([2, -1, -1, 0, -1]), rank, seed)


def slow_row(table: Hull, token: int) -> np.ndarray:
    if table.same_N[token] >= 0:
        return np.asarray(table.old_VD[table.same_N[token]])
    first, second = (part.detach().numpy().astype(float) for part in table.parameters)
    scores = first[[1, 2, 4].index(token)] @ second
    chances = [math.exp(score) / sum(math.exp(other) for other in scores) for score in scores]
    return np.asarray(np.asarray(chances) @ table.old_VD.numpy())


def test_rows_are_copies_or_mixtures() -> None:
    table = hull()
    rows = table.rows(torch.tensor([[4, 0, 1], [4, 3, 2]]))
    for place, token in ((0, 0), 4), ((0, 1), 0), ((0, 2), 1), ((1, 0), 4), ((1, 1), 3), ((1, 2), 2):
        np.testing.assert_allclose(rows[place].detach().numpy(), slow_row(table, token), atol=1e-6)
    whole = table.all_rows()
    assert torch.equal(whole[[0, 3]], table.old_VD[[2, 0]])
    rows.sum().backward()  # type: ignore[no-untyped-call]
    assert all(part.grad is not None and bool(part.grad.abs().sum() > 0) for part in table.parameters)
    everything = Hull(table.old_VD, np.array([3, 1]), 2, 0)
    assert torch.equal(everything.all_rows(), table.old_VD[[3, 1]]), "nothing new is no error"


def test_the_loss_is_that_of_skip_gram() -> None:
    center, context = hull(), hull(seed=1)
    centers, contexts, negatives = (
        torch.tensor([1, 0, 4]),
        torch.tensor([3, 2, 4]),
        torch.tensor([[0, 1], [2, 3], [4, 4]]),
    )

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    wanted = 0.0
    for c, o, ns in zip(centers.tolist(), contexts.tolist(), negatives.tolist(), strict=True):
        wanted -= math.log(sigmoid(float(slow_row(center, c) @ slow_row(context, o))))
        wanted -= sum(math.log(sigmoid(-float(slow_row(center, c) @ slow_row(context, n)))) for n in ns)
    assert skip_gram_loss(center, context, centers, contexts, negatives).item() == pytest.approx(wanted / 3, rel=1e-5)


def test_pairs_stay_in_their_window_and_text(tmp_path: Path) -> None:
    ids = np.array([0, 0, 0, 0, 1, -1, -1, -1, 2, 3, 2, 1, -1, -1, -1])
    near = {(int(ids[i]), int(ids[j])) for i in range(15) for j in range(15) if 0 < abs(i - j) <= 2}
    made = CW2V(make_corpus(tmp_path / "c", OLD), steps=40, batch=200, window=2, negatives=3)
    parts = [np.concatenate([part.numpy() for part in parts]) for parts in zip(*made._pairs(ids, 5, 0), strict=True)]
    centers, contexts, negatives = parts
    assert set(zip(centers.tolist(), contexts.tolist(), strict=True)) == {pair for pair in near if min(pair) >= 0}
    # Negatives are drawn by counts to 0.75, centers by the root of their count.
    negative = np.bincount(negatives.ravel(), minlength=5) / negatives.size
    smoothed = np.array([4, 2, 2, 1, 0]) ** 0.75
    np.testing.assert_allclose(negative, smoothed / smoothed.sum(), atol=0.02)
    long = np.tile([0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 50)
    drawn = np.concatenate([c.numpy() for c, _, _ in made._pairs(long, 2, 0)])
    assert (drawn == 1).mean() == pytest.approx(math.sqrt(50) / (math.sqrt(50) + math.sqrt(450)), abs=0.02)
    again = [np.concatenate([part.numpy() for part in parts]) for parts in zip(*made._pairs(ids, 5, 0), strict=True)]
    assert all((one == other).all() for one, other in zip(parts, again, strict=True))


@pytest.mark.parametrize("tied", [True, False])
def test_mixtures_learn_and_stay_in_the_hull(tied: bool, tmp_path: Path) -> None:
    old, new = make_tokenizer(tmp_path / "old", "bpe", OLD), make_tokenizer(tmp_path / "new", "bpe", NEW)
    model = make_model(tmp_path / "model", "decoder", old, tied=tied)
    made = make_change(model, new)
    method = CW2V(make_corpus(tmp_path / "c", NEW), steps=40, batch=128, rank=8, lr=0.01)
    told: list[str] = []
    object.__setattr__(made, "say", told.append)
    found = method.initialize(made)
    assert found.keys() == made.embeddings.keys()
    first, last = (float(part) for part in re.findall(r"\d\.\d{4}", told[-1]))
    assert last < first
    for name, rows in found.items():
        old_VD = made.embeddings[name]
        copied = made.same_N >= 0
        assert copied.any() and torch.equal(rows[copied], old_VD[made.same_N[copied]])
        assert bool((rows <= old_VD.amax(0) + 1e-5).all() and (rows >= old_VD.amin(0) - 1e-5).all())
        mixed = rows[~copied]
        assert len(torch.unique(mixed, dim=0)) == len(mixed), "each has a place of its own"
    network = change(model, new, tmp_path / "changed", method).network()
    plain = torch.from_numpy(~new.vocabulary().special_V)
    assert torch.equal(network.embedding.weight[plain], found["input"][plain])


def test_a_corpus_of_nothing_is_an_error(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path / "old", "bpe", OLD)
    made = make_change(make_model(tmp_path / "model", "decoder", tokenizer), tokenizer)
    with pytest.raises(InputError, match="fewer than two tokens"):
        CW2V(make_corpus(tmp_path / "c", ["", ""])).initialize(made)
    with pytest.raises(InputError, match="rank"):
        CW2V(make_corpus(tmp_path / "d", OLD), rank=0)
