"""The encoder-decoder: a bidirectional stack and a causal one over its states; plain settings are T5's or BART's."""

from __future__ import annotations

from typing import Any, Literal

from seedbed.models import backbones
from seedbed.models.architecture import head_width_of
from seedbed.models.backbone.encoder import default_feedforward
from seedbed.models.described import Described
from seedbed.models.families.bart import OFFSET


@backbones.register("encoder_decoder")
class EncoderDecoder(Described):
    """An encoder and a decoder for denoising and other text to text.

    The defaults are T5 in version 1.1 (Raffel et al., 2020; Shazeer, 2020) with a tied output: root-mean-square norms
    before each block, a learned bias of attention's scores for distances in buckets, shared by all layers of a stack,
    scores that are not divided, a GELU gate, no biases. gated=False, activation="relu", scaled_output=True is the first
    T5. norm="post", positions="learned", gated=False, activation="gelu", bias=True are BART (Lewis et al., 2020): layer
    norms, one of them on the embeddings, and a bias of the logits. Other combinations work and are saved in Seedbed's
    own format; `stock` says which class the settings map to. Attention over the encoder has no positions. A decoder's
    text begins with the padding token, as T5's does. There is no dropout: pretraining sees its data about once.

    layers, decoder_layers: the encoder's and the decoder's; as many in both by default.
    width, heads: the usual; heads divide the width.
    feedforward: inner width; by default 4 times the width, or 8/3 of it (a multiple of 64) where gated, which is
        the same number of weights.
    interleaved: a decoder's layer has a second feedforward, behind its own attention (DeltaLM, Ma et al., 2021), and is
        made like two layers of an encoder (see the step `attach_decoder`).
    tied: the output embedding is the input's.
    scaled_output: hidden states are divided by the square root of the width before the output embedding.
    max_length: the size of the tables of learned positions, and what the folder says of the longest input.
    buckets, max_distance: of relative positions: how many kinds of distances there are, and from where on all are one.
    kernel: "products" (batched products, own backward), "sdpa" (torch's), "flex" (FlexAttention, for GPUs) or "auto" (a
        short probe).
    """

    padded = ("pad", "decoder_start")

    def __init__(
        self,
        *,
        layers: int = 6,
        decoder_layers: int | None = None,
        width: int = 384,
        heads: int = 6,
        feedforward: int | None = None,
        norm: Literal["pre", "post"] = "pre",
        positions: Literal["relative", "learned", "rope", "alibi", "none"] = "relative",
        gated: bool = True,
        activation: Literal["gelu", "gelu_tanh", "relu", "relu2", "silu"] = "gelu_tanh",
        bias: bool = False,
        interleaved: bool = False,
        tied: bool = True,
        scaled_output: bool = False,
        max_length: int = 512,
        buckets: int = 32,
        max_distance: int = 128,
        rope_theta: float = 10_000.0,
        norm_eps: float | None = None,
        kernel: Literal["auto", "products", "sdpa", "flex"] = "auto",
    ) -> None:
        self.configuration: dict[str, Any] = {k: v for k, v in locals().items() if k != "self"}
        self.kernel = kernel
        layer_norm = norm == "post"
        self.fixed: dict[str, Any] = {
            "attention": "encoder-decoder",
            "layers": layers,
            "decoder_layers": layers if decoder_layers is None else decoder_layers,
            "width": width,
            "heads": heads,
            "kv_heads": heads,
            "head_width": head_width_of(width, heads),
            "feedforward": feedforward or default_feedforward(width, gated),
            "max_length": max_length,
            "norm": norm,
            "norm_kind": "layer" if layer_norm else "rms",
            "norm_eps": norm_eps if norm_eps is not None else 1e-5 if layer_norm else 1e-6,
            "norm_bias": layer_norm and bias,
            "embedding_norm": layer_norm,
            "positions": positions,
            "position_offset": OFFSET if positions == "learned" else 0,
            "buckets": buckets,
            "max_distance": max_distance,
            "rope_theta": rope_theta,
            "local_rope_theta": rope_theta,
            "gated": gated,
            "activation": activation,
            "attention_bias": bias,
            "feedforward_bias": bias,
            "output_bias": bias,
            "interleaved": interleaved,
            "tied": tied,
            "scaled_scores": positions != "relative",
            "scaled_output": scaled_output,
        }
        self.architecture(64)  # so that errors in the settings come now
