"""The artifact "model": a Hugging Face folder of a class that this package computes, or of our own format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError

if TYPE_CHECKING:
    import torch

    from seedbed.models.network import Network
    from seedbed.models.transformer import Transformer
    from seedbed.vocabulary.artifact import Tokenizer


class Model(Artifact):
    """`config.json`, `model.safetensors` and a tokenizer's files."""

    kind = "model"

    @classmethod
    def foreign_problem(cls, folder: Path) -> str | None:
        """Why a folder from elsewhere cannot be used; None if it can. Weights are looked for, not read."""
        from seedbed.models.huggingface import read_architecture, weight_files

        try:
            read_architecture(folder)
            weight_files(folder)
        except InputError as error:
            return str(error)
        return None

    @property
    def known(self) -> dict[str, Any]:
        """With the `architecture`."""
        from seedbed.models.huggingface import read_architecture

        return {**super().known, "architecture": read_architecture(self.path)[1]}

    @property
    def configuration(self) -> dict[str, Any]:
        """config.json."""
        from seedbed.models.huggingface import read_config

        return read_config(self.path)

    def network(
        self, device: torch.device | str = "cpu", say: Callable[[str], None] = lambda line: None
    ) -> Transformer:
        """The network, in float32. `say` gets one line if the folder is a bare model whose head was drawn anew."""
        from seedbed.models.huggingface import read_network

        return read_network(self.path, device, say)

    def tokenizer(self) -> Tokenizer:
        """The tokenizer in the same folder; raises InputError if there is none."""
        from seedbed.vocabulary.artifact import Tokenizer

        return Tokenizer.open(self.path)

    def check_fit(self, network: Network) -> None:
        """Raises InputError if the folder's tokenizer has ids for which the network's embedding has no row."""
        tokens, rows = self.tokenizer().vocabulary().size, network.vocabulary_size
        if tokens > rows:
            raise InputError(
                "model",
                f"its tokenizer has {tokens} tokens, and its embedding only {rows} rows",
                value=str(self.path),
                fix="the tokenizer that the model was trained with, in the model's folder",
            )
