"""GPT-2 (Radford et al., 2019) as `GPT2LMHeadModel` has it, whose matrices stand transposed in the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.models.families.base import Config, Part, hf_activation, special_config, with_bias

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

_END = 50256  # the token of the class that begins and ends a text


class Gpt2:
    model_type = "gpt2"
    prefix = "transformer."

    def describes(self, architecture: Architecture) -> bool:
        a = architecture
        return (
            a.attention == "causal"
            and (a.norm, a.norm_kind, a.positions) == ("pre", "layer", "learned")
            and all((a.first_norm, a.norm_bias, a.attention_bias, a.feedforward_bias))
            and not any((a.gated, a.normformer, a.embedding_norm, a.head, a.output_bias, a.token_types))
            and not any((a.position_offset, a.scaled_output, a.embedding_width))
            and not any(a.windows)
            and a.kv_heads == a.heads
            and a.head_width * a.heads == a.width
        )

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        from seedbed.models.architecture import Architecture, head_width_of

        c = Config(config, key)
        c.refuse("add_cross_attention", False, None)
        c.refuse("scale_attn_by_inverse_layer_idx", False, None)
        c.refuse("reorder_and_upcast_attn", False, None)
        width, heads = c.integer("n_embd", 768), c.integer("n_head", 12)
        return Architecture(
            vocabulary_size=c.integer("vocab_size", 50257),
            attention="causal",
            layers=c.integer("n_layer", 12),
            width=width,
            heads=heads,
            kv_heads=heads,
            head_width=head_width_of(width, heads),
            feedforward=c.integer("n_inner", 4 * width),
            max_length=c.integer("n_positions", 1024),
            norm_eps=c.number("layer_norm_epsilon", 1e-5),
            norm_bias=True,
            positions="learned",
            gated=False,
            activation=c.activation("activation_function", "gelu_new"),
            attention_bias=True,
            feedforward_bias=True,
            scaled_scores=c.flag("scale_attn_weights", True),
            tied=c.flag("tie_word_embeddings", True),
            special=c.special(bos=_END, eos=_END),
        )

    def config(self, architecture: Architecture) -> dict[str, Any]:
        a = architecture
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "vocab_size": a.vocabulary_size,
            "n_embd": a.width,
            "n_layer": a.layers,
            "n_head": a.heads,
            "n_inner": a.feedforward,
            "n_positions": a.max_length,
            "n_ctx": a.max_length,  # for early versions of transformers
            # by the name that published configurations have
            "activation_function": "gelu_new" if a.activation == "gelu_tanh" else hf_activation(a.activation),
            "layer_norm_epsilon": a.norm_eps,
            "scale_attn_weights": a.scaled_scores,
            "attn_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "resid_pdrop": 0.0,
            "initializer_range": 0.02,
            "tie_word_embeddings": a.tied,
            **special_config(a, "pad", "bos", "eos"),
        }

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        a = architecture
        found: dict[str, tuple[Part, ...]] = {
            "embedding.weight": (Part("transformer.wte.weight", a.vocabulary_size),),
            "position_embedding.weight": (Part("transformer.wpe.weight", a.max_length),),
            "final_norm.weight": (Part("transformer.ln_f.weight", a.width),),
            "output_embedding.weight": (Part("lm_head.weight", a.vocabulary_size),),
        }
        for index in range(a.layers):
            ours, theirs = f"layers.{index}.", f"transformer.h.{index}."
            found |= {
                ours + "attention_norm.weight": (Part(theirs + "ln_1.weight", a.width),),
                ours + "qkv.weight": (Part(theirs + "attn.c_attn.weight", a.qkv_width, transposed=True),),
                ours + "attention_out.weight": (Part(theirs + "attn.c_proj.weight", a.width, transposed=True),),
                ours + "feedforward_norm.weight": (Part(theirs + "ln_2.weight", a.width),),
                ours + "feedforward_in.weight": (Part(theirs + "mlp.c_fc.weight", a.feedforward, transposed=True),),
                ours + "feedforward_out.weight": (Part(theirs + "mlp.c_proj.weight", a.width, transposed=True),),
            }
        return with_bias(found, a.shapes())

    def ignored(self, name: str) -> bool:
        masks = (".attn.bias", ".attn.masked_bias")  # buffers of earlier versions
        return name == "lm_head.weight" or name.endswith(masks) or name.startswith("multiple_choice_head.")
