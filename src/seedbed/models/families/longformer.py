"""Longformer (Beltagy et al., 2020) as `LongformerForMaskedLM` has it: BERT with a sliding window in every layer.

The class has further projections for tokens with global attention. Nothing here trains them: they are written as copies
of the others, as the paper begins with, and not read; without a `global_attention_mask` the class uses none. Its table
of positions has a row for each id up to the padding token's before that of position 0; they are written as zeros.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.models.families.base import Config, Part
from seedbed.models.families.bert import Bert

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

_NAMES = {
    "cls.predictions.transform.dense.": "lm_head.dense.",
    "cls.predictions.transform.LayerNorm.": "lm_head.layer_norm.",
    "cls.predictions.decoder.": "lm_head.decoder.",
    "cls.predictions.bias": "lm_head.bias",
    "bert.": "longformer.",
}
_PAD = 1  # where none is known, the class's own


class Longformer:
    model_type = "longformer"
    prefix = "longformer."

    def describes(self, architecture: Architecture) -> bool:
        a = architecture
        local = bool(a.windows) and all(window is not None and window > 0 for window in a.windows)
        return local and a.head_activation == "gelu" and Bert().describes(replace(a, windows=()))

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        c = Config({"pad_token_id": _PAD, **config}, key)
        defaults = {"vocab_size": 30522, "hidden_act": "gelu"}
        found = Bert().architecture({**defaults, **config}, key)
        given = config.get("attention_window", 512)
        windows = [given] * found.layers if isinstance(given, int) else given
        if not isinstance(windows, list) or len(windows) != found.layers or any(w < 2 or w % 2 for w in windows):
            raise InputError(f"{key}: attention_window", "expected an even number for each layer", value=given)
        pad = c.integer("pad_token_id")
        return replace(
            found,
            windows=tuple(window // 2 for window in windows),
            max_length=found.max_length - pad - 1,
            head_activation="gelu",
            special={**found.special, "pad": pad},
        )

    def config(self, architecture: Architecture) -> dict[str, Any]:
        a, pad = architecture, _pad(architecture)
        found = {name: value for name, value in Bert().config(a).items() if name != "position_embedding_type"}
        return {
            **found,
            "architectures": ["LongformerForMaskedLM"],
            "model_type": "longformer",
            "attention_window": [2 * (window or 0) for window in a.windows],
            "max_position_embeddings": a.max_length + pad + 1,
            "pad_token_id": pad,
            **{f"{name}_token_id": a.special.get(name) for name in ("bos", "eos", "sep")},
        }

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        found = {ours: tuple(_renamed(part) for part in parts) for ours, parts in Bert().names(architecture).items()}
        (table,) = found["position_embedding.weight"]
        return {**found, "position_embedding.weight": (table._replace(before=_pad(architecture) + 1),)}

    def ignored(self, name: str) -> bool:
        copies = ("lm_head.decoder.weight", "lm_head.decoder.bias")
        return name in copies or "pooler." in name or "_global." in name or name.endswith("position_ids")


def _pad(architecture: Architecture) -> int:
    pad = architecture.special.get("pad")
    return _PAD if pad is None else pad


def _renamed(part: Part) -> Part:
    """BERT's tensor as Longformer has it, with its copy for global attention."""
    name = next(
        (theirs + part.name.removeprefix(berts) for berts, theirs in _NAMES.items() if part.name.startswith(berts)),
        part.name,
    )
    kind = next((kind for kind in ("query", "key", "value") if f".self.{kind}." in name), None)
    return Part(name, part.rows, also=() if kind is None else (name.replace(f".{kind}.", f".{kind}_global."),))
