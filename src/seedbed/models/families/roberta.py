"""RoBERTa (Liu et al., 2019) as `RobertaForMaskedLM` has it; XLM-R (Conneau et al., 2020) and CamemBERT (Martin et al.,
2020) are the same class by other names, and are written as RoBERTa. The pooler is left out.

It is BERT but for the head's activation, which is always the GELU, and for its positions: the class counts the tokens
that are no padding, from the padding token's id on, so its table has a row for each id up to that one before the row
of position 0. Ours has `position_offset` such rows, of which nothing is computed; where the padding token has become
another one, as many of them are written as the class then skips.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seedbed.models.families.base import Config, Part, special_config
from seedbed.models.families.bert import Bert

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

PAD = 1  # where none is known, the class's own
_HEAD = {
    "cls.predictions.transform.dense.": "lm_head.dense.",
    "cls.predictions.transform.LayerNorm.": "lm_head.layer_norm.",
    "cls.predictions.": "lm_head.",
}


class Roberta:
    prefix = "roberta."

    def __init__(self, model_type: str = "roberta", vocabulary_size: int = 50265) -> None:
        """`vocabulary_size` is the one of the class where a configuration says none."""
        self.model_type, self.vocabulary_size = model_type, vocabulary_size

    def describes(self, architecture: Architecture) -> bool:
        a = architecture
        # Without a padding token there is no id that positions could begin behind.
        return a.position_offset > 0 and a.special.get("pad") is not None and is_bert_inside(a)

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        return read(config, key, self.vocabulary_size)

    def config(self, architecture: Architecture) -> dict[str, Any]:
        return {**written(architecture), "architectures": ["RobertaForMaskedLM"], "model_type": "roberta"}

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        return named(architecture, self.prefix)

    def ignored(self, name: str) -> bool:
        return is_copy(name)


def is_bert_inside(a: Architecture) -> bool:
    """Whether all but positions and the head's activation is BERT's."""
    return a.head_activation == "gelu" and Bert().describes(replace(a, position_offset=0, head_activation=a.activation))


def pad_of(a: Architecture) -> int:
    pad = a.special.get("pad")
    return PAD if pad is None else pad


def read(config: dict[str, Any], key: str, vocabulary_size: int) -> Architecture:
    c = Config({"pad_token_id": PAD, "hidden_act": "gelu", "vocab_size": vocabulary_size, **config}, key)
    found = Bert().architecture(c.values, key)
    pad = c.integer("pad_token_id", PAD)
    return replace(
        found,
        position_offset=pad + 1,
        max_length=found.max_length - pad - 1,
        head_activation="gelu",
        special={**c.special(bos=0, eos=2), "pad": pad},
    )


def written(a: Architecture) -> dict[str, Any]:
    """The configuration, but for the class's name."""
    found = {name: value for name, value in Bert().config(a).items() if name != "position_embedding_type"}
    pad = pad_of(a)
    sizes = {"max_position_embeddings": a.max_length + pad + 1, "pad_token_id": pad}
    return {**found, **sizes, **special_config(a, "bos", "eos")}


def named(a: Architecture, prefix: str) -> dict[str, tuple[Part, ...]]:
    """BERT's tensors by RoBERTa's names."""

    def rename(name: str) -> str:
        head = next((berts for berts in _HEAD if name.startswith(berts)), None)
        return prefix + name.removeprefix("bert.") if head is None else _HEAD[head] + name.removeprefix(head)

    found = {ours: tuple(part.renamed(rename) for part in parts) for ours, parts in Bert().names(a).items()}
    (table,) = found["position_embedding.weight"]
    before = pad_of(a) + 1 - a.position_offset
    return {**found, "position_embedding.weight": (table._replace(before=before),)}


def is_copy(name: str) -> bool:
    """Whether a tensor is of no use here."""
    copies = ("lm_head.decoder.weight", "lm_head.decoder.bias")
    return name in copies or "pooler." in name or name.endswith("position_ids")
