"""Layers beside a decoder's own that predict tokens further on than the next, while it trains.

Shapes: B rows, L tokens a row, D width.
"""

from __future__ import annotations

from typing import Any, Literal

import torch

from seedbed.core.counters import key
from seedbed.models.initialize import initialize
from seedbed.models.layers import Linear, Norm
from seedbed.models.stack import Layer
from seedbed.models.transformer import Transformer

Tensor = torch.Tensor
Form = Literal["parallel", "sequential"]


class Ahead(torch.nn.Module):
    """A layer like the network's last one for each further token; `parallel` ones read what that one reads,
    `sequential` ones the states of the one before, joined with the embedding of the token that was to be predicted."""

    def __init__(self, network: Transformer, number: int, form: Form, seed: int) -> None:
        super().__init__()
        a, last = network.architecture, network.architecture.layers - 1
        self.form = form
        self.layers = torch.nn.ModuleList(Layer(a, last) for _ in range(number))
        for index, layer in enumerate(self.layers):
            for name, parameter in layer.named_parameters():
                initialize(f"layers.{last}.{name}", parameter, key(seed, "ahead", index) >> 1, a)
        if form == "sequential":
            norm = (a.width, a.norm_kind, a.norm_eps, a.norm_bias)
            self.state_norms = torch.nn.ModuleList(Norm(*norm) for _ in range(number))
            self.token_norms = torch.nn.ModuleList(Norm(*norm) for _ in range(number))
            self.joins = torch.nn.ModuleList(Linear(2 * a.width, a.width, bias=False) for _ in range(number))
            for part in ("state_norms", "token_norms", "joins"):
                for name, parameter in getattr(self, part).named_parameters():
                    initialize(f"ahead.{part}.{name}", parameter, seed, a)
        self._given: tuple[Any, ...] = ()
        self._hook = network.layers[last].register_forward_pre_hook(self._take)

    def _take(self, module: torch.nn.Module, given: tuple[Any, ...]) -> None:
        """What the network's last layer reads: the trunk's states, and what layers are told beside them."""
        del module
        self._given = given

    def remove(self) -> None:
        """Leave the network alone."""
        self._hook.remove()

    def states(self, network: Transformer, tokens_BL: Tensor, *given: Any) -> list[Tensor]:
        """The last hidden states (B, L, D) for the next token, and for each further one. At the end of a segment, where
        there is none, they mean nothing."""
        found = [network.hidden(tokens_BL, *given)]
        trunk_BLD, *beside = self._given
        self._given = ()
        with torch.autocast(tokens_BL.device.type, enabled=False):
            for index, layer in enumerate(self.layers):
                if self.form == "sequential":
                    tokens_BL = tokens_BL.roll(-1, 1)
                    trunk_BLD = self._joined(index, found[-1], network.embedding(tokens_BL))
                state_BLD = layer(trunk_BLD, *beside)
                found.append(state_BLD if network.final_norm is None else network.final_norm(state_BLD))
        return found

    def _joined(self, index: int, state_BLD: Tensor, token_BLD: Tensor) -> Tensor:
        parts = self.state_norms[index](state_BLD), self.token_norms[index](token_BLD.to(state_BLD.dtype))
        joined_BLD: Tensor = self.joins[index](torch.cat(parts, -1))
        return joined_BLD
