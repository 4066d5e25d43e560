"""Encoders of RoBERTa's kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from seedbed.models import backbones
from seedbed.models.architecture import Architecture
from seedbed.models.backbone.encoder import Encoder


@backbones.register("roberta")
class Roberta(Encoder):
    """RoBERTa's architecture (Liu et al., 2019), whose class the folder is: BERT's with one type of tokens and a head
    that has the GELU, in which positions begin behind the padding token's id. The network is that of `encoder` with
    BERT's settings, which is BERT's class; this is for who wants the other one.

    layers, width, heads: the usual; heads divide the width.
    feedforward: inner width; by default 4 times the width.
    tied: the output embedding is the input's.
    max_length: how many positions there are; the table has a row more for each id up to the padding token's, and never
        uses them.
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
        activation: Literal["gelu", "gelu_tanh", "relu", "relu2", "silu"] = "gelu",
        tied: bool = True,
        max_length: int = 512,
        norm_eps: float = 1e-5,
        width_transfer: int | None = None,
        kernel: Literal["auto", "products", "sdpa", "flex"] = "auto",
    ) -> None:
        given: dict[str, Any] = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        super().__init__(**given, norm="post", positions="learned", gated=False, bias=True)
        self.fixed |= {"token_types": 1, "head_activation": "gelu"}
        self.configuration = given

    def architecture(self, vocabulary_size: int, pad: int | None = None) -> Architecture:
        pad = 0 if pad is None else pad  # the class cannot be without one
        return replace(super().architecture(vocabulary_size, pad), position_offset=pad + 1)
