"""BART (Lewis et al., 2020) as `BartForConditionalGeneration` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.models.families.base import Config, Part, hf_activation, special_config, with_bias

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

OFFSET = 2  # rows of the tables of positions that stand before that of position 0, and are never used
EPS = 1e-5  # of its norms, which its configuration does not say


class Bart:
    model_type = "bart"
    prefix = "model."

    def describes(self, architecture: Architecture) -> bool:
        a = architecture
        return (
            a.attention == "encoder-decoder"
            and (a.norm, a.norm_kind, a.norm_eps, a.positions) == ("post", "layer", EPS, "learned")
            and a.position_offset == OFFSET
            and all((a.norm_bias, a.embedding_norm, a.attention_bias, a.feedforward_bias, a.output_bias))
            and not any((a.gated, a.interleaved))
            and a.tied
            and a.scaled_scores
            and not a.scaled_output
            and a.kv_heads == a.heads
            and a.head_width * a.heads == a.width
        )

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        from seedbed.models.architecture import Architecture, head_width_of

        c = Config(config, key)
        c.refuse("scale_embedding", False, None)
        c.refuse("tie_word_embeddings", True)
        width, heads = c.integer("d_model", 1024), c.integer("encoder_attention_heads", 16)
        feedforward = c.integer("encoder_ffn_dim", 4096)
        c.refuse("decoder_attention_heads", heads)
        c.refuse("decoder_ffn_dim", feedforward)
        return Architecture(
            vocabulary_size=c.integer("vocab_size", 50265),
            attention="encoder-decoder",
            layers=c.integer("encoder_layers", 12),
            decoder_layers=c.integer("decoder_layers", 12),
            width=width,
            heads=heads,
            kv_heads=heads,
            head_width=head_width_of(width, heads),
            feedforward=feedforward,
            max_length=c.integer("max_position_embeddings", 1024),
            norm="post",
            norm_eps=EPS,
            norm_bias=True,
            embedding_norm=True,
            positions="learned",
            position_offset=OFFSET,
            gated=False,
            activation=c.activation("activation_function", "gelu"),
            attention_bias=True,
            feedforward_bias=True,
            output_bias=True,
            special=c.special(pad=1, bos=0, eos=2, decoder_start=2),
        )

    def config(self, architecture: Architecture) -> dict[str, Any]:
        a = architecture
        sizes = {"layers": a.layers, "attention_heads": a.heads, "ffn_dim": a.feedforward}
        return {
            "architectures": ["BartForConditionalGeneration"],
            "model_type": "bart",
            "is_encoder_decoder": True,
            "vocab_size": a.vocabulary_size,
            "d_model": a.width,
            **{f"encoder_{name}": value for name, value in sizes.items()},
            **{f"decoder_{name}": value for name, value in {**sizes, "layers": a.decoder_layers}.items()},
            "activation_function": hf_activation(a.activation),
            "max_position_embeddings": a.max_length,
            "dropout": 0.0,
            "attention_dropout": 0.0,
            "activation_dropout": 0.0,
            "init_std": 0.02,
            "scale_embedding": False,
            "tie_word_embeddings": True,
            "forced_eos_token_id": a.special.get("eos"),
            **special_config(a, "pad", "bos", "eos", "decoder_start"),
        }

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        a = architecture
        shape = (1, a.vocabulary_size)
        found: dict[str, tuple[Part, ...]] = {
            "embedding.weight": (Part("model.shared.weight", a.vocabulary_size),),
            "output_bias": (Part("final_logits_bias", a.vocabulary_size, shape),),
        }
        for stack, theirs, layers in (
            ("", "model.encoder.", a.layers),
            ("decoder.", "model.decoder.", a.decoder_layers),
        ):
            places = Part(f"{theirs}embed_positions.weight", a.max_length + OFFSET)
            found[f"{stack}position_embedding.weight"] = (places,)
            found[f"{stack}embedding_norm.weight"] = (Part(f"{theirs}layernorm_embedding.weight", a.width),)
            for index in range(layers):
                block = _block(a, f"{theirs}layers.{index}.", cross=bool(stack))
                found |= {f"{stack}layers.{index}.{name}.weight": parts for name, parts in block.items()}
        return with_bias(found, a.shapes())

    def ignored(self, name: str) -> bool:
        copies = ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight")
        return name in copies or name in ("model.encoder.version", "model.decoder.version")


def _block(a: Architecture, block: str, *, cross: bool) -> dict[str, tuple[Part, ...]]:
    attention, across = f"{block}self_attn.", f"{block}encoder_attn."
    found = {
        "qkv": tuple(Part(f"{attention}{name}_proj.weight", a.width) for name in "qkv"),
        "attention_out": (Part(f"{attention}out_proj.weight", a.width),),
        "attention_norm": (Part(f"{block}self_attn_layer_norm.weight", a.width),),
        "feedforward_in": (Part(f"{block}fc1.weight", a.feedforward),),
        "feedforward_out": (Part(f"{block}fc2.weight", a.width),),
        "feedforward_norm": (Part(f"{block}final_layer_norm.weight", a.width),),
    }
    if cross:
        found |= {
            "cross.query": (Part(f"{across}q_proj.weight", a.width),),
            "cross.memory": tuple(Part(f"{across}{name}_proj.weight", a.width) for name in "kv"),
            "cross.attention_out": (Part(f"{across}out_proj.weight", a.width),),
            "cross_norm": (Part(f"{block}encoder_attn_layer_norm.weight", a.width),),
        }
    return found
