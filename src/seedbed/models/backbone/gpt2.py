"""Decoders of GPT-2's kind."""

from __future__ import annotations

from typing import Any, Literal

from seedbed.models import backbones
from seedbed.models.backbone.decoder import Decoder


@backbones.register("gpt2")
class Gpt2(Decoder):
    """GPT-2's architecture (Radford et al., 2019), whose class the folder is: layer norms before each block, learned
    positions, the GELU's approximation by tanh, biases. (`decoder` has root-mean-square norms, and Llama's class.)

    layers, width, heads: the usual; heads divide the width.
    feedforward: inner width; by default 4 times the width.
    tied: the output embedding is the input's.
    max_length: the size of the table of positions.
    width_transfer: the width that learning rate and the like were tuned at; see docs/scaling.md.
    kernel: "products" (batched products, own backward), "sdpa" (torch's), "flex" (FlexAttention, for GPUs) or "auto" (a
        short probe).
    """

    def __init__(
        self,
        *,
        layers: int = 6,
        width: int = 384,
        heads: int = 6,
        feedforward: int | None = None,
        activation: Literal["gelu", "gelu_tanh", "relu", "relu2", "silu"] = "gelu_tanh",
        tied: bool = True,
        max_length: int = 512,
        norm_eps: float = 1e-5,
        width_transfer: int | None = None,
        kernel: Literal["auto", "products", "sdpa", "flex"] = "auto",
    ) -> None:
        given: dict[str, Any] = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        super().__init__(**given, positions="learned", gated=False, bias=True)
        self.fixed |= {"norm_kind": "layer", "norm_bias": True}
        self.configuration = given
