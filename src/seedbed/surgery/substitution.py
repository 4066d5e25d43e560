"""A network with other weights for the time of a call, through which gradients flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


class _Use(torch.nn.Module):
    """Any use of a network as a `forward`: there torch takes weights from outside."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, use: Callable[[Any], Any]) -> Any:
        return use(self.network)


def with_weights(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], use: Callable[[Any], Any]) -> Any:
    """What `use` gives for the network with these of its weights, which may have other shapes than its own."""
    named = {f"network.{name}": value for name, value in weights.items()}
    return torch.func.functional_call(_Use(network), named, (use,))
