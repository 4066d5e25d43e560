"""BERT (Devlin et al., 2019) as `BertForMaskedLM` has it; the pooler and the next-sentence head are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.models.families.base import Config, Part, hf_activation, output_bias, special_config, with_bias

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture


class Bert:
    model_type = "bert"
    prefix = "bert."

    def describes(self, architecture: Architecture) -> bool:
        a = architecture
        return (
            a.attention == "bidirectional"
            and (a.norm, a.norm_kind, a.positions) == ("post", "layer", "learned")
            and all((a.norm_bias, a.embedding_norm, a.attention_bias, a.feedforward_bias, a.head, a.head_bias))
            and a.output_bias
            and not a.gated
            and not any(a.windows)
            and not any((a.normformer, a.position_offset, a.scaled_output, a.embedding_width))
            and a.scaled_scores
            and a.token_types > 0
            and a.kv_heads == a.heads
            and a.head_width * a.heads == a.width
            and a.head_activation == a.activation
        )

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        from seedbed.models.architecture import Architecture, head_width_of

        c = Config(config, key)
        c.refuse("position_embedding_type", "absolute", None)
        c.refuse("is_decoder", False, None)
        c.refuse("add_cross_attention", False, None)
        width, heads = c.integer("hidden_size", 768), c.integer("num_attention_heads", 12)
        activation = c.activation("hidden_act", "gelu")
        return Architecture(
            vocabulary_size=c.integer("vocab_size", 30522),
            attention="bidirectional",
            layers=c.integer("num_hidden_layers", 12),
            width=width,
            heads=heads,
            kv_heads=heads,
            head_width=head_width_of(width, heads),
            feedforward=c.integer("intermediate_size", 3072),
            max_length=c.integer("max_position_embeddings", 512),
            norm="post",
            norm_eps=c.number("layer_norm_eps", 1e-12),
            norm_bias=True,
            embedding_norm=True,
            positions="learned",
            token_types=c.integer("type_vocab_size", 2),
            gated=False,
            activation=activation,
            attention_bias=True,
            feedforward_bias=True,
            head=True,
            head_activation=activation,
            head_bias=True,
            output_bias=True,
            tied=c.flag("tie_word_embeddings", True),
            special=c.special(pad=0),
        )

    def config(self, architecture: Architecture) -> dict[str, Any]:
        a = architecture
        return {
            "architectures": ["BertForMaskedLM"],
            "model_type": "bert",
            "vocab_size": a.vocabulary_size,
            "hidden_size": a.width,
            "num_hidden_layers": a.layers,
            "num_attention_heads": a.heads,
            "intermediate_size": a.feedforward,
            "hidden_act": hf_activation(a.activation),
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "max_position_embeddings": a.max_length,
            "type_vocab_size": a.token_types,
            "initializer_range": 0.02,
            "layer_norm_eps": a.norm_eps,
            "position_embedding_type": "absolute",
            "tie_word_embeddings": a.tied,
            **special_config(a, "pad"),
        }

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        a = architecture
        e, head = "bert.embeddings.", "cls.predictions."
        found: dict[str, tuple[Part, ...]] = {
            "embedding.weight": (Part(e + "word_embeddings.weight", a.vocabulary_size),),
            "position_embedding.weight": (Part(e + "position_embeddings.weight", a.max_length + a.position_offset),),
            "type_embedding.weight": (Part(e + "token_type_embeddings.weight", a.token_types),),
            "embedding_norm.weight": (Part(e + "LayerNorm.weight", a.table_width),),
            "embedding_projection.weight": (Part("bert.embeddings_project.weight", a.width),),  # of an ELECTRA alone
            "head_dense.weight": (Part(head + "transform.dense.weight", a.table_width),),
            "head_norm.weight": (Part(head + "transform.LayerNorm.weight", a.table_width),),
            "output_embedding.weight": (Part(head + "decoder.weight", a.vocabulary_size),),
            "output_bias": (output_bias(head + "bias", head + "decoder.bias", a),),
        }
        for index in range(a.layers):
            ours, theirs = f"layers.{index}.", f"bert.encoder.layer.{index}."
            found |= {
                ours + "qkv.weight": tuple(
                    Part(f"{theirs}attention.self.{name}.weight", a.width) for name in ("query", "key", "value")
                ),
                ours + "attention_out.weight": (Part(theirs + "attention.output.dense.weight", a.width),),
                ours + "attention_norm.weight": (Part(theirs + "attention.output.LayerNorm.weight", a.width),),
                ours + "feedforward_in.weight": (Part(theirs + "intermediate.dense.weight", a.feedforward),),
                ours + "feedforward_out.weight": (Part(theirs + "output.dense.weight", a.width),),
                ours + "feedforward_norm.weight": (Part(theirs + "output.LayerNorm.weight", a.width),),
            }
        return with_bias(found, a.shapes())

    def ignored(self, name: str) -> bool:
        copies = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")
        return name in copies or "pooler." in name or "seq_relationship." in name or name.endswith("position_ids")
