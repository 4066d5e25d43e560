"""T5 (Raffel et al., 2020) and its version 1.1 (Shazeer, 2020) as `T5ForConditionalGeneration` has them.

transformers 5 keeps two things apart in config.json: `scale_decoder_outputs` says whether hidden states are divided by
the square root of the width before the logits, and whether the output embedding is the input's is seen from the
tensors. Older configurations say both by `tie_word_embeddings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.models.families.base import HF_ACTIVATIONS, Config, Part, hf_activation, special_config

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

MAX_LENGTH = 512  # what T5 was trained on; there is no limit in it, and its configuration has no place for one


class T5:
    model_type = "t5"
    prefix = ""

    def describes(self, architecture: Architecture) -> bool:
        a = architecture
        return (
            a.attention == "encoder-decoder"
            and (a.norm, a.norm_kind, a.positions) == ("pre", "rms", "relative")
            and a.first_norm
            and not any((a.embedding_norm, a.norm_bias, a.attention_bias, a.feedforward_bias, a.output_bias))
            and not any((a.scaled_scores, a.normformer, a.interleaved))
            and a.kv_heads == a.heads
            and not (a.gated and a.activation == "gelu")  # "gated-gelu" is the one with tanh
        )

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        from seedbed.models.architecture import Architecture

        c = Config(config, key)
        c.refuse("is_encoder_decoder", True)
        heads, layers = c.integer("num_heads", 8), c.integer("num_layers", 6)
        gated, activation = _feedforward(c)
        tied = config.get("tie_word_embeddings") is not False
        return Architecture(
            vocabulary_size=c.integer("vocab_size", 32128),
            attention="encoder-decoder",
            layers=layers,
            decoder_layers=c.integer("num_decoder_layers", layers),
            width=c.integer("d_model", 512),
            heads=heads,
            kv_heads=heads,
            head_width=c.integer("d_kv", 64),
            feedforward=c.integer("d_ff", 2048),
            max_length=c.integer("n_positions", MAX_LENGTH),
            norm_kind="rms",
            norm_eps=c.number("layer_norm_epsilon", 1e-6),
            positions="relative",
            buckets=c.integer("relative_attention_num_buckets", 32),
            max_distance=c.integer("relative_attention_max_distance", 128),
            gated=gated,
            activation=activation,
            tied=tied,
            scaled_scores=False,
            scaled_output=c.flag("scale_decoder_outputs", tied),
            special=c.special(pad=0, eos=1),
        )

    def config(self, architecture: Architecture) -> dict[str, Any]:
        a = architecture
        name = "gelu" if a.gated and a.activation == "gelu_tanh" else hf_activation(a.activation)
        return {
            "architectures": ["T5ForConditionalGeneration"],
            "model_type": "t5",
            "is_encoder_decoder": True,
            "vocab_size": a.vocabulary_size,
            "d_model": a.width,
            "d_kv": a.head_width,
            "d_ff": a.feedforward,
            "num_layers": a.layers,
            "num_decoder_layers": a.decoder_layers,
            "num_heads": a.heads,
            "n_positions": a.max_length,
            "relative_attention_num_buckets": a.buckets,
            "relative_attention_max_distance": a.max_distance,
            "feed_forward_proj": f"gated-{name}" if a.gated else name,
            "layer_norm_epsilon": a.norm_eps,
            "dropout_rate": 0.0,
            "initializer_factor": 1.0,
            "tie_word_embeddings": a.tied,
            "scale_decoder_outputs": a.scaled_output,
            **special_config(a, "pad", "eos", "decoder_start"),
        }

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        a = architecture
        found: dict[str, tuple[Part, ...]] = {"embedding.weight": (Part("shared.weight", a.vocabulary_size),)}
        if not a.tied:
            found["output_embedding.weight"] = (Part("lm_head.weight", a.vocabulary_size),)
        for stack, theirs, layers in (("", "encoder.", a.layers), ("decoder.", "decoder.", a.decoder_layers)):
            bias = f"{theirs}block.0.layer.0.SelfAttention.relative_attention_bias.weight"
            found[f"{stack}distance_embedding.weight"] = (Part(bias, a.buckets),)
            found[f"{stack}final_norm.weight"] = (Part(f"{theirs}final_layer_norm.weight", a.width),)
            for index in range(layers):
                block = _block(a, f"{theirs}block.{index}.layer.", cross=bool(stack))
                found |= {f"{stack}layers.{index}.{name}.weight": parts for name, parts in block.items()}
        return found

    def ignored(self, name: str) -> bool:
        copies = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
        return name in copies or name == "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"


def _block(a: Architecture, block: str, *, cross: bool) -> dict[str, tuple[Part, ...]]:
    last = 2 if cross else 1
    attention, across, inner = (
        f"{block}0.SelfAttention.",
        f"{block}1.EncDecAttention.",
        f"{block}{last}.DenseReluDense.",
    )
    into = ("wi_0", "wi_1") if a.gated else ("wi",)
    found = {
        "attention_norm": (Part(f"{block}0.layer_norm.weight", a.width),),
        "qkv": tuple(Part(f"{attention}{name}.weight", a.query_width) for name in "qkv"),
        "attention_out": (Part(f"{attention}o.weight", a.width),),
        "feedforward_norm": (Part(f"{block}{last}.layer_norm.weight", a.width),),
        "feedforward_in": tuple(Part(f"{inner}{name}.weight", a.feedforward) for name in into),
        "feedforward_out": (Part(f"{inner}wo.weight", a.width),),
    }
    if cross:
        found |= {
            "cross_norm": (Part(f"{block}1.layer_norm.weight", a.width),),
            "cross.query": (Part(f"{across}q.weight", a.query_width),),
            "cross.memory": tuple(Part(f"{across}{name}.weight", a.query_width) for name in "kv"),
            "cross.attention_out": (Part(f"{across}o.weight", a.width),),
        }
    return found


def _feedforward(config: Config) -> tuple[bool, str]:
    """Whether it is gated, and its activation; "gated-gelu" stands for the one with tanh."""
    value = str(config.values.get("feed_forward_proj", "relu"))
    first, _, last = value.partition("-")
    gated, name = (True, last) if first == "gated" else (False, value)
    name = "gelu_new" if value == "gated-gelu" else name
    if name not in HF_ACTIVATIONS:
        allowed = [*HF_ACTIVATIONS, *(f"gated-{known}" for known in HF_ACTIVATIONS)]
        raise InputError(f"{config.key}: feed_forward_proj", "is not supported", value=value, allowed=allowed)
    return gated, HF_ACTIVATIONS[name]
