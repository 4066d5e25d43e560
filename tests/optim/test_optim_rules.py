"""Each rule against a slow formula in float64, written from its paper."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from optim_world import drawn, run_on_matrix
from scipy.linalg import fractional_matrix_power
from torch import nn

from seedbed.optim import optimizers
from seedbed.optim.parameters import evaluation_weights

SHAPES = [(4, 6), (6, 4), (5, 5), (1, 3)]
LR, DECAY = 0.03, 0.1
close = np.testing.assert_allclose


def rate(number: int) -> float:
    """A schedule."""
    return LR / number


def test_lion() -> None:
    start, gradients = drawn((4, 6), 6)
    found, _ = run_on_matrix("lion", gradients, start, lr=rate, betas=(0.8, 0.95), weight_decay=DECAY)
    w, m = start.copy(), np.zeros_like(start)
    for t, g in enumerate(gradients, 1):
        w -= rate(t) * (np.sign(0.8 * m + 0.2 * g) + DECAY * w)
        m = 0.95 * m + 0.05 * g
    close(found, w, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", ["adamw", "spectral"])
def test_muon(shape: tuple[int, int], scale: str) -> None:
    """Newton-Schulz acts on the singular values alone: here by an SVD and the polynomial of numbers."""
    start, gradients = drawn(shape, 5)
    found, _ = run_on_matrix("muon", gradients, start, lr=rate, momentum=0.9, weight_decay=DECAY, scale=scale)
    w, m = start.copy(), np.zeros_like(start)
    s = 0.2 * math.sqrt(max(shape)) if scale == "adamw" else math.sqrt(max(1, shape[0] / shape[1]))
    for t, g in enumerate(gradients, 1):
        m = 0.9 * m + 0.1 * g
        left, values, right = np.linalg.svd(0.1 * g + 0.9 * m, full_matrices=False)
        values /= np.linalg.norm(values)
        for _ in range(5):
            values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
        w -= rate(t) * (s * left @ np.diag(values) @ right + DECAY * w)
    close(found, w, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("scale", "products"), [("adamw", "fp32"), ("spectral", "fp32"), ("adamw", "bf16")])
def test_muon_is_torchs_but_for_its_bfloat16(scale: str, products: str) -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(16, 24, bias=False), nn.Linear(16, 24, bias=False)
    theirs.load_state_dict(ours.state_dict())
    adjust = {"adamw": "match_rms_adamw", "spectral": "original"}[scale]
    one = optimizers.create("muon", lr=0.05, weight_decay=0.2, scale=scale, products=products).build(ours)
    other = torch.optim.Muon(theirs.parameters(), lr=0.05, weight_decay=0.2, momentum=0.95, adjust_lr_fn=adjust)
    start = ours.weight.detach().clone()
    for _ in range(5):
        gradient = torch.randn(24, 16)
        for layer, optimizer in ((ours, one), (theirs, other)):
            layer.weight.grad = gradient.clone()
            optimizer.step()
    way = (theirs.weight - start).norm()
    assert (ours.weight - theirs.weight).norm() < 0.02 * way


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("max_side", [4096, 5])
def test_soap(shape: tuple[int, int], max_side: int) -> None:
    b1, b2, eps, every = 0.9, 0.8, 1e-8, 2
    start, gradients = drawn(shape, 9)
    options: dict[str, Any] = {"betas": (b1, b2), "eps": eps, "weight_decay": DECAY, "every": every}
    found, _ = run_on_matrix("soap", gradients, start, lr=rate, max_side=max_side, **options)
    unmoved, first = run_on_matrix("soap", gradients[:1], start, lr=rate, max_side=max_side, **options)
    assert (unmoved == start).all()
    (state,) = first.state.values()
    w, m, v = start.copy(), np.zeros(shape), np.zeros(shape)
    preconditioners = [(1 - b2) * gradients[0] @ gradients[0].T, (1 - b2) * gradients[0].T @ gradients[0]]
    bases = [np.eye(len(p)) for p in preconditioners]
    for axis, side in enumerate(("left", "right")):
        if shape[axis] <= max_side:  # the basis of a null space is free: taken over, once it is seen to be a right one
            bases[axis] = state[f"{side}_basis"].numpy()
            turned = bases[axis].T @ preconditioners[axis] @ bases[axis]
            values = np.linalg.eigvalsh(preconditioners[axis])[::-1]
            close(turned, np.diag(values), atol=1e-12 * values[0])
            close(bases[axis].T @ bases[axis], np.eye(shape[axis]), atol=1e-12)
    for t, g in enumerate(gradients[1:], 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * (bases[0].T @ g @ bases[1]) ** 2
        n = (bases[0].T @ m @ bases[1]) / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        w -= rate(t + 1) * (bases[0] @ n @ bases[1].T + DECAY * w)
        preconditioners = [b2 * p + (1 - b2) * new for p, new in zip(preconditioners, (g @ g.T, g.T @ g), strict=True)]
        if t % every == 0:
            for axis in (0, 1):
                if shape[axis] > max_side:
                    continue
                p, q = preconditioners[axis], bases[axis]
                order = np.argsort(-np.diag(q.T @ p @ q), kind="stable")
                bases[axis] = np.linalg.qr(p @ q[:, order])[0]
                v = np.take(v, order, axis)
    close(found, w, rtol=1e-7, atol=1e-9)


def test_soap_is_adam_in_a_fixed_basis() -> None:
    """Gradients that are diagonal in one pair of bases: SOAP is Adam on the diagonal."""
    random = np.random.default_rng(1)
    left, right = (np.linalg.qr(random.normal(size=(5, 5)))[0] for _ in range(2))
    start = np.zeros((5, 5))
    spectra = [np.array([50.0, 20.0, 8.0, 3.0, 1.0]) * random.uniform(0.9, 1.1, 5) for _ in range(12)]
    found, _ = run_on_matrix("soap", [left @ np.diag(s) @ right.T for s in spectra], start, lr=lambda t: LR, every=1)
    w, m, v = np.zeros(5), np.zeros(5), np.zeros(5)
    for t, s in enumerate(spectra[1:], 1):
        m, v = 0.95 * m + 0.05 * s, 0.95 * v + 0.05 * s * s
        w -= LR * (m / (1 - 0.95**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8) + 0.01 * w)
    close(left.T @ found @ right, np.diag(w), atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("power", [0.25, 0.5])
def test_shampoo(shape: tuple[int, int], power: float) -> None:
    b1, b2, eps, every, damping = 0.9, 0.8, 1e-8, 3, 1e-3
    start, gradients = drawn(shape, 8)
    options: dict[str, Any] = {"power": power, "every": every, "damping": damping, "eps": eps, "weight_decay": DECAY}
    found, _ = run_on_matrix("shampoo", gradients, start, lr=rate, betas=(b1, b2), **options)
    w, m, v = start.copy(), np.zeros(shape), np.zeros(shape)
    left, right = np.zeros((shape[0],) * 2), np.zeros((shape[1],) * 2)

    def root(p: np.ndarray) -> np.ndarray:
        top = np.linalg.norm(p, 2)
        return np.real(fractional_matrix_power(p + damping * top * np.eye(len(p)), -power))

    for t, g in enumerate(gradients, 1):
        left, right = b2 * left + (1 - b2) * g @ g.T, b2 * right + (1 - b2) * g.T @ g
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        if t % every == 1:
            roots = root(left), root(right)
        u = roots[0] @ m @ roots[1]
        adam = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        w -= rate(t) * (u * np.linalg.norm(adam) / np.linalg.norm(u) + DECAY * w)
    close(found, w, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_galore(shape: tuple[int, int]) -> None:
    b1, b2, eps, rank, every, scale = 0.9, 0.8, 1e-8, 2, 3, 0.4
    start, gradients = drawn(shape, 8)
    options: dict[str, Any] = {"rank": rank, "every": every, "scale": scale, "eps": eps, "weight_decay": DECAY}
    found, optimizer = run_on_matrix("galore", gradients, start, lr=rate, betas=(b1, b2), **options)
    transposed = shape[0] > shape[1]
    w = (start.T if transposed else start).copy()
    m = v = np.zeros((min(rank, w.shape[0]), w.shape[1]))
    for t, full in enumerate(gradients, 1):
        g = full.T if transposed else full
        if t % every == 1:
            p = np.linalg.eigh(g @ g.T)[1][:, ::-1][:, :rank]
            # signs are free, but the moments outlive the projection that they were made in: take torch's
            left, _, right = torch.linalg.svd(torch.from_numpy(full), full_matrices=False)
            own = (right[:rank].T if transposed else left[:, :rank]).numpy()
            p = p * np.sign((p * own).sum(0))
        low = p.T @ g
        m, v = b1 * m + (1 - b1) * low, b2 * v + (1 - b2) * low**2
        w -= rate(t) * (scale * p @ (m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)) + DECAY * w)
    close(found, w.T if transposed else w, rtol=1e-9, atol=1e-11)
    (state,) = optimizer.state.values()
    assert state["exp_avg"].numel() == min(rank, *shape) * max(shape)


def test_galore_of_full_rank_is_adamw_in_a_rotated_space() -> None:
    """With gradients of orthogonal rows the projection of full rank only permutes and signs them."""
    start = np.zeros((3, 5))
    gradients = [np.diag([3.0, 2.0, 1.0]) @ np.eye(3, 5) for _ in range(4)]
    found, _ = run_on_matrix("galore", gradients, start, lr=lambda t: LR, rank=9, scale=1.0, weight_decay=0.0)
    close(found, -4 * LR * np.eye(3, 5), atol=1e-7)


def test_schedule_free() -> None:
    b1, b2, eps = 0.9, 0.99, 1e-8
    start, gradients = drawn((4, 6), 9)
    found, optimizer = run_on_matrix(
        "schedule_free", gradients, start, lr=lambda t: LR * min(1, t / 4), betas=(b1, b2), eps=eps, weight_decay=DECAY
    )
    x, y, z, v, total = start.copy(), start.copy(), start.copy(), np.zeros_like(start), 0.0
    for t, g in enumerate(gradients, 1):
        v = b2 * v + (1 - b2) * g * g
        r = LR * min(1, t / 4) * math.sqrt(1 - b2**t)
        z = z - r * (g / (np.sqrt(v) + eps) + DECAY * y)
        total += r * r
        x = (1 - r * r / total) * x + r * r / total * z
        y = (1 - b1) * z + b1 * x
    close(found, y, rtol=1e-10)
    (weights,) = optimizer.param_groups[0]["params"]
    trained = weights.detach().clone()
    with evaluation_weights(optimizer):
        close(weights.detach().numpy(), x, rtol=1e-10)
        with pytest.raises(AssertionError, match="train"):
            optimizer.step()
    assert torch.equal(weights, trained)


def test_sophia() -> None:
    b1, b2, eps, gamma = 0.9, 0.8, 1e-12, 0.05
    start, gradients = drawn((4, 6), 8)
    _, sampled = drawn((4, 6), 8, seed=1)
    layer = nn.Linear(6, 4, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(start))
    optimizer = optimizers.create(
        "sophia", lr=LR, betas=(b1, b2), eps=eps, gamma=gamma, weight_decay=DECAY, every=3
    ).build(layer)
    w, m, h, clipped = start.copy(), np.zeros_like(start), np.zeros_like(start), []
    for t, (g, s) in enumerate(zip(gradients, sampled, strict=True)):
        assert optimizer.wants_sampled_gradient == (t % 3 == 0)
        if t % 3 == 0:
            layer.weight.grad = torch.from_numpy(s.copy())
            optimizer.take_sampled_gradient(20.0)
            h = b2 * h + (1 - b2) * 20.0 * s * s
        layer.weight.grad = torch.from_numpy(g.copy())
        optimizer.step()
        m = b1 * m + (1 - b1) * g
        ratio = m / np.maximum(gamma * h, eps)
        w -= LR * (np.clip(ratio, -1, 1) + DECAY * w)
        clipped.append((np.abs(ratio) > 1).mean())
    close(layer.weight.detach().numpy(), w, rtol=1e-11)
    assert 0.05 < np.mean(clipped) < 0.95  # both branches


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 1)])
def test_adafactor(shape: tuple[int, int]) -> None:
    start, gradients = drawn(shape, 6)
    start[0] = 0.0
    found, _ = run_on_matrix("adafactor", gradients, start, lr=lambda t: LR, weight_decay=DECAY, clip=1.2)
    w, r, c = start.copy(), np.zeros(shape[0]), np.zeros(shape[1])
    for t, g in enumerate(gradients, 1):
        b = 1 - t**-0.8
        r, c = b * r + (1 - b) * (g**2).sum(1), b * c + (1 - b) * (g**2).sum(0)
        u = g / np.sqrt(np.outer(r, c) / r.sum())
        u /= max(1.0, np.sqrt((u**2).mean()) / 1.2)
        size = max(1e-3, np.sqrt((w**2).mean())) * min(LR, 1 / math.sqrt(t))
        w = w * (1 - LR * DECAY) - size * u
    close(found, w, rtol=1e-9, atol=1e-12)


class Fused(nn.Module):
    """Three matrices, one below the other, in one layer; or each in its own."""

    def __init__(self, rows: tuple[int, ...], start: torch.Tensor, fused: bool) -> None:
        super().__init__()
        sizes = [sum(rows)] if fused else list(rows)
        self.layers = nn.ModuleList(nn.Linear(start.shape[1], size, bias=False).double() for size in sizes)
        if fused:
            self.layers[0].parts = rows  # type: ignore[assignment]
        self.set(start, grad=False)

    def set(self, whole: torch.Tensor, *, grad: bool) -> None:
        rows = [layer.weight.shape[0] for layer in self.layers]
        for layer, part in zip(self.layers, whole.split(rows), strict=True):
            if grad:
                layer.weight.grad = part.clone()
            else:
                layer.weight.data.copy_(part)

    def whole(self) -> torch.Tensor:
        return torch.cat([layer.weight for layer in self.layers])


@pytest.mark.parametrize("name", ["muon", "soap", "shampoo", "galore"])
def test_matrices_in_one_parameter_are_updated_as_if_apart(name: str) -> None:
    torch.manual_seed(0)
    start, rows = torch.randn(10, 4).double(), (4, 4, 2)
    networks = [Fused(rows, start, fused) for fused in (True, False)]
    options = {"rank": 2} if name == "galore" else {}
    built = [optimizers.create(name, lr=LR, **options).build(network) for network in networks]
    for _ in range(12):
        gradient = torch.randn(10, 4).double()
        for network, optimizer in zip(networks, built, strict=True):
            network.set(gradient, grad=True)
            optimizer.step()
    torch.testing.assert_close(networks[0].whole(), networks[1].whole(), rtol=1e-10, atol=1e-12)
    alone = Fused(rows, start, fused=True)
    del alone.layers[0].parts
    optimizer = optimizers.create(name, lr=LR, **options).build(alone)
    torch.manual_seed(1)
    for _ in range(3):
        alone.set(torch.randn(10, 4).double(), grad=True)
        optimizer.step()
    assert len(optimizer.state[alone.layers[0].weight]) < len(built[0].state[networks[0].layers[0].weight])
