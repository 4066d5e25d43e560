"""Our own format, for networks that no stock class is: the same files, loadable by this package only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.models.families.base import Part, special_config

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

NOTE = "No class of transformers is exactly this network; load it with seedbed: Model.open(folder).network()"


class Own:
    model_type = "seedbed"
    prefix = ""

    def describes(self, architecture: Architecture) -> bool:
        return True

    def architecture(self, config: dict[str, Any], key: str) -> Architecture:
        from seedbed.models.architecture import Architecture

        described = config.get("architecture")
        if not isinstance(described, dict):
            raise InputError(f"{key}: architecture", "is missing")
        return Architecture.from_json(described, f"{key}: architecture")

    def config(self, architecture: Architecture) -> dict[str, Any]:
        return {
            "model_type": "seedbed",
            "note": NOTE,
            "vocab_size": architecture.vocabulary_size,
            "architecture": architecture.to_json(),
            **special_config(architecture, "pad", "bos", "eos"),
        }

    def names(self, architecture: Architecture) -> dict[str, tuple[Part, ...]]:
        return {name: (Part(name, shape[0]),) for name, shape in architecture.shapes().items()}

    def ignored(self, name: str) -> bool:
        return False
