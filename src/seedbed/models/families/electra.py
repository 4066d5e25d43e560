"""ELECTRA (Clark et al., 2020): BERT without a head over the vocabulary, as `ElectraForPreTraining` has its
discriminator; or with one, as `ElectraForMaskedLM` has a generator.

Whether a folder is the one or the other says `architectures`. The discriminator's own head is no part of a network
here (`objectives/detection.py` writes it beside the others).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seedbed.models.families.base import Config, Part
from seedbed.models.families.bert import Bert

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

GENERATOR, DISCRIMINATOR = "ElectraForMaskedLM", "ElectraForPreTraining"
PROJECTION = "electra.embeddings_project"
_HEAD = {
    "cls.predictions.transform.dense.": "generator_predictions.dense.",
    "cls.predictions.transform.LayerNorm.": "generator_predictions.LayerNorm.",
    "cls.predictions.bias": "generator_lm_head.bias",
    "bert.": "electra.",
}


class Electra:
    model_type = "electra"
    prefix = "electra."

    def describes(self, architecture: Architecture) -> bool:
        a = architecture
        if a.head and a.head_activation != "gelu":  # a generator's is gelu, whatever its layers have
            return False
        whole = replace(
            a, head=True, head_activation=a.activation, head_bias=True, output_bias=True, embedding_width=None
        )
        return a.tied and a.head == a.head_bias == a.output_bias and Bert().describes(whole)

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        width = Config(config, key).integer("hidden_size", 256)
        tables = Config(config, key).integer("embedding_size", 128)
        defaults = {"hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024}
        head = GENERATOR in (config.get("architectures") or [])
        found = Bert().architecture({**defaults, **config}, key)
        return replace(
            found,
            embedding_width=None if tables == width else tables,
            head=head,
            head_bias=head,
            output_bias=head,
            head_activation="gelu" if head else found.activation,
        )

    def config(self, architecture: Architecture) -> dict[str, Any]:
        a = architecture
        return {
            **Bert().config(a),
            "architectures": [GENERATOR if a.head else DISCRIMINATOR],
            "model_type": "electra",
            "embedding_size": a.table_width,
        }

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        return {
            ours: tuple(Part(_renamed(part.name), part.rows) for part in parts)
            for ours, parts in Bert().names(architecture).items()
        }

    def ignored(self, name: str) -> bool:
        return name.startswith(("discriminator_predictions.", "generator_lm_head.weight")) or name.endswith(
            "position_ids"
        )


def _renamed(name: str) -> str:
    """BERT's name of a tensor as ELECTRA has it."""
    return next((theirs + name.removeprefix(berts) for berts, theirs in _HEAD.items() if name.startswith(berts)), name)
