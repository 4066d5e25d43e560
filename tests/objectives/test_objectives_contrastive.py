"""Contrasts against slow formulas; views, dropout and pooling against their definitions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from train_world import SPECIALS, MadeStream, batch_of, network_of, vocabulary

from seedbed.core.errors import InputError
from seedbed.data.artifact import TokenFile
from seedbed.data.batch import Batch
from seedbed.models.dropout import Dropout, kept
from seedbed.objectives import objectives
from seedbed.objectives.contrasting import Vectors, contrasts
from seedbed.objectives.contrasting.multi_similarity import tree_distance

CLS, SEP, MASK = 2, 3, 4


def contrastive(network: Any = None, **parameters: Any) -> Any:
    objective = objectives.create("contrastive", **parameters)
    objective.bind(vocabulary())
    if network is not None:
        objective.prepare(network, 5)
    return objective


def made_vectors(fields: dict[str, Any] | None = None) -> Vectors:
    """Two rows of up to six vectors in three groups; the second row has four."""
    states = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
    valid = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    group = torch.tensor([[0, 1, 2, 0, 1, 2], [7, 7, 8, 9, 7, 7]])
    return Vectors(states, valid, group, fields or {})


def rows_of(vectors: Vectors) -> list[tuple[np.ndarray, list[int]]]:
    """Of each row its own vectors, and their groups."""
    found = []
    for states, valid, group in zip(vectors.states_BND, vectors.valid_BN, vectors.group_BN, strict=True):
        found.append((states[valid].detach().double().numpy(), group[valid].tolist()))
    return found


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / math.sqrt((one @ one) * (other @ other)))


def test_infonce_equals_a_slow_formula() -> None:
    vectors = made_vectors()
    loss = contrasts.create("infonce", temperature=0.3).loss(vectors)
    expected, count, right = 0.0, 0, 0
    for states, group in rows_of(vectors):
        for i in range(len(states)):
            others = [cosine(states[i], states[n]) for n in range(len(states)) if group[n] != group[i]]
            for p in range(len(states)):
                if p != i and group[p] == group[i]:
                    own = cosine(states[i], states[p])
                    total = math.exp(own / 0.3) + sum(math.exp(other / 0.3) for other in others)
                    expected, count, right = (
                        expected - math.log(math.exp(own / 0.3) / total),
                        count + 1,
                        right + (own > max(others)),
                    )
    assert (loss.count, int(loss.sums["accuracy"])) == (count, right)
    assert float(loss.sum.detach()) == pytest.approx(expected, rel=1e-5)


def slow_level(states: np.ndarray, near: list[list[bool]], margin: float, mining: float) -> tuple[float, int]:
    """Multi-similarity of one level of a row, with alpha 2 and beta 10."""
    total, count, size = 0.0, 0, len(states)
    for i in range(size):
        positive = [cosine(states[i], states[p]) for p in range(size) if p != i and near[i][p]]
        negative = [cosine(states[i], states[n]) for n in range(size) if n != i and not near[i][n]]
        if not positive or not negative:
            continue
        hard_p = [s for s in positive if not mining or s - mining < max(negative)]
        hard_n = [s for s in negative if not mining or s + mining > min(positive)]
        total += math.log(1 + sum(math.exp(-2 * (s - margin)) for s in hard_p)) / 2
        total += math.log(1 + sum(math.exp(10 * (s - margin)) for s in hard_n)) / 10
        count += 1
    return total, count


@pytest.mark.parametrize("mining", [0.0, 0.1])
def test_multi_similarity_equals_a_slow_formula(mining: float) -> None:
    vectors = made_vectors()
    loss = contrasts.create("multi_similarity", beta=10.0, margins=[0.4], mining=mining).loss(vectors)
    slow = [slow_level(s, [[a == b for b in group] for a in group], 0.4, mining) for s, group in rows_of(vectors)]
    assert float(loss.sum.detach()) == pytest.approx(sum(part[0] for part in slow), rel=1e-5)
    assert loss.count == sum(part[1] for part in slow)


def test_levels_of_a_hierarchy_equal_a_slow_formula() -> None:
    paths = [[(0,), (0, 1), (0, 1, 2), (0,), (0, 1, 3), (0, 4)], [(0, 4), (0, 4), (0,), (0, 1), (0,), (0,)]]
    numbers = {path: 10 + number for number, path in enumerate(sorted({p for row in paths for p in row}))}
    codes = torch.full((2, 6, 3), -1)
    for b, row in enumerate(paths):
        for n, path in enumerate(row):
            for level in range(len(path)):
                codes[b, n, level] = numbers[path[: level + 1]]
    vectors = made_vectors({"path": codes})
    given = {"path": "metadata.path", "levels": [0, 2], "margins": [0.6, 0.2], "beta": 10.0, "mining": 0.0}
    loss = contrasts.create("multi_similarity", **given).loss(vectors)
    total, count = 0.0, 0
    for b, (states, group) in enumerate(rows_of(vectors)):
        for level, margin in ((0, 0.6), (2, 0.2)):
            near = []
            for i in range(len(states)):
                row = []
                for j in range(len(states)):
                    one, other = set(range(len(paths[b][i]))), paths[b][j]
                    common = sum(paths[b][i][k] == other[k] for k in one if k < len(other))  # nodes have one parent
                    far = len(paths[b][i]) + len(other) - 2 * common
                    assert int(tree_distance(codes)[b, i, j]) == far
                    row.append(group[i] == group[j] or far <= level)
                near.append(row)
            part = slow_level(states, near, margin, 0.0)
            total, count = total + part[0], count + part[1]
    assert float(loss.sum.detach()) == pytest.approx(total, rel=1e-5) and loss.count == count
    assert set(loss.parts) == {"level_0", "level_2"}


def test_triplets_equal_a_slow_formula() -> None:
    sides = torch.tensor([[1, 1, 2, 2, -1, 2], [1, 2, 1, 1, 1, 1]])
    vectors = made_vectors({"side": sides})
    vectors.group_BN = torch.tensor([[0, 0, 0, 0, 0, 1], [3, 3, 3, 4, 4, 4]])
    loss = contrasts.create("triplet", margin=0.7, side="metadata.side", side_weight=0.5).loss(vectors)
    expected, count = {"story": 0.0, "side": 0.0}, {"story": 0, "side": 0}
    for b, (states, group) in enumerate(rows_of(vectors)):
        side = sides[b].tolist()
        for a in range(len(states)):
            for p in range(len(states)):
                for n in range(len(states)):
                    own = max(0.0, math.dist(states[a], states[p]) - math.dist(states[a], states[n]) + 0.7)
                    if a in (p, n) or group[p] != group[a]:
                        continue
                    if group[n] != group[a]:
                        expected["story"], count["story"] = expected["story"] + own, count["story"] + 1
                    elif min(side[a], side[p], side[n]) > 0 and side[p] == side[a] != side[n]:
                        expected["side"], count["side"] = expected["side"] + own, count["side"] + 1
    assert float(loss.sum.detach()) == pytest.approx(expected["story"] + 0.5 * expected["side"], rel=1e-5)
    for name, value in expected.items():
        assert count[name] > 0 and loss.parts[name].count == count[name]
        assert float(loss.parts[name].sum) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("name", contrasts.names())
def test_contrasts_of_nothing_are_zero_with_gradients_of_zeros(name: str) -> None:
    states = torch.zeros(2, 3, 4, requires_grad=True)
    valid = torch.tensor([[False] * 3, [True, False, False]])
    loss = contrasts.create(name).loss(Vectors(states, valid, torch.full((2, 3), -1), {}))
    loss.sum.backward()
    assert (float(loss.sum.detach()), loss.count) == (0.0, 0)
    assert states.grad is not None and not states.grad.any()


@pytest.mark.parametrize("name", contrasts.names())
def test_losses_of_parts_of_a_batch_add_up(name: str) -> None:
    """Whichever rows go through the network together, each by its own dropout."""
    network = network_of("bidirectional", 3)
    objective, batch = contrastive(network, contrast=name, span=1, spare=3, dropout=0.2), MadeStream(7).next(6)

    def loss(rows: slice) -> Any:
        return objective.loss(network, objective.corrupt(batch.select(rows), seed=0, progress=0.5).to("cpu"))

    with torch.no_grad():
        whole, parts = loss(slice(0, 6)), [loss(slice(0, 1)), loss(slice(1, 4)), loss(slice(4, 6))]
    assert sum(part.count for part in parts) == whole.count > 0
    assert sum(float(part.sum) for part in parts) == pytest.approx(float(whole.sum), rel=1e-5)


def test_dropout_is_a_function_of_counters() -> None:
    seeds = torch.tensor([[5, 123456789], [2**31 - 1, 0]])

    def mixed(value: int) -> int:
        value = (value ^ value >> 16) * 0x85EBCA6B % 2**32
        value = (value ^ value >> 13) * 0xC2B2AE35 % 2**32
        return value ^ value >> 16

    for site in (0, 3):
        found = kept(seeds, site, 8, 0.3)
        for (row, column, channel), stays in np.ndenumerate(found.numpy()):
            token = mixed(int(seeds[row, column]) ^ site * 0x9E3779B9 % 2**32)
            low = mixed(token ^ channel * 0x9E3779B9 % 2**32) % 2**24
            assert stays == (low >= round(0.3 * 2**24))
    many = kept(torch.arange(400).view(4, 100), 2, 256, 0.1).float()
    spread = math.sqrt(0.09 / many.numel())
    assert abs(float(many.mean()) - 0.9) < 4 * spread
    assert float((many[0, :50] * many[0, 50:]).mean()) == pytest.approx(0.81, abs=0.02), "tokens are independent"


def test_dropout_is_there_only_while_it_is_wanted() -> None:
    network, batch = network_of("bidirectional", 3), MadeStream(1).next(3)
    given = [torch.from_numpy(array) for array in (batch.tokens_BL, batch.segments_BL, batch.positions_BL)]
    with torch.no_grad():
        plain = network.hidden(*given)
        dropout = Dropout(network, 0.2)
        seeds = torch.arange(given[0].numel()).view_as(given[0])
        with dropout.drawn(seeds):
            one, again = network.hidden(*given), network.hidden(*given)
        with dropout.drawn(seeds + 1):
            other = network.hidden(*given)
        assert torch.equal(network.hidden(*given), plain)
        assert torch.equal(one, again) and not torch.equal(one, other) and not torch.equal(one, plain)
        dropout.remove()
        with dropout.drawn(seeds):
            assert torch.equal(network.hidden(*given), plain)


def test_second_views_have_a_span_masked() -> None:
    long, short = [CLS, *range(10, 18), SEP], [CLS, 20, 21, 22, SEP]
    batch = batch_of([[long, short]] * 200, 16)
    found = contrastive(span=2, spare=8).corrupt(batch, seed=1, progress=0.5)
    first, second = np.split(found.tokens_BL, 2)
    assert np.array_equal(first, batch.tokens_BL)
    starts = []
    for row in second:
        where = np.flatnonzero(row == MASK)
        assert len(where) == 2 and where[1] == where[0] + 1 and 1 <= where[0] <= 7
        assert np.array_equal(np.delete(row, where), np.delete(batch.tokens_BL[0], where))
        starts.append(int(where[0]))
    counts = np.bincount(starts)[1:]
    assert len(counts) == 7 and ((counts - 200 / 7) ** 2 / (200 / 7)).sum() < 28  # 6 degrees of freedom: p = 1e-4


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_vectors_of_texts_and_their_loss(pooling: str) -> None:
    """What the network gives for each text, with the contrast over the row's texts."""
    network = network_of("bidirectional", 3)
    objective = contrastive(network, pooling=pooling, dropout=0.0, span=1, spare=2)
    batch = batch_of([[[CLS, 10, 11], [CLS], [CLS, 12], [CLS, 10, 13, 14]], [[CLS, 20, 21]]])
    examples = objective.corrupt(batch, seed=0, progress=0.5).to("cpu")
    loss = objective.loss(network, examples)
    assert examples.num_targets == 3, "three texts with others beside them"
    vectors = []
    with torch.no_grad():
        for view in (0, 2):
            hidden = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)[view].double()
            for start, stop in ((0, 3), (4, 6), (6, 10)):
                vectors.append((hidden[start:stop].mean(0) if pooling == "mean" else hidden[start]).numpy())
    expected = 0.0
    for i in range(6):
        scores = [math.exp(cosine(vectors[i], vectors[j]) / 0.05) for j in range(6)]
        own = (i + 3) % 6
        expected -= math.log(scores[own] / sum(scores[j] for j in range(6) if j != i))
    assert loss.count == 6 and float(loss.sum.detach()) == pytest.approx(expected, rel=1e-4)


def with_metadata(batch: Batch, rows: list[dict[str, Any]]) -> Batch:
    """The batch, its pieces the documents of a file in order."""
    sizes = np.ones(len(rows), np.int64)
    file = TokenFile(np.zeros(len(rows), np.uint16), sizes, sizes, sizes, [""] * len(rows), metadata=rows)
    pieces = batch.pieces_N6.copy()
    pieces[:, 4] = np.arange(len(rows))
    return replace(batch, pieces_N6=pieces, files=(file,))


def test_groups_and_fields_come_from_the_corpus() -> None:
    batch = batch_of([[[10, 11], [12], [13, 14]], [[15], [16]]])
    rows = [{"c": "a", "p": [1]}, {"c": 7, "p": [1, 2]}, {"c": "a"}, {"p": [3, 2]}, {"c": "a", "p": [1, 2]}]
    contrast = {"multi_similarity": {"path": "metadata.p", "levels": [0, 1], "margins": [0.5, 0.2]}}
    objective = contrastive(group="metadata.c", contrast=contrast)
    found = objective.corrupt(with_metadata(batch, rows), seed=0, progress=0.5)
    group = found.group_BS
    assert group[0, 0] == group[0, 2] == group[1, 1] != group[0, 1] and group[1, 2] == -1
    assert len({*group[0].tolist(), *group[1].tolist()}) == 4, "a, 7, one that has none, and no text"
    path = found.fields["path"]
    assert path.shape == (2, 3, 2) and path[0, 0, 0] == path[0, 1, 0] == path[1, 1, 0] != path[1, 0, 0]
    assert path[0, 1, 1] == path[1, 1, 1] != path[1, 0, 1] and path[0, 0, 1] == -1 and (path[0, 2] == -1).all()
    part = objective.corrupt(with_metadata(batch, rows).select(np.array([1])), seed=0, progress=0.5)
    assert np.array_equal(part.group_BS, group[1:, :2]) and np.array_equal(part.fields["path"], path[1:, :2])
    with pytest.raises(InputError, match="is a list"):
        contrastive(group="metadata.p").corrupt(with_metadata(batch, rows), seed=0, progress=0.5)
    with pytest.raises(InputError, match="no document has this field"):
        contrastive(group="metadata.q").corrupt(with_metadata(batch, rows), seed=0, progress=0.5)


def test_training_tells_texts_apart_and_leaves_the_head() -> None:
    network = network_of("bidirectional", 0)
    before = {name: value.clone() for name, value in network.named_parameters() if name.startswith(("head", "output"))}
    objective = contrastive(network, span=1, spare=3, dropout=0.1)
    assert before and not any(name in before for name, _ in network.named_parameters())
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    draw, losses = np.random.default_rng(0), []
    for step in range(12):
        rows = [[draw.integers(SPECIALS, 64, 4).tolist() for _ in range(4)] for _ in range(8)]
        loss = objective.loss(network, objective.corrupt(batch_of(rows), seed=step, progress=0.5).to("cpu"))
        (loss.sum / loss.count).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.sum.detach()) / loss.count)
    assert np.mean(losses[-3:]) < 0.7 * losses[0]
    objective.export(network)
    assert all(torch.equal(dict(network.named_parameters())[name], value) for name, value in before.items())


def test_errors() -> None:
    for parameters, message in (
        ({"views": 3}, "1 or 2"),
        ({"views": 1}, "leave nothing"),
        ({"group": "concept"}, "not a field"),
        ({"dropout": 1.0}, "below 1"),
        ({"span": 8}, "below `spare`"),
        ({"span": 2, "views": 1, "group": "metadata.c"}, "for two views"),
        ({"contrast": {"infonce": {"temperature": 0.0}}}, "above 0"),
        ({"contrast": {"multi_similarity": {"levels": [2, 0]}}}, "ascending"),
        ({"contrast": {"multi_similarity": {"levels": [0, 2], "margins": [0.5, 0.1]}}}, "want a path"),
        ({"contrast": {"multi_similarity": {"margins": [2.0]}}}, "cosines"),
        ({"contrast": {"triplet": {"margin": 0.0}}}, "above 0"),
    ):
        with pytest.raises(InputError, match=message):
            contrastive(**parameters)
    joined = batch_of([[[10, 11], [12, 13]]])
    joined.segments_BL = np.minimum(joined.segments_BL, 0)
    with pytest.raises(InputError, match="see each other"):
        contrastive().corrupt(with_metadata(joined, [{}, {}]), seed=0, progress=0.5)
    with pytest.raises(InputError, match="come from no corpus"):
        contrastive(group="metadata.c").corrupt(MadeStream(0).next(2), seed=0, progress=0.5)
