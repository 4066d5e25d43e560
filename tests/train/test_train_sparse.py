"""Sparse training: masks, the doubly pruned backward pass, and runs that keep their zeros."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import method_resumes
from train_world import make_loop, make_run, train, weights

from seedbed.core.errors import InputError
from seedbed.models.layers import Linear
from seedbed.models.replace import hidden_linears
from seedbed.models.sparse import SparseLinear, double_mask, nm_mask, random_mask
from seedbed.optim import optimizers
from seedbed.train import interventions
from seedbed.train.intervention import Intervention


def sparse_shares(network: Any) -> list[float]:
    return [float((linear.weight == 0).float().mean()) for linear in hidden_linears(network).values()]


def test_a_random_mask_has_its_share_and_depends_on_seed_and_name() -> None:
    mask = random_mask((40, 50), 0.75, 3, "layers.0.qkv")
    assert mask.sum() == 500
    assert torch.equal(mask, random_mask((40, 50), 0.75, 3, "layers.0.qkv"))
    for other in (random_mask((40, 50), 0.75, 4, "layers.0.qkv"), random_mask((40, 50), 0.75, 3, "layers.1.qkv")):
        # two masks that know nothing of each other share a quarter of what they keep
        assert (mask & other).sum() / 500 == pytest.approx(0.25, abs=0.1)
    assert random_mask((4, 4), 0.0, 3, "x").all()
    # rows and columns are filled alike
    assert mask.float().mean(0).std() < 0.12 and mask.float().mean(1).std() < 0.12


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (2, 8)])
def test_masks_of_n_in_m_and_the_zeros_that_the_second_pruning_adds(n: int, m: int) -> None:
    """SLoPe's lemma 2.1: the second pruning adds sum over j > n of C(m, j) s^j (1 - s)^(m - j) (j - n) / m zeros, with
    s = n / m: 12.5%, 9.375%, 3.39% of all weights."""
    mask = nm_mask((256, 320), n, m, 5, "w")
    assert (mask.reshape(256, -1, m).sum(-1) == n).all()
    double = double_mask(mask, n, m, 5, "w")
    assert not (double & ~mask).any()
    groups = double.reshape(-1, m, 320).sum(1)
    assert torch.equal(groups, mask.reshape(-1, m, 320).sum(1).clamp(max=n)), "as many as there were, up to n"
    s = n / m
    added = sum(math.comb(m, j) * s**j * (1 - s) ** (m - j) * (j - n) / m for j in range(n + 1, m + 1))
    assert float((mask & ~double).float().mean()) == pytest.approx(added, abs=0.004)


def test_the_doubly_pruned_layer_against_sums_written_out() -> None:
    torch.manual_seed(0)
    linear = Linear(8, 12, bias=True).double()
    torch.nn.init.normal_(linear.weight), torch.nn.init.normal_(linear.bias)
    layer = SparseLinear(linear, 2, 4, 3, seed=1, name="w").double()
    torch.nn.init.normal_(layer.up)
    x = torch.randn(2, 5, 8, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(2, 5, 12, dtype=torch.float64)
    for active in (False, True):
        layer.active = active
        layer.zero_grad()
        x.grad = None
        layer(x).backward(grad)
        w, up, down = (p.detach().numpy() for p in (layer.weight, layer.up, layer.down))
        mask, double = layer.mask.numpy(), layer.double_mask.numpy()
        assert (w[~mask] == 0).all()
        xs, gs = x.detach().numpy().reshape(10, 8), grad.numpy().reshape(10, 12)
        out = np.array([[sum(w[o, i] * xs[t, i] for i in range(8)) for o in range(12)] for t in range(10)])
        out += layer.bias.detach().numpy()
        back = np.array(
            [[sum(gs[t, o] * w[o, i] * double[o, i] for o in range(12)) for i in range(8)] for t in range(10)]
        )
        if active:
            out += xs @ down.T @ up.T
            back += gs @ up @ down
            np.testing.assert_allclose(layer.up.grad.numpy(), gs.T @ (xs @ down.T), atol=1e-12)
            np.testing.assert_allclose(layer.down.grad.numpy(), (gs @ up).T @ xs, atol=1e-12)
        else:
            assert layer.up.grad is None or not layer.up.grad.any()
        np.testing.assert_allclose(layer(x).detach().numpy().reshape(10, 12), out, atol=1e-12)
        np.testing.assert_allclose(x.grad.numpy().reshape(10, 8), back, atol=1e-12)
        by_hand = np.where(mask, gs.T @ xs, 0.0)
        np.testing.assert_allclose(layer.weight.grad.numpy(), by_hand, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_sparse_run_keeps_its_zeros_and_resumes(optimizer: str, tmp_path: Path) -> None:
    whole = method_resumes(tmp_path, "static_sparsity", 7, sparsity=0.5)
    assert sparse_shares(whole.network) == pytest.approx([0.5] * 8, abs=0.02)
    before = make_run("clm", interventions=[interventions.create("static_sparsity", sparsity=0.5)])
    for name, linear in hidden_linears(whole.network).items():
        kept = before.network.get_submodule(name).weight != 0
        assert torch.equal(linear.weight != 0, kept), "the same mask from the first step to the last"
        assert not torch.equal(linear.weight[kept], before.network.get_submodule(name).weight[kept])
    run = make_run("clm", interventions=[interventions.create("static_sparsity", sparsity=0.5)])
    run.optimizer = optimizers.create(optimizer, lr=3e-3).build(run.network)
    make_loop(run, None).train(None)
    assert sparse_shares(run.network) == pytest.approx([0.5] * 8, abs=0.02)


def test_the_norm_that_is_clipped_is_that_of_the_masked_gradient() -> None:
    seen: list[tuple[float, float]] = []

    class Look(Intervention):
        def after_backward(self, run: Any) -> None:
            total = sum(float(p.grad.double().square().sum()) for p in run.network.parameters())
            seen.append((run.metrics["grad_norm"], math.sqrt(total)))
            for linear in hidden_linears(run.network).values():
                assert not linear.weight.grad[linear.weight == 0].any()

    train(None, "clm", steps=2, interventions=[interventions.create("static_sparsity"), Look()])
    for measured, by_hand in seen:
        assert measured == pytest.approx(by_hand, rel=1e-5)


def test_zeros_go_on_and_a_dense_run_lets_them_learn() -> None:
    first = train(None, "clm", interventions=[interventions.create("static_sparsity")])
    state = {name: value.clone() for name, value in first.network.state_dict().items()}

    class Continued(Intervention):
        def prepare(self, network: Any, seed: int) -> None:
            network.load_state_dict(state)

    on = train(None, "clm", seed=8, interventions=[Continued(), interventions.create("static_sparsity", sparsity=None)])
    for name, value in weights(on).items():
        assert torch.equal(value == 0, state[name] == 0), name
    dense = train(None, "clm", seed=8, interventions=[Continued()])
    assert max(sparse_shares(dense.network)) < 0.01
    factor = interventions.create("static_sparsity", sparsity=None)
    factor.prepare(first.network, 0)
    assert factor.flops_factor(3, 4) == pytest.approx(0.25, abs=1e-3)


def test_two_methods_cannot_share_the_layers() -> None:
    chosen = [interventions.create("nm_sparsity"), interventions.create("static_sparsity")]
    with pytest.raises(InputError, match="replaced already"):
        make_run("clm", interventions=chosen)
    for other in ("nm_sparsity", "low_rank", "int8_flow"):
        with pytest.raises(InputError, match="replaced by another intervention"):
            train(None, "clm", interventions=[interventions.create("static_sparsity"), interventions.create(other)])
    with pytest.raises(InputError, match=r"sparsity: must lie in \[0, 1\)"):
        interventions.create("static_sparsity", sparsity=1.0)
