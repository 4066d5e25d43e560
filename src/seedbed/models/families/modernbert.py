"""ModernBERT (Warner et al., 2024) as `ModernBertForMaskedLM` has it, local attention windows included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.models.families.base import Config, Part, hf_activation, special_config, with_bias

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture


class ModernBert:
    model_type = "modernbert"
    prefix = "model."

    def describes(self, architecture: Architecture) -> bool:
        a = architecture
        return (
            a.attention == "bidirectional"
            and (a.norm, a.norm_kind, a.positions) == ("pre", "layer", "rope")
            and all((a.gated, a.embedding_norm, a.head))
            and not a.first_norm
            and not any((a.normformer, a.scaled_output, a.embedding_width))
            and a.scaled_scores
            and not a.token_types
            and a.kv_heads == a.heads
            and a.head_width * a.heads == a.width
            and len({window for window in a.windows if window is not None}) <= 1
        )

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        from seedbed.models.architecture import Architecture, head_width_of

        c = Config(config, key)
        width, heads, layers = c.integer("hidden_size", 768), c.integer("num_attention_heads", 12), _layers(c)
        rope = config.get("rope_parameters") or {}
        scaling = config.get("rope_scaling")
        norm_bias = c.flag("norm_bias", False)
        return Architecture(
            vocabulary_size=c.integer("vocab_size", 50368),
            attention="bidirectional",
            layers=layers,
            width=width,
            heads=heads,
            kv_heads=heads,
            head_width=head_width_of(width, heads),
            feedforward=c.integer("intermediate_size", 1152),
            max_length=c.integer("max_position_embeddings", 8192),
            norm_eps=c.number("norm_eps", 1e-5),
            norm_bias=norm_bias,
            embedding_norm=True,
            first_norm=False,
            rope_theta=c.theta(rope.get("full_attention") or scaling, c.number("global_rope_theta", 160_000.0)),
            local_rope_theta=c.theta(rope.get("sliding_attention") or scaling, c.number("local_rope_theta", 10_000.0)),
            windows=_windows(c, layers),
            activation=c.activation("hidden_activation", "gelu"),
            attention_bias=c.flag("attention_bias", False),
            feedforward_bias=c.flag("mlp_bias", False),
            head=True,
            head_activation=c.activation("classifier_activation", "gelu"),
            head_bias=c.flag("classifier_bias", False),
            output_bias=c.flag("decoder_bias", True),
            tied=c.flag("tie_word_embeddings", True),
            special=c.special(),
        )

    def config(self, architecture: Architecture) -> dict[str, Any]:
        a = architecture
        windows = a.windows or (None,) * a.layers
        half = next((window for window in windows if window is not None), 64)
        every = next((n for n in range(1, a.layers + 1) if _pattern(n, half, a.layers) == windows), None)
        return {
            "architectures": ["ModernBertForMaskedLM"],
            "model_type": "modernbert",
            "vocab_size": a.vocabulary_size,
            "hidden_size": a.width,
            "num_hidden_layers": a.layers,
            "num_attention_heads": a.heads,
            "intermediate_size": a.feedforward,
            "hidden_activation": hf_activation(a.activation),
            "max_position_embeddings": a.max_length,
            "norm_eps": a.norm_eps,
            "norm_bias": a.norm_bias,
            "attention_bias": a.attention_bias,
            "mlp_bias": a.feedforward_bias,
            "classifier_activation": hf_activation(a.head_activation),
            "classifier_bias": a.head_bias,
            "decoder_bias": a.output_bias,
            "tie_word_embeddings": a.tied,
            "local_attention": 2 * half,
            "layer_types": ["full_attention" if window is None else "sliding_attention" for window in windows],
            # The same in the keys of transformers 4, which knows patterns only.
            **({} if every is None else {"global_attn_every_n_layers": every}),
            "global_rope_theta": a.rope_theta,
            "local_rope_theta": a.local_rope_theta,
            "rope_parameters": {
                "full_attention": {"rope_type": "default", "rope_theta": a.rope_theta},
                "sliding_attention": {"rope_type": "default", "rope_theta": a.local_rope_theta},
            },
            "attention_dropout": 0.0,
            "embedding_dropout": 0.0,
            "mlp_dropout": 0.0,
            "initializer_range": 0.02,
            **special_config(a, "pad", "bos", "eos", "cls", "sep"),
        }

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        a = architecture
        inner = 2 * a.feedforward
        found: dict[str, tuple[Part, ...]] = {
            "embedding.weight": (Part("model.embeddings.tok_embeddings.weight", a.vocabulary_size),),
            "embedding_norm.weight": (Part("model.embeddings.norm.weight", a.width),),
            "final_norm.weight": (Part("model.final_norm.weight", a.width),),
            "head_dense.weight": (Part("head.dense.weight", a.width),),
            "head_norm.weight": (Part("head.norm.weight", a.width),),
            "output_embedding.weight": (Part("decoder.weight", a.vocabulary_size),),
            "output_bias": (Part("decoder.bias", a.vocabulary_size),),
        }
        for index in range(a.layers):
            ours, theirs = f"layers.{index}.", f"model.layers.{index}."
            found |= {
                ours + "attention_norm.weight": (Part(theirs + "attn_norm.weight", a.width),),
                ours + "qkv.weight": (Part(theirs + "attn.Wqkv.weight", a.qkv_width),),
                ours + "attention_out.weight": (Part(theirs + "attn.Wo.weight", a.width),),
                ours + "feedforward_norm.weight": (Part(theirs + "mlp_norm.weight", a.width),),
                ours + "feedforward_in.weight": (Part(theirs + "mlp.Wi.weight", inner),),
                ours + "feedforward_out.weight": (Part(theirs + "mlp.Wo.weight", a.width),),
            }
        return with_bias(found, a.shapes())

    def ignored(self, name: str) -> bool:
        return name == "decoder.weight" or name.endswith("inv_freq")


def _layers(config: Config) -> int:
    return config.integer("num_hidden_layers", 22)


def _pattern(every: int, half: int, layers: int) -> tuple[int | None, ...]:
    return tuple(None if index % every == 0 else half for index in range(layers))


def _windows(config: Config, layers: int) -> tuple[int | None, ...]:
    """How far attention sees in each layer: `local_attention // 2` tokens to each side in the local ones."""
    half = config.integer("local_attention", 128) // 2
    types = config.values.get("layer_types")
    if types is None:
        found = _pattern(config.integer("global_attn_every_n_layers", 3), half, layers)
    else:
        known = {"full_attention": None, "sliding_attention": half}
        if len(types) != layers or any(name not in known for name in types):
            raise InputError(
                f"{config.key}: layer_types", f"expected {layers} names", value=types, allowed=sorted(known)
            )
        found = tuple(known[name] for name in types)
    return found if any(window is not None for window in found) else ()
