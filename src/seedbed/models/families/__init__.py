"""Hugging Face's classes and our own format: each a mapping of configurations and of tensors' names, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.core.errors import unknown_key
from seedbed.models.families import albert, bart, bert, electra, gpt2, llama, longformer, modernbert, own, roberta, t5
from seedbed.models.families.base import Family, Part

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

STOCK: tuple[Family, ...] = (
    bert.Bert(),
    electra.Electra(),
    albert.Albert(),
    longformer.Longformer(),
    roberta.Roberta(),
    modernbert.ModernBert(),
    llama.Llama(),
    gpt2.Gpt2(),
    t5.T5(),
    bart.Bart(),
)
# Other names of a stock class, which are read and not written.
NAMESAKES: tuple[Family, ...] = (roberta.Roberta("xlm-roberta", 30522), roberta.Roberta("camembert", 30522))
FAMILIES: dict[str, Family] = {family.model_type: family for family in (*STOCK, *NAMESAKES, own.Own())}


def family_of(architecture: Architecture) -> Family:
    """The stock class that is exactly this network; our own format if there is none."""
    if architecture.copies > 1 or architecture.sparse or architecture.energy_steps or architecture.primitives:
        return FAMILIES["seedbed"]
    fitting = [FAMILIES["albert"]] if architecture.composed else STOCK
    return next((family for family in fitting if family.describes(architecture)), FAMILIES["seedbed"])


def stock_name(architecture: Architecture) -> str | None:
    """The model type of the stock class, or None."""
    family = family_of(architecture)
    return family.model_type if family in STOCK else None


def family_named(model_type: object, key: str) -> Family:
    if model_type not in FAMILIES:
        raise unknown_key(key, str(model_type), FAMILIES, "model_type")
    return FAMILIES[str(model_type)]


__all__ = ["FAMILIES", "STOCK", "Family", "Part", "family_named", "family_of", "stock_name"]
