"""Predictions by descending an energy: candidates one by one, gradients against differences, and that it learns."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.models import backbones

SMALL = {"layers": 2, "width": 16, "heads": 2, "max_length": 16, "kernel": "products"}


def network_of(steps: int = 2, dtype: torch.dtype = torch.float64, **settings: Any) -> Any:
    made = backbones.create("decoder", **{**SMALL, "energy_steps": steps, **settings}).network(40, 1, pad=0)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return made.to(dtype)


TOKENS = torch.arange(7)[None] * 5 % 40


def energy_of(network: Any, tokens: torch.Tensor, candidate_D: torch.Tensor) -> torch.Tensor:
    """Of a candidate for the token behind the text: a plain network of the same weights that reads it there."""
    plain = backbones.create("decoder", **SMALL).network(40, 1, pad=0).to(network.embedding.weight.dtype)
    weights = {k: v for k, v in network.named_parameters() if not k.startswith("energy")}
    read = torch.cat((torch.nn.functional.embedding(tokens, weights["embedding.weight"]), candidate_D[None]))[None]

    class Reader(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.plain = plain

        def forward(self) -> torch.Tensor:
            states: torch.Tensor = self.plain.read(read)
            return states[0, -1]

    named = {f"plain.{k}": v for k, v in weights.items()}
    return torch.func.functional_call(Reader(), named) @ network.energy_head


def test_steps_equal_differences_of_a_plain_networks_energy() -> None:
    network = network_of()
    found = network.hidden(TOKENS)[0].detach()
    with torch.no_grad():
        for place in (0, 3, 6):
            text = TOKENS[0, : place + 1]
            candidate = network.embedding.weight[text[-1]].clone()
            for _ in range(2):
                slope = torch.zeros(16, dtype=torch.float64)
                for column in range(16):
                    nudge = torch.zeros(16, dtype=torch.float64)
                    nudge[column] = 1e-6
                    above, below = (energy_of(network, text, candidate + sign * nudge) for sign in (1, -1))
                    slope[column] = (above - below) / 2e-6
                candidate = candidate - network.energy_step * slope
            torch.testing.assert_close(found[place], candidate, atol=1e-5, rtol=1e-4)


def test_gradients_go_through_all_steps() -> None:
    network = network_of()

    def loss() -> torch.Tensor:
        found: torch.Tensor = network.logits(network.hidden(TOKENS)[0]).log_softmax(-1)[:, 3].sum()
        return found

    loss().backward()
    for name, index in (
        ("energy_step", 0),
        ("energy_head", 3),
        ("layers.0.qkv.weight", (20, 5)),
        ("embedding.weight", (5, 2)),
    ):
        parameter = network.get_parameter(name)
        changed = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[index] += sign * 1e-6
                changed.append(float(loss()))
                parameter[index] -= sign * 1e-6
        assert float(parameter.grad[index]) == pytest.approx((changed[0] - changed[1]) / 2e-6, rel=1e-4), name


def test_without_gradients_the_same_and_steps_may_be_set() -> None:
    network = network_of()
    with torch.no_grad():
        found = network.hidden(TOKENS)
        assert not found.requires_grad
        torch.testing.assert_close(found, network.hidden(TOKENS))
        network.energy_steps = 3
        assert not torch.allclose(network.hidden(TOKENS), found)
    network.energy_steps = 2
    torch.testing.assert_close(network.hidden(TOKENS).detach(), found)


def test_the_future_is_not_seen() -> None:
    network = network_of()
    changed = TOKENS.clone()
    changed[:, 4:] = 9
    with torch.no_grad():
        torch.testing.assert_close(network.hidden(changed)[:, :4], network.hidden(TOKENS)[:, :4])


def test_it_learns() -> None:
    network = network_of(dtype=torch.float32)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for step in range(60):
        tokens = (torch.arange(12)[None] + 3 * torch.arange(8)[:, None] + step) % 40
        logits = network.logits(network.hidden(tokens[:, :-1]).flatten(0, 1))
        loss = torch.nn.functional.cross_entropy(logits, tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) / 5 < losses[0] - 1.0


def test_bad_settings_are_clear() -> None:
    with pytest.raises(InputError, match="energy_steps: must be at least 0"):
        network_of(steps=-1)
    with pytest.raises(InputError, match="energy_step: must be above 0"):
        network_of(energy_step=0.0)
    with pytest.raises(InputError, match="energy_steps: is not for this network"):
        network_of(copies=2)


def test_bits_per_byte_with_a_number_of_steps(tmp_path: Path) -> None:
    """The saved model, scored with as many steps as it was trained with, and with others."""
    from seedbed.evaluate import tasks
    from seedbed.models.artifact import Model

    network_of(dtype=torch.float32).save(tmp_path)
    network = Model.open(tmp_path).network()
    ids = [torch.tensor([1, *range(5, 14)]).numpy()]

    def nats(**settings: Any) -> float:
        task: Any = tasks.get("bits_per_byte").target(corpus=None, **settings)
        context: Any = SimpleNamespace(
            frozen=lambda system, seed: network,
            vocabulary=SimpleNamespace(pad=0, eos=None, unk=None, tokens=["a"] * 40),
        )
        (found,) = task._network_nats(context, "model", 0, ids, True)
        return float(found.sum())

    usual = nats()
    assert nats(energy_steps=2) == usual != nats(energy_steps=1)
    assert network.energy_steps == 2 and nats() == usual
    network = backbones.create("decoder", **SMALL).network(40, 1, pad=0)
    with pytest.raises(InputError, match="are for energy-based networks"):
        nats(energy_steps=2)
