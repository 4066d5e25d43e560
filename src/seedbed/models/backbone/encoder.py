"""The encoder: a bidirectional transformer whose plain settings are ModernBERT's or BERT's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from seedbed.models import backbones, feedforwards, mixers
from seedbed.models.architecture import head_width_of
from seedbed.models.block import described
from seedbed.models.described import Described


@backbones.register("encoder", papers=["002", "018", "094", "257"])
class Encoder(Described):
    """A bidirectional transformer for masked language modeling.

    The defaults (norm="pre", positions="rope", gated=True, bias=False) are ModernBERT (Warner et al., 2024) with
    global attention in every layer; norm="post", positions="learned", gated=False, bias=True are BERT
    (Devlin et al., 2019). Any `activation` keeps that mapping. Other combinations work and are saved in Seedbed's own
    format; `stock` says which class the settings map to. Both have a prediction head (dense, activation, norm), and an
    output bias. There is no dropout: pretraining sees its data about once.

    norm="normformer" is NormFormer (Shleifer et al., 2021): "pre" with a norm behind attention and one within the
    feedforward, and a learned scale of each head; its residual scaling, an option there, is not here.
    positions="alibi" takes linearly from the scores with the distance (Press et al., 2022), to both sides alike, as in
    MosaicBERT (Portes et al., 2023), whose blocks are those of norm="post", bias=True, but for a bias of the gate.

    layers, width, heads: the usual; heads divide the width.
    feedforward: inner width; by default 4 times the width, or 8/3 of it (a multiple of 64) where gated, which is
        the same number of weights.
    tied: the output embedding is the input's.
    max_length: the size of the table of learned positions, and what the folder says of the longest input.
    embedding_width: of the tables of tokens, positions and types, from which a projection leads to the layers, and one
        back to the output (ALBERT; Lan et al., 2020; ELECTRA-small; WideNet); by default the width, and no projection.
    window: how many tokens to each side attention sees in every layer (Longformer's sliding window, without its tokens
        that see all; Beltagy et al., 2020); None sees all. It is a mask: no time is saved by it but with the kernel
        "flex". With BERT's settings and the activation gelu the network is Longformer's class.
    sparse: sizes of block-sparse attention (BigBird; Zaheer et al., 2020), of which what is not said is `{block: 64,
        window: 1, global: 1, random: 3}`: a text is cut into blocks of so many tokens, each sees as many to each side,
        the first ones, which see all, and some drawn ones (the same in all layers and heads, where BigBird draws for
        each). A mask, too.
    width_transfer: the width that learning rate and the like were tuned at; they are then good at any width, which
        only the standard parametrization (None) has to be tuned for again. See docs/scaling.md.
    kernel: "products" (batched products, own backward), "sdpa" (torch's), "flex" (FlexAttention, for GPUs) or "auto" (a
        short probe).
    mixer: what stands in place of attention, or a list of such (and None, attention) that is repeated over the layers;
        see docs/mixers.md.
    feed: likewise what stands in place of the dense feedforward.
    shared: all layers have the same weights, but for their norms (of a list of mixers the layers of one place in it);
        "all": these too, as in ALBERT (Lan et al., 2020), whose class are then BERT's with an `embedding_width`.
    """

    def __init__(
        self,
        *,
        layers: int = 6,
        width: int = 384,
        heads: int = 6,
        feedforward: int | None = None,
        norm: Literal["pre", "post", "normformer"] = "pre",
        positions: Literal["rope", "learned", "alibi", "none"] = "rope",
        gated: bool = True,
        activation: Literal["gelu", "gelu_tanh", "relu", "relu2", "silu"] = "gelu",
        bias: bool = False,
        tied: bool = True,
        max_length: int = 512,
        embedding_width: int | None = None,
        window: int | None = None,
        sparse: dict[str, int] | None = None,
        rope_theta: float = 10_000.0,
        norm_eps: float = 1e-5,
        width_transfer: int | None = None,
        kernel: Literal["auto", "products", "sdpa", "flex"] = "auto",
        mixer: Annotated[object, mixers] | list[Annotated[object, mixers] | None] | None = None,
        feed: Annotated[object, feedforwards] | list[Annotated[object, feedforwards] | None] | None = None,
        shared: bool | Literal["all"] = False,
    ) -> None:
        self.configuration: dict[str, Any] = {k: v for k, v in locals().items() if k != "self"}
        self.kernel = kernel
        self.fixed: dict[str, Any] = {
            "attention": "bidirectional",
            "layers": layers,
            "width": width,
            "heads": heads,
            "kv_heads": heads,
            "head_width": head_width_of(width, heads),
            "feedforward": feedforward or default_feedforward(width, gated),
            "max_length": max_length,
            "norm": "post" if norm == "post" else "pre",
            "normformer": norm == "normformer",
            "norm_eps": norm_eps,
            "norm_bias": bias,
            "embedding_norm": True,
            "first_norm": norm == "post",
            "positions": positions,
            "rope_theta": rope_theta,
            "local_rope_theta": rope_theta,
            "windows": () if window is None else (window,) * layers,
            "token_types": 2 if norm == "post" and positions == "learned" else 0,
            "gated": gated,
            "activation": activation,
            "attention_bias": bias,
            "feedforward_bias": bias,
            "head": True,
            "head_activation": activation if norm == "post" else "gelu",
            "head_bias": bias,
            "output_bias": True,
            "tied": tied,
            "base_width": width_transfer,
            "mixers": described(mixer, mixers),
            "feedforwards": described(feed, feedforwards),
            "shared": shared,
            "embedding_width": embedding_width,
            "sparse": None if sparse is None else {**BIG_BIRD, **sparse},
        }
        self.configuration |= {"mixer": list(self.fixed["mixers"]), "feed": list(self.fixed["feedforwards"])}
        self.architecture(64)  # so that errors in the settings come now


BIG_BIRD = {"block": 64, "window": 1, "global": 1, "random": 3}


def default_feedforward(width: int, gated: bool) -> int:
    """The inner width where none is given: the same number of weights with a gate and without."""
    return max(64, round(width * 8 / 3 / 64) * 64) if gated else 4 * width
