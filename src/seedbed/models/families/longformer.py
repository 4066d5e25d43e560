"""Longformer (Beltagy et al., 2020) as `LongformerForMaskedLM` has it: RoBERTa with a sliding window in every layer.

The class has further projections for tokens with global attention. Nothing here trains them: they are written as copies
of the others, as the paper begins with, and not read; without a `global_attention_mask` the class uses none. Its table
of positions has a row for each id up to the padding token's before that of position 0; they are written as zeros.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.models.families.base import Part, special_config
from seedbed.models.families.roberta import is_bert_inside, is_copy, named, read, written

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture


class Longformer:
    model_type = "longformer"
    prefix = "longformer."

    def describes(self, architecture: Architecture) -> bool:
        a = architecture
        local = bool(a.windows) and all(window is not None and window > 0 for window in a.windows)
        return local and is_bert_inside(replace(a, windows=()))

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        found = read(config, key, vocabulary_size=30522)
        given = config.get("attention_window", 512)
        windows = [given] * found.layers if isinstance(given, int) else given
        if not isinstance(windows, list) or len(windows) != found.layers or any(w < 2 or w % 2 for w in windows):
            raise InputError(f"{key}: attention_window", "expected an even number for each layer", value=given)
        return replace(found, windows=tuple(window // 2 for window in windows), position_offset=0)

    def config(self, architecture: Architecture) -> dict[str, Any]:
        return {
            **written(architecture),
            **special_config(architecture, "sep"),
            "architectures": ["LongformerForMaskedLM"],
            "model_type": "longformer",
            "attention_window": [2 * (window or 0) for window in architecture.windows],
        }

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        found = named(architecture, self.prefix)
        return {ours: tuple(map(_with_global, parts)) for ours, parts in found.items()}

    def ignored(self, name: str) -> bool:
        return is_copy(name) or "_global." in name


def _with_global(part: Part) -> Part:
    """A projection with its copy for global attention."""
    kind = next((kind for kind in ("query", "key", "value") if f".self.{kind}." in part.name), None)
    return part if kind is None else part._replace(also=(part.name.replace(f".{kind}.", f".{kind}_global."),))
