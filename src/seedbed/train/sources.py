"""The data of a run: opened tokens, their names, which documents stand behind a row, what was held out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.data.artifact import check_tokenizer

if TYPE_CHECKING:
    from seedbed.data.artifact import Tokens
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Tokenizer

TRAIN, HELD_OUT = "train", "validation"
_ROWS = 64  # of a batch of held-out data


@dataclass
class Sources:
    """The sources of a mixture. Inside, a source is called by its tokens' fingerprint, so that the order of samples
    does not depend on what a recipe calls them; `labels` are for people."""

    files: dict[str, Any]  # name -> TokenFile of the training split
    weights: dict[str, float]
    held_out_files: dict[str, Any]
    labels: dict[str, str]
    tokens: dict[str, Tokens]

    @classmethod
    def open(cls, data: dict[Tokens, float], tokenizer: Tokenizer, *, allow_tokenizer: bool = False) -> Sources:
        """Open all tokens. Raises InputError for weights or data that cannot be trained on."""
        if not data:
            raise InputError("data", "names no source", fix="data: {corpus: 1.0}")
        files, held_out = dict[str, Any](), dict[str, Any]()
        weights, labels = dict[str, float](), dict[str, str]()
        opened: dict[str, Tokens] = {}
        for tokens, weight in sorted(data.items(), key=lambda pair: pair[0].fingerprint):
            label = _label(tokens, labels.values())
            if not 0 <= weight < float("inf"):
                raise InputError(f"data.{label}", "a weight is a number that is not negative", value=weight)
            check_tokenizer(tokens, tokenizer, allow=allow_tokenizer, key=f"data.{label}")
            size = tokenizer.vocabulary().size
            if tokens.facts["vocabulary"] > size:
                raise InputError(
                    f"data.{label}", f"its ids go up to {tokens.facts['vocabulary'] - 1}", allowed=f"0 to {size - 1}"
                )
            name = tokens.fingerprint[:16]
            splits = tokens.splits()
            if TRAIN not in splits:
                raise InputError(f"data.{label}", f"has no split '{TRAIN}'", value=splits)
            files[name], weights[name], labels[name] = tokens.open(TRAIN), weight, label
            opened[name] = tokens
            if not files[name].num_tokens:
                raise InputError(f"data.{label}", "holds no tokens")
            if weight and HELD_OUT in splits and tokens.open(HELD_OUT).num_tokens:
                held_out[name] = tokens.open(HELD_OUT)
        if not any(weights.values()):
            raise InputError("data", "all weights are zero", value=list(weights.values()))
        return cls(files, weights, held_out, labels, opened)

    @property
    def num_tokens(self) -> int:
        """Tokens of one epoch: of all sources that have a weight."""
        return sum(file.num_tokens for name, file in self.files.items() if self.weights[name])

    def describe(self, batch: Batch, rows: np.ndarray) -> list[str]:
        """The documents in some rows of a batch, as `source: id`."""
        found = []
        for _, _, _, source, document, _ in batch.pieces_N6[np.isin(batch.pieces_N6[:, 0], rows)]:
            name = batch.sources[source]
            found.append(f"{self.labels.get(name, name)}: {self.files[name].ids[document]}")
        return list(dict.fromkeys(found))

    def labelled(self, by_source: dict[str, Any]) -> dict[str, Any]:
        """Names for people in place of fingerprints."""
        return {self.labels.get(name, name): value for name, value in by_source.items()}

    def held_out(self, rows: int, length: int, pad: int) -> list[Batch]:
        """The first `rows` rows of held-out data (fewer if there is less), of each source by its weight."""
        from seedbed.data.passes import one_pass

        total = sum(self.weights[name] for name in self.held_out_files)
        batches: list[Batch] = []
        numbered = 0
        for name, file in self.held_out_files.items():
            wanted = math.ceil(rows * self.weights[name] / total)
            for batch in one_pass(file, length, pad, min(_ROWS, max(wanted, 1)), name):
                if wanted <= 0:
                    break
                part = batch.select(slice(0, wanted))
                part.rows_B = part.rows_B + numbered
                batches.append(part)
                wanted -= len(part.rows_B)
            numbered += rows
        return batches


def _label(tokens: Tokens, taken: Iterable[str]) -> str:
    """What a recipe calls the data: for tokens the name of their corpus."""
    origin = next((item for item in tokens.inputs() if item.kind == "corpus"), tokens)
    name = str((origin.manifest or {}).get("name") or origin.path.name)
    label, number = name, 2
    while label in taken:
        label, number = f"{name}-{number}", number + 1
    return label


def endless_batches(
    data: Any, tokenizer: Tokenizer, sampler: Any, length: int, rows: int, *, allow_tokenizer: bool, seed: int
) -> Iterator[Batch]:
    """What a sampler makes of the data, without end; nothing is opened before the first batch is asked for."""
    sources = Sources.open(data, tokenizer, allow_tokenizer=allow_tokenizer)
    stream = sampler.stream(sources.files, sources.weights, length, tokenizer.vocabulary().pad or 0, seed)
    while True:
        yield stream.next(rows)
