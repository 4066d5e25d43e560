"""ALBERT (Lan et al., 2020) as `AlbertForMaskedLM` has it: BERT of one layer that is read again and again, from narrow
tables. The pooler and the head for the order of sentences are left out; so are several groups of layers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seedbed.models.families.base import Config, Part, special_config
from seedbed.models.families.bert import Bert

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

# BERT's names of tensors, by their beginnings and by what stands within a layer
_NAMES = {
    "cls.predictions.transform.": "predictions.",
    "cls.predictions.": "predictions.",
    "bert.embeddings_project.": "albert.encoder.embedding_hidden_mapping_in.",
    "bert.encoder.layer.0.": "albert.encoder.albert_layer_groups.0.albert_layers.0.",
    "bert.": "albert.",
}
_WITHIN = {
    ".attention.self.": ".attention.",
    ".attention.output.": ".attention.",
    ".intermediate.dense.": ".ffn.",
    ".output.dense.": ".ffn_output.",
    ".output.LayerNorm.": ".full_layer_layer_norm.",
}


class Albert:
    model_type = "albert"
    prefix = "albert."

    def describes(self, architecture: Architecture) -> bool:
        a = architecture
        plain = a.shared == "all" and a.embedding_width is not None and not (a.mixers or a.feedforwards)
        return plain and Bert().describes(replace(a, shared=False, embedding_width=None))

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        c = Config(config, key)
        c.refuse("num_hidden_groups", 1, None)
        c.refuse("inner_group_num", 1, None)
        defaults = {
            "vocab_size": 30000,
            "hidden_size": 4096,
            "num_attention_heads": 64,
            "intermediate_size": 16384,
            "hidden_act": "gelu_new",
        }
        found = Bert().architecture({**defaults, **config}, key)
        special = c.special(pad=0, bos=2, eos=3)
        return replace(found, shared="all", embedding_width=c.integer("embedding_size", 128), special=special)

    def config(self, architecture: Architecture) -> dict[str, Any]:
        a = architecture
        return {
            **Bert().config(a),
            "architectures": ["AlbertForMaskedLM"],
            "model_type": "albert",
            "embedding_size": a.table_width,
            "num_hidden_groups": 1,
            "inner_group_num": 1,
            **special_config(a, "pad", "bos", "eos"),
        }

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        return {
            ours: tuple(part.renamed(_renamed) for part in parts) for ours, parts in Bert().names(architecture).items()
        }

    def ignored(self, name: str) -> bool:
        copies = ("predictions.decoder.weight", "predictions.decoder.bias")
        return name in copies or "pooler" in name or "sop_classifier." in name or name.endswith("position_ids")


def _renamed(name: str) -> str:
    """BERT's name of a tensor as ALBERT has it."""
    for berts, theirs in _NAMES.items():
        if name.startswith(berts):
            name = theirs + name.removeprefix(berts)
            break
    return next((name.replace(berts, theirs) for berts, theirs in _WITHIN.items() if berts in name), name)
