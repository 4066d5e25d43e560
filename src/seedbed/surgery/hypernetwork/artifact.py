"""The artifact "hypernetwork": its weights, its sizes, the networks that it was trained on, and their tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.core.artifact import Artifact
from seedbed.core.files import read_json, storage_errors, write_json
from seedbed.models.architecture import Architecture
from seedbed.models.save import TOKENIZER_FILES
from seedbed.vocabulary.artifact import Tokenizer

if TYPE_CHECKING:
    from seedbed.surgery.hypernetwork.network import GraphHypernetwork

FACTS, WEIGHTS, TOKENIZER = "hypernetwork.json", "hypernetwork.safetensors", "tokenizer"
_LISTED = ("layers", "width", "heads", "feedforward")


class Hypernetwork(Artifact):
    """`hypernetwork.safetensors`, `hypernetwork.json`, and a folder `tokenizer`."""

    kind = "hypernetwork"

    @property
    def facts(self) -> dict[str, Any]:
        """`sizes`; `like`, the description of the networks it was trained for; `configurations`, their sizes."""
        return dict(read_json(self.path / FACTS))

    def network(self) -> GraphHypernetwork:
        """The hypernetwork, on the CPU."""
        from seedbed.surgery.hypernetwork.network import GraphHypernetwork, Sizes
        from seedbed.train.tensorfile import read_tensors

        facts = self.facts
        network = GraphHypernetwork(Sizes(**facts["sizes"]), Architecture.from_json(facts["like"], FACTS))
        network.load_state_dict(read_tensors(self.path / WEIGHTS))
        return network

    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the networks."""
        return Tokenizer.open(self.path / TOKENIZER)


def write_hypernetwork(network: GraphHypernetwork, tokenizer_path: Path, folder: Path) -> None:
    """Write the folder."""
    from seedbed.train.tensorfile import write_tensors

    small = [target.architecture.to_json() for target in network.targets]
    facts = {
        "sizes": vars(network.sizes),
        "like": network.like.to_json(),
        "configurations": [{name: one[name] for name in _LISTED} for one in small],
    }
    with storage_errors(folder):
        write_tensors(folder / WEIGHTS, dict(network.state_dict()))
        write_json(folder / FACTS, facts)
        (folder / TOKENIZER).mkdir()
        for name in TOKENIZER_FILES:
            if (tokenizer_path / name).is_file():
                shutil.copyfile(tokenizer_path / name, folder / TOKENIZER / name)
