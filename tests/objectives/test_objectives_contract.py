"""What every registered objective must do."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from train_world import (
    REQUIRED,
    SIZE,
    MadeStream,
    batch_of,
    make_run,
    objective_of,
    plain_objectives,
    stream_for,
    vocabulary_for,
)

from seedbed.core.errors import InputError
from seedbed.data.batch import Batch
from seedbed.objectives import Loss, objectives

NAMES = objectives.names()
PLAIN = plain_objectives()
DRAWS_NOTHING = {
    "clm",
    "multi_token",
    "back_translation",
    "unlikelihood_lm",
    "reward_weighted_lm",
    "advantage_weighted_lm",
    "gap_sentences",
    "cross_document_qa",
}
NETWORKS: dict[str, Any] = {}


def bound(name: str) -> Any:
    objective = objective_of(name)
    objective.bind(vocabulary_for(objective.attention))
    return objective


def network_for(name: str) -> Any:
    if name not in NETWORKS:
        NETWORKS[name] = make_run(name).network
    return NETWORKS[name]


def arrays(value: Any) -> list[np.ndarray]:
    """All of what an objective has made, in order."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, list):
        return [array for part in value for array in arrays(part)]
    if is_dataclass(value):
        return [array for known in fields(value) for array in arrays(getattr(value, known.name))]
    return []


def same(one: Any, other: Any) -> bool:
    pairs = list(zip(arrays(one), arrays(other), strict=True))
    return bool(pairs) and all(np.array_equal(a, b) for a, b in pairs)


def loss_of(name: str, batch: Batch, *, seed: int = 0) -> Loss:
    objective: Any = bound(name)
    found: Loss = objective.loss(network_for(name), objective.corrupt(batch, seed=seed, progress=0.5).to("cpu"))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_corruption_is_a_pure_function(name: str) -> None:
    batch = stream_for(name, 1).next(6)
    before = batch.tokens_BL.copy()
    first = bound(name).corrupt(batch, seed=5, progress=0.3)
    objective = bound(name)
    objective.corrupt(stream_for(name, 2).next(9), seed=1, progress=0.9)  # what was asked before does not matter
    assert same(first, objective.corrupt(batch, seed=5, progress=0.3))
    assert np.array_equal(batch.tokens_BL, before)


@pytest.mark.parametrize("name", PLAIN)
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
def test_losses_of_parts_of_a_batch_add_up(name: str) -> None:
    batch = stream_for(name, 7).next(6)
    whole = loss_of(name, batch)
    assert whole.count > 0
    parts = [loss_of(name, batch.select(rows)) for rows in (slice(0, 1), slice(1, 4), slice(4, 6))]
    assert sum(part.count for part in parts) == whole.count
    assert sum(float(part.sum.detach()) for part in parts) == pytest.approx(float(whole.sum.detach()), rel=1e-5)
    for logged, (value, count) in whole.logged().items():
        assert sum(float(part.logged()[logged][0]) for part in parts) == pytest.approx(float(value), rel=1e-4), logged
        assert sum(part.logged()[logged][1] for part in parts) == count, logged


@pytest.mark.parametrize("name", NAMES)
def test_other_seeds_and_rows_do_not_repeat_each_other(name: str) -> None:
    """Rows with the same tokens are corrupted differently, unless nothing is random in the objective."""
    objective = bound(name)
    batch = batch_of([[list(range(5, 21))]] * 40)
    one, again, other = (objective.corrupt(batch, seed=seed, progress=0.5) for seed in (1, 1, 2))
    assert same(one, again)
    differs = [a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(arrays(one), arrays(other), strict=True)]
    assert any(differs) == (name not in DRAWS_NOTHING)
    if name in PLAIN and name not in DRAWS_NOTHING:
        assert len(np.unique(one.tokens_BL, axis=0)) > 30


@pytest.mark.parametrize("name", PLAIN)
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


@pytest.mark.parametrize("name", PLAIN)
def test_loss_equals_a_slow_formula(name: str) -> None:
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


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bf16", [False, True])
def test_gradient_reaches_every_parameter(name: str, bf16: bool) -> None:
    network = network_for(name)
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        loss = loss_of(name, stream_for(name, 0).next(32))
    assert loss.sum.dtype == torch.float32
    loss.sum.backward()  # type: ignore[no-untyped-call]
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
    """A loss of zero, a gradient of zeros. What predicts the next token may predict one special token from another."""
    objective, network = bound(name), network_for(name)
    examples = objective.corrupt(batch, seed=0, progress=0.5)
    if objective.attention == "causal" and examples.num_targets:
        assert examples.num_targets == 1
        return
    assert examples.num_targets == 0
    if not len(batch.rows_B):
        return
    network.zero_grad(set_to_none=True)
    loss = objective.loss(network, examples.to("cpu"))
    loss.sum.backward()
    assert (float(loss.sum.detach()), loss.count) == (0.0, 0)
    assert all(pair == (0.0, 0) for pair in loss.logged().values())
    assert set(loss.logged()) == set(loss_of(name, stream_for(name, 7).next(6)).logged()), "the same names, always"
    assert all(p.grad is None or not p.grad.abs().any() for p in network.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_unknown_parameters_are_named(name: str) -> None:
    with pytest.raises(InputError, match="unknown key 'rato'"):
        objectives.create(name, rato=0.1, **REQUIRED.get(name, {}))


@pytest.mark.parametrize("name", PLAIN)
def test_plain_rows_need_no_mask(name: str) -> None:
    plain = bound(name).corrupt(batch_of([[list(range(5, 21))]]), seed=0, progress=0.5)
    assert plain.segments_BL is None
    packed = bound(name).corrupt(batch_of([[[5, 6], [7]]]), seed=0, progress=0.5)
    assert packed.segments_BL is not None


@pytest.mark.parametrize("name", NAMES)
def test_its_own_modules_are_gone_when_the_network_is_saved(name: str) -> None:
    run = make_run(name)
    before = {parameter_name for parameter_name, _ in run.network.named_parameters()}
    run.objective.export(run.network)
    after = {parameter_name for parameter_name, _ in run.network.named_parameters()}
    assert not len(run.network.extra)
    assert {parameter_name for parameter_name in before if not parameter_name.startswith("extra.")} <= after
