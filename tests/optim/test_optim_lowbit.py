"""Moments in two bytes and in one: the formats, the memory, and how close training stays."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from seedbed.optim import optimizers
from seedbed.optim.lowbit import BLOCK, dequantize, dynamic_map, quantize, random_bits, round_to_bf16
from seedbed.optim.scales import scale_rates


@pytest.mark.parametrize("signed", [True, False])
def test_the_dynamic_map(signed: bool) -> None:
    """The values that bitsandbytes' definition gives, by hand for the ends of the map."""
    numbers = dynamic_map(signed)
    assert numbers.shape == (256,) and (numbers.diff() > 0).all()
    positive = numbers[numbers > 0]
    parts = 64 if signed else 128
    assert numbers[-1] == 1 and (numbers == 0).sum() == 1
    torch.testing.assert_close(numbers[-2].item(), 1 - 0.9 / parts / 2, rtol=1e-6, atol=0)
    torch.testing.assert_close(positive[0].item(), 0.55e-6 if signed else 0.325e-6, rtol=1e-6, atol=0)
    assert len(positive) == (128 if signed else 255)
    if signed:
        assert torch.equal(-numbers[:127].flip(0), positive[:-1])


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("size", [1, 255, 256, 1000])
def test_codes_are_the_nearest_numbers(signed: bool, size: int) -> None:
    torch.manual_seed(size)
    value = torch.randn(size) * 10 ** torch.empty(size).uniform_(-5, 2)
    value = value if signed else value.abs()
    value[size // 2] = 0.0
    codes, scale = quantize(value, signed)
    assert codes.dtype == torch.uint8 and scale.shape == (-(-size // BLOCK),)
    for number in range(0, size, 7):
        block = value[number // BLOCK * BLOCK :][:BLOCK]
        assert scale[number // BLOCK] == block.abs().max()
        share = (value[number] / block.abs().max()).item() if block.abs().max() > 0 else 0.0
        distances = (dynamic_map(signed) - share).abs()
        if not signed and share > 0:
            distances[0] = float("inf")  # what is above zero does not become zero
        assert distances[int(codes[number])] <= distances.min() + abs(share) * 2.0**-12
    back = dequantize(codes, scale, signed, value.shape)
    assert back[size // 2] == 0 and (signed or (back[value > 0] > 0).all())


def test_random_rounding_to_bf16_has_the_right_mean() -> None:
    torch.manual_seed(0)
    value = torch.randn(50) * 10 ** torch.empty(50).uniform_(-6, 6)
    value[0] = 0.0
    many = value.expand(20000, 50)
    rounded = round_to_bf16(many, random_bits(many, 1)[0]).double()
    nearest = value.bfloat16().double()
    gap = (nearest.abs() * 2.0**-7).clamp(min=1e-45)  # at most: bf16 has 8 significant bits
    assert ((rounded - value).abs() <= gap).all()
    assert ((rounded.mean(0) - value.double()).abs() < 0.02 * gap).all()
    assert (rounded[:, 0] == 0).all()
    assert all(len(rounded[:, column].unique()) <= 2 for column in range(50))


def test_two_halves_of_the_noise_are_apart() -> None:
    low, high = (bits.double() for bits in random_bits(torch.empty(100_000), 3, 4))
    for bits in (low, high):
        assert bits.min() >= 0 and bits.max() < 2**16
        assert abs(bits.mean() / 2**16 - 0.5) < 0.005
    assert abs(torch.corrcoef(torch.stack([low, high]))[0, 1]) < 0.015
    assert not torch.equal(random_bits(torch.empty(9), 3, 5)[0].double(), low[:9])


def test_an_average_moves_by_less_than_its_last_digit() -> None:
    """b2 = 0.999 toward 1.1 from 1: rounded to the nearest it would stay at 1."""
    average = torch.ones(4096).bfloat16()
    for step in range(500):
        average = round_to_bf16(average.float() * 0.999 + 0.001 * 1.1, random_bits(average, step)[0])
    assert abs(average.double().mean() - (1.1 - 0.1 * 0.999**500)) < 0.002


def trained(steps: int, **options: Any) -> tuple[list[torch.Tensor], Any]:
    """Weights over steps of a small regression."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 96), nn.Tanh(), nn.Linear(96, 64))
    optimizer = optimizers.create("adamw", lr=2e-3, betas=(0.9, 0.98), **options).build(network)
    mapping = torch.randn(64, 64) / 8
    weights = [torch.cat([p.detach().flatten() for p in network.parameters()])]
    for _ in range(steps):
        x = torch.randn(64, 64)
        optimizer.zero_grad()
        (network(x) - x @ mapping).square().mean().backward()
        optimizer.step()
        weights.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    return weights, optimizer


@pytest.mark.parametrize(("state", "share"), [("bf16", 0.01), ("int8", 0.06)])
def test_training_stays_close_to_fp32(state: str, share: float) -> None:
    exact, _ = trained(150)
    found, _ = trained(150, state=state)
    way = (exact[-1] - exact[0]).norm()
    assert 0 < (found[-1] - exact[-1]).norm() < share * way


@pytest.mark.parametrize(("state", "most"), [("fp32", 8.01), ("bf16", 4.01), ("int8", 2.15)])
def test_memory_really_shrinks(state: str, most: float) -> None:
    weights, optimizer = trained(2, state=state)
    size = sum(value.untyped_storage().nbytes() for states in optimizer.state.values() for value in states.values())
    assert 0.9 * most < size / weights[0].numel() <= most


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_no_two_parameters_are_rounded_by_the_same_numbers(scale: float) -> None:
    """Nor if width transfer gives them other rates, and so each a group of its own."""
    torch.manual_seed(0)
    network: Any = nn.ModuleDict({"one": nn.Linear(40, 30, bias=False), "two": nn.Linear(40, 30, bias=False)})
    network.rate_scale = lambda name: scale if "two" in name else 1.0
    optimizer = scale_rates(optimizers.create("adamw", state="bf16").build(network), network)
    assert len(optimizer.param_groups) == (1 if scale == 1 else 2)
    gradient = torch.randn(30, 40)
    for parameter in network.parameters():
        parameter.grad = gradient.clone()
    optimizer.step()
    one, two = (optimizer.state[parameter]["exp_avg"] for parameter in network.parameters())
    assert not torch.equal(one, two)
    torch.testing.assert_close(one, two, rtol=0.01, atol=0)
