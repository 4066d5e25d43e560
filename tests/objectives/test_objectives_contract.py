"""What every registered objective must do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from train_world import SIZE, MadeStream, batch_of, make_run, vocabulary

from seedbed.core.errors import InputError
from seedbed.data.batch import Batch
from seedbed.objectives import Examples, objectives

NAMES = objectives.names()
NETWORKS: dict[str, Any] = {}


def bound(name: str) -> Any:
    objective = objectives.create(name)
    objective.bind(vocabulary())
    return objective


def network_for(name: str) -> Any:
    if name not in NETWORKS:
        NETWORKS[name] = make_run(name).network
    return NETWORKS[name]


def same(one: Examples, other: Examples) -> bool:
    return all(
        (a is None) == (b is None) and (a is None or np.array_equal(a, b))
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


@pytest.mark.parametrize("name", NAMES)
def test_corruption_is_a_pure_function(name: str) -> None:
    batch = MadeStream(1).next(6)
    before = batch.tokens_BL.copy()
    first = bound(name).corrupt(batch, seed=5, progress=0.3)
    objective = bound(name)
    objective.corrupt(MadeStream(2).next(9), seed=1, progress=0.9)  # what was asked before does not matter
    assert same(first, objective.corrupt(batch, seed=5, progress=0.3))
    assert np.array_equal(batch.tokens_BL, before)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 11), st.integers(0, 12), st.integers(0, 1000))
def test_corruption_does_not_depend_on_the_grouping_of_rows(name: str, start: int, height: int, seed: int) -> None:
    batch, objective = MadeStream(seed).next(12), bound(name)
    length = batch.tokens_BL.shape[1]
    whole = objective.corrupt(batch, seed=seed, progress=0.5)
    part = objective.corrupt(batch.select(slice(start, start + height)), seed=seed, progress=0.5)
    rows = slice(start, min(12, start + height))
    inside = (whole.where_T >= rows.start * length) & (whole.where_T < rows.stop * length)
    assert np.array_equal(part.tokens_BL, whole.tokens_BL[rows])
    assert np.array_equal(part.where_T, whole.where_T[inside] - rows.start * length)
    assert np.array_equal(part.targets_T, whole.targets_T[inside])


@pytest.mark.parametrize("name", NAMES)
def test_other_seeds_and_rows_do_not_repeat_each_other(name: str) -> None:
    """Rows with the same tokens are corrupted differently, unless nothing is random in the objective."""
    objective = bound(name)
    tokens = [[list(range(5, 21))]] * 40
    one = objective.corrupt(batch_of(tokens), seed=1, progress=0.5)
    other = objective.corrupt(batch_of(tokens), seed=2, progress=0.5)
    is_random = not np.array_equal(one.tokens_BL, batch_of(tokens).tokens_BL)
    assert is_random == (name != "clm")
    if is_random:
        assert not np.array_equal(one.tokens_BL, other.tokens_BL)
        assert len(np.unique(one.tokens_BL, axis=0)) > 30


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_well_formed(name: str) -> None:
    batch = MadeStream(4).next(20)
    examples = bound(name).corrupt(batch, seed=0, progress=0.0)
    assert examples.tokens_BL.dtype == np.int64
    assert len(examples.where_T) == len(examples.targets_T) == len(np.unique(examples.where_T))
    assert (np.diff(examples.where_T) > 0).all()
    assert (batch.segments_BL.ravel()[examples.where_T] >= 0).all(), "a target on padding"
    assert examples.targets_T.min() >= 0 and examples.targets_T.max() < SIZE
    padding = batch.segments_BL < 0
    assert np.array_equal(examples.tokens_BL[padding], batch.tokens_BL[padding])
    moved = examples.to("cpu")
    assert moved.tokens_BL.dtype == moved.where_T.dtype == torch.int64
    assert moved.num_targets == examples.num_targets


@pytest.mark.parametrize("name", NAMES)
def test_loss_equals_a_slow_formula_and_adds_up(name: str) -> None:
    objective, network, batch = bound(name), network_for(name), MadeStream(7).next(6)
    examples = objective.corrupt(batch, seed=0, progress=0.5).to("cpu")
    loss = objective.loss(network, examples)
    with torch.no_grad():
        hidden = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)
        log_p = network.logits(hidden.flatten(0, 1)).double().log_softmax(-1)
    expected = -sum(float(log_p[w, t]) for w, t in zip(examples.where_T, examples.targets_T, strict=True))
    assert float(loss.sum.detach()) == pytest.approx(expected, rel=1e-5)
    correct = sum(int(log_p[w].argmax()) == int(t) for w, t in zip(examples.where_T, examples.targets_T, strict=True))
    assert float(loss.sums["accuracy"]) == correct
    assert loss.count == len(examples.where_T)
    parts = [
        objective.loss(network, objective.corrupt(batch.select(rows), seed=0, progress=0.5).to("cpu"))
        for rows in (slice(0, 1), slice(1, 4), slice(4, 6))
    ]
    assert sum(part.count for part in parts) == loss.count
    assert sum(float(part.sum.detach()) for part in parts) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bf16", [False, True])
def test_gradient_reaches_every_parameter(name: str, bf16: bool) -> None:
    objective, network = bound(name), network_for(name)
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        loss = objective.loss(network, objective.corrupt(MadeStream(0).next(32), seed=0, progress=0.5).to("cpu"))
    assert loss.sum.dtype == torch.float32
    loss.sum.backward()
    for parameter_name, parameter in network.named_parameters():
        if "type_embedding" in parameter_name:
            continue
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name
        assert parameter.grad.dtype == parameter.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "batch",
    [batch_of([[]]), batch_of([[[2]]]), batch_of([[[2, 3]], [[3]]]), MadeStream(0).next(3).select(slice(0, 0))],
    ids=["padding", "one special token", "special tokens", "no row"],
)
def test_nothing_to_learn_is_no_special_case(name: str, batch: Batch) -> None:
    """No targets but for clm, which may predict one special token from another: a loss of zero, a gradient of zeros."""
    objective, network = bound(name), network_for(name)
    examples = objective.corrupt(batch, seed=0, progress=0.5)
    if name == "clm" and examples.num_targets:
        assert examples.num_targets == 1
        return
    assert examples.num_targets == 0
    if not len(batch.rows_B):
        return
    network.zero_grad(set_to_none=True)
    loss = objective.loss(network, examples.to("cpu"))
    loss.sum.backward()
    assert (float(loss.sum.detach()), loss.count, float(loss.sums["accuracy"])) == (0.0, 0, 0.0)
    assert all(p.grad is None or not p.grad.abs().any() for p in network.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_unknown_parameters_are_named(name: str) -> None:
    with pytest.raises(InputError, match="unknown key 'rato'"):
        objectives.create(name, rato=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_plain_rows_need_no_mask(name: str) -> None:
    plain = bound(name).corrupt(batch_of([[list(range(5, 21))]]), seed=0, progress=0.5)
    assert plain.segments_BL is None
    packed = bound(name).corrupt(batch_of([[[5, 6], [7]]]), seed=0, progress=0.5)
    assert packed.segments_BL is not None
