"""Simulated 8-bit training: rounding against numpy, products against integers, and runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import method_resumes
from train_world import LENGTH, SIZE, make_run, train

from seedbed.core.errors import InputError
from seedbed.models.layers import Linear, Norm
from seedbed.models.quantized import QuantizedLinear, QuantizedNorm, quantize, rounded
from seedbed.train import accounting, interventions


def by_hand(x: np.ndarray, block: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Integers, and the scale of each number."""
    integers, scales = np.zeros(x.shape, dtype=np.int64), np.zeros(x.shape)
    height, width = (block, block) if block else x.shape
    for top in range(0, x.shape[0], height):
        for left in range(0, x.shape[1], width):
            part = (slice(top, top + height), slice(left, left + width))
            scales[part] = np.abs(x[part]).max() / 127
            integers[part] = np.rint(x[part] / scales[part])
    return integers, scales


@pytest.mark.parametrize("block", [4, 32, None])
@pytest.mark.parametrize("shape", [(8, 8), (10, 7), (3, 40)])
def test_rounding_in_blocks(block: int | None, shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    integers, scales = by_hand(x.astype(np.float64), block)
    quantized = quantize(torch.from_numpy(x), block)
    assert quantized.values.dtype == torch.int8 and quantized.values.abs().max() == 127
    np.testing.assert_allclose(rounded(torch.from_numpy(x), block).numpy(), integers * scales, rtol=1e-5, atol=1e-7)
    again = rounded(rounded(torch.from_numpy(x), block), block)
    np.testing.assert_allclose(again.numpy(), integers * scales, rtol=1e-5, atol=1e-6)
    assert not rounded(torch.zeros(shape), block).any()


def test_stochastic_rounding_is_right_on_average() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 6)
    mean = sum(rounded(x, 3, stochastic=True) for _ in range(4000)) / 4000
    step = x.abs().max() / 127
    assert (mean - x).abs().max() < 0.05 * step
    assert (rounded(x, 3) - x).abs().max() > 0.3 * step


@pytest.mark.parametrize("block", [4, None])
def test_a_linear_layer_against_integer_products(block: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """All three products from the integers, block by block; the gradient's rounding with numbers that are fixed."""
    monkeypatch.setattr(torch, "rand_like", lambda x: torch.full_like(x, 0.5))  # rounds to the nearest
    torch.manual_seed(1)
    linear = Linear(8, 12, bias=False)
    torch.nn.init.normal_(linear.weight)
    layer = QuantizedLinear(linear, block)
    x, grad = torch.randn(16, 8, requires_grad=True), torch.randn(16, 12)
    y = layer(x)
    y.backward(grad)
    xs, ws, gs = (by_hand(t.detach().numpy().astype(np.float64), block) for t in (x, linear.weight, grad))

    def product(left: Any, right: Any) -> np.ndarray:
        """Integers times integers for each pair of blocks, scaled and added."""
        (a, s), (b, t) = left, right
        size = block or a.shape[1]
        total = np.zeros((a.shape[0], b.shape[1]))
        for k in range(0, a.shape[1], size):
            inner = slice(k, k + size)
            total += (a[:, inner] @ b[inner]) * s[:, k : k + 1] * t[k : k + 1]
        return total

    def turned(pair: Any) -> Any:
        return pair[0].T, pair[1].T

    def close(found: torch.Tensor, wanted: np.ndarray) -> None:
        """Equal, but that a number at the border of two integers may be rounded to either."""
        error = np.abs(found.detach().numpy() - wanted)
        step = np.abs(wanted).max() / 127
        assert (error < 1e-4).mean() > 0.98 and error.max() <= step * 1.01

    def again(values: np.ndarray) -> np.ndarray:
        integers, scales = by_hand(values, block)
        return integers * scales

    close(y, again(product(xs, turned(ws))))
    close(x.grad, again(product(gs, ws)))
    np.testing.assert_allclose(linear.weight.grad.numpy(), product(turned(gs), xs), rtol=1e-4, atol=1e-4)
    exact = QuantizedLinear(linear, block, float_output=True)(x)
    np.testing.assert_allclose(exact.detach().numpy(), product(xs, turned(ws)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["rms", "layer"])
def test_a_norm_is_the_norm_of_rounded_numbers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand_like", lambda x: torch.full_like(x, 0.5))
    norm = Norm(8, kind, 1e-5, bias=kind == "layer")
    for parameter in norm.parameters():
        torch.nn.init.normal_(parameter)
    layer = QuantizedNorm(norm, 4)
    x, grad = torch.randn(6, 8, requires_grad=True), torch.randn(6, 8)
    y = layer(x)
    y.backward(grad)
    found = [x.grad.clone(), *(p.grad.clone() for p in norm.parameters())]
    norm.zero_grad()
    on_grid = rounded(x, 4).requires_grad_()
    plain = norm(on_grid)
    plain.backward(rounded(grad, 4))
    assert torch.allclose(y, rounded(plain, 4), atol=1e-5)
    assert torch.allclose(found[0], rounded(on_grid.grad, 4), atol=1e-5)
    for one, parameter in zip(found[1:], norm.parameters(), strict=True):
        assert torch.allclose(one, parameter.grad, atol=1e-5)


def test_outlier_channels_hurt_whole_tensors_and_not_blocks() -> None:
    """One channel 200 times as large as the others, as in trained transformers: the gradient of the weights keeps its
    direction with blocks, and loses it, outside that channel, with one scale for all."""
    torch.manual_seed(2)
    x, grad = torch.randn(256, 128), torch.randn(256, 64)
    x[:, 5] *= 200
    rest = [column for column in range(128) if column // 32 != 0]
    exact = (grad.T @ x)[:, rest]

    def cosine(block: int | None) -> float:
        linear = Linear(128, 64, bias=False)
        torch.nn.init.normal_(linear.weight, std=0.1)
        QuantizedLinear(linear, block)(x).backward(grad)
        return float(torch.cosine_similarity(linear.weight.grad[:, rest].flatten(), exact.flatten(), dim=0))

    assert cosine(32) > 0.999
    assert cosine(None) < 0.9


def test_it_trains_resumes_and_keeps_less(tmp_path: Path) -> None:
    whole = method_resumes(tmp_path, "int8_flow", 6, block=16)
    plain = train(None, "clm")
    losses = [float(run.evaluate(run.stream.next(16), seed=0, progress=1.0).means()["loss"]) for run in (whole, plain)]
    assert abs(losses[0] - losses[1]) < 0.05 and losses[1] < np.log(SIZE)
    less, more = (accounting.memory(run, LENGTH)["activations"] for run in (whole, plain))
    assert less < 0.65 * more
    names = [name for name, _ in whole.network.named_parameters()]
    assert names == [name for name, _ in plain.network.named_parameters()]


def test_the_exported_network_is_plain_and_has_the_trained_weights() -> None:
    method = interventions.create("int8_flow")
    run = train(None, "mlm", interventions=[method])
    trained = {name: p.detach().clone() for name, p in run.network.named_parameters()}
    method.export(run.network)
    assert {type(module).__name__ for module in run.network.modules()} == {
        type(module).__name__ for module in make_run("mlm").network.modules()
    }
    for name, parameter in run.network.named_parameters():
        assert torch.equal(parameter, trained[name])
    with pytest.raises(InputError, match="block: must be at least 1"):
        interventions.create("int8_flow", block=0)
