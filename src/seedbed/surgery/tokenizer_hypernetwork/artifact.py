"""The artifact "tokenizer_hypernetwork": what predicts the embeddings of new tokens for one model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError
from seedbed.core.files import read_json, storage_errors, write_json

if TYPE_CHECKING:
    from seedbed.surgery.tokenizer_hypernetwork.network import EmbeddingPredictor, Tables
    from seedbed.vocabulary.artifact import Tokenizer

FACTS, WEIGHTS = "hypernetwork.json", "hypernetwork.safetensors"


class TokenizerHypernetwork(Artifact):
    """`hypernetwork.safetensors` and `hypernetwork.json`."""

    kind = "tokenizer_hypernetwork"

    @property
    def facts(self) -> dict[str, Any]:
        """`sizes`, and the digest of the `tokenizer` whose pieces it reads."""
        return dict(read_json(self.path / FACTS))

    def predictor(self, tokenizer: Tokenizer, old: Tables) -> EmbeddingPredictor:
        """The network, on the CPU, for a model with this tokenizer and these tables: the one that it was trained for,
        or one that was trained on from that. Raises InputError for any other."""
        from seedbed.surgery.tokenizer_hypernetwork.network import EmbeddingPredictor
        from seedbed.surgery.tokenizer_hypernetwork.sizes import Sizes
        from seedbed.train.tensorfile import read_tensors

        facts = self.facts
        sizes = Sizes(**{**facts["sizes"], "tables": tuple(facts["sizes"]["tables"])})
        wanted = dict.fromkeys(sizes.tables, sizes.width)
        given = {name: table.shape[1] for name, table in old.items()}
        if tokenizer.digest != facts["tokenizer"] or wanted != given:
            raise InputError(
                "hypernetwork",
                "was trained for another model: " + ("other embeddings" if wanted != given else "another tokenizer"),
                value=str(self.path),
                fix="train_tokenizer_hypernetwork with this model, or with the one it was made from",
            )
        predictor = EmbeddingPredictor(sizes)
        predictor.load_state_dict(read_tensors(self.path / WEIGHTS))
        return predictor.eval()


def write_hypernetwork(predictor: EmbeddingPredictor, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the folder."""
    from seedbed.train.tensorfile import write_tensors

    with storage_errors(folder):
        write_tensors(folder / WEIGHTS, dict(predictor.state_dict()))
        write_json(folder / FACTS, {"sizes": vars(predictor.sizes), "tokenizer": tokenizer.digest})
