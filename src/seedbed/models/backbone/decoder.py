"""The decoder: a causal transformer whose plain settings are Llama's, or one that sees a prefix whole."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from seedbed.models import backbones, feedforwards, mixers
from seedbed.models.architecture import head_width_of
from seedbed.models.backbone.encoder import default_feedforward
from seedbed.models.block import described
from seedbed.models.described import Described


@backbones.register("decoder", papers=["094", "267", "340"])
class Decoder(Described):
    """A causal transformer for language modeling, or one with a prefix that is seen whole.

    The defaults are Llama (Touvron et al., 2023): root-mean-square norms before each block, rotary positions, SwiGLU,
    no biases; `kv_heads` below `heads` is grouped-query attention (Ainslie et al., 2023). `bias` gives biases to
    attention and feedforward, which Llama's class has as options. Without a gate, with learned positions or post-norm
    the network works and is saved in Seedbed's own format; `stock` says which class the settings map to. There is no
    dropout: pretraining sees its data about once.

    norm="normformer" is NormFormer (Shleifer et al., 2021): "pre" with a norm behind attention and one within the
    feedforward, and a learned scale of each head; its residual scaling, an option there, is not here, and the norms are
    root-mean-square ones as all of this network's. positions="alibi" takes linearly from the scores with the distance
    (Press et al., 2022).

    attention: "prefix" lets all of a segment see the tokens that an objective marks as its prefix (Raffel et al., 2020,
        section 3.2.1; Dong et al., 2019); without such marks it is a causal network with the same weights and numbers.
    layers, width, heads: the usual; heads divide the width.
    feedforward: inner width; by default 8/3 of the width (a multiple of 64), or 4 times the width without a gate.
    tied: the output embedding is the input's, as in small models, where it would be most of the weights.
    max_length: the size of the table of learned positions, and what the folder says of the longest input.
    width_transfer: the width that learning rate and the like were tuned at; they are then good at any width, which
        only the standard parametrization (None) has to be tuned for again. See docs/scaling.md.
    kernel: "products" (batched products, own backward), "sdpa" (torch's), "flex" (FlexAttention, for GPUs) or "auto" (a
        short probe).
    mixer: what stands in place of attention, or a list of such (and None, attention) that is repeated over the layers;
        see docs/mixers.md.
    feed: likewise what stands in place of the dense feedforward.
    shared: all layers have the same weights, but for their norms (of a list of mixers the layers of one place in it).
    energy_steps: above 0 the network is an energy-based transformer (Gladstone et al., 2025): it gives a candidate for
        each next token an energy, and a prediction is the candidate after so many steps down its gradient, each of
        which is `energy_step` times that at first, and learned. See docs/variants.md for what differs.
    copies: how often each token is read (length scaling; Wu et al., 2025, PHD-Transformer): all see the originals
        before them, so that no more keys than without copies have to be kept of what was read; copies see their own
        token's earlier copies, too, and the last one predicts. copy_window: how many tokens back copies see others'
        copies, their own token counted (PHD-SWA); copy_chunk: only within chunks of so many tokens (PHD-CSWA).
    """

    def __init__(
        self,
        *,
        attention: Literal["causal", "prefix"] = "causal",
        layers: int = 6,
        width: int = 384,
        heads: int = 6,
        kv_heads: int | None = None,
        feedforward: int | None = None,
        norm: Literal["pre", "post", "normformer"] = "pre",
        positions: Literal["rope", "learned", "alibi", "none"] = "rope",
        gated: bool = True,
        activation: Literal["gelu", "gelu_tanh", "relu", "relu2", "silu"] = "silu",
        bias: bool = False,
        tied: bool = True,
        max_length: int = 512,
        rope_theta: float = 10_000.0,
        norm_eps: float = 1e-5,
        width_transfer: int | None = None,
        kernel: Literal["auto", "products", "sdpa", "flex"] = "auto",
        mixer: Annotated[object, mixers] | list[Annotated[object, mixers] | None] | None = None,
        feed: Annotated[object, feedforwards] | list[Annotated[object, feedforwards] | None] | None = None,
        shared: bool = False,
        energy_steps: int = 0,
        energy_step: float = 1.0,
        copies: int = 1,
        copy_window: int = 0,
        copy_chunk: int | None = None,
    ) -> None:
        self.configuration: dict[str, Any] = {k: v for k, v in locals().items() if k != "self"}
        self.kernel = kernel
        self.fixed: dict[str, Any] = {
            "attention": attention,
            "layers": layers,
            "width": width,
            "heads": heads,
            "kv_heads": heads if kv_heads is None else kv_heads,
            "head_width": head_width_of(width, heads),
            "feedforward": feedforward or default_feedforward(width, gated),
            "max_length": max_length,
            "norm": "post" if norm == "post" else "pre",
            "normformer": norm == "normformer",
            "norm_kind": "rms",
            "norm_eps": norm_eps,
            "positions": positions,
            "rope_theta": rope_theta,
            "local_rope_theta": rope_theta,
            "gated": gated,
            "activation": activation,
            "attention_bias": bias,
            "feedforward_bias": bias,
            "tied": tied,
            "base_width": width_transfer,
            "mixers": described(mixer, mixers),
            "feedforwards": described(feed, feedforwards),
            "shared": shared,
            "energy_steps": energy_steps,
            "energy_step": energy_step,
            "copies": copies,
            "copy_window": copy_window,
            "copy_chunk": copy_chunk,
        }
        self.configuration |= {"mixer": list(self.fixed["mixers"]), "feed": list(self.fixed["feedforwards"])}
        self.architecture(64)  # so that errors in the settings come now
