"""Networks that write a text for another one: trained on pairs, asked for losses, and made to write.

Shapes: T targets, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.evaluate.finetuning import MAX_TOKENS, Training, train
from seedbed.models.encoding import batches
from seedbed.models.writing.choice import Choice
from seedbed.models.writing.loop import write
from seedbed.models.writing.reading import NetworkReader, Reader
from seedbed.objectives.base import Examples
from seedbed.objectives.denoising.pairs import Kind, Marks, as_examples
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.prediction import cross_entropy, target_states

if TYPE_CHECKING:
    import torch

Pair = tuple[list[int], list[int]]


@dataclass
class Writer:
    """A network with the marks of its tokenizer. A causal one reads the source as the beginning of its text."""

    network: Any  # Network and torch.nn.Module
    marks: Marks
    mode: int | None = None  # the token before each source

    @property
    def kind(self) -> Kind:
        return "encoder-decoder" if self.network.attention == "encoder-decoder" else "prefix"

    def examples(self, pairs: Sequence[Pair]) -> Examples:
        """A row for each pair, on the network's device; a target without tokens is the end alone."""
        sides = [Ragged.of([pair[side] for pair in pairs]) for side in (0, 1)]
        rows = np.arange(len(pairs))
        found = as_examples(sides[0], sides[1], rows, len(pairs), self.kind, self.marks, self.mode)
        if self.network.attention == "causal":
            found.ranks = None
        return found.to(next(self.network.parameters()).device)

    def fit(self, pairs: Sequence[Pair], *, training: Training, seed: int) -> None:
        """Train the whole network by the cross-entropy of the targets."""
        lengths = np.array([len(source) + len(target) for source, target in pairs])

        def loss(chosen: np.ndarray) -> torch.Tensor:
            examples = self.examples([pairs[index] for index in chosen])
            found = cross_entropy(self.network, target_states(self.network, examples), examples.targets_T)
            return found.sum / max(found.count, 1)

        train(self.network, [], loss, lengths, training=training, seed=seed)

    def nats(self, pairs: Sequence[Pair]) -> np.ndarray:
        """The cross-entropy of each pair's target, its end included, where the network is shown what goes before."""
        import torch

        found = np.zeros(len(pairs))
        with torch.no_grad():
            for chosen in batches([len(source) + len(target) for source, target in pairs], MAX_TOKENS // 4):
                examples = self.examples([pairs[index] for index in chosen])
                logits_TV = self.network.logits(target_states(self.network, examples)).float()
                nats_T = torch.nn.functional.cross_entropy(logits_TV, examples.targets_T, reduction="none")
                written = examples.decoder.tokens_BM if examples.decoder is not None else examples.tokens_BL
                row_T = (examples.where_T // written.shape[1]).cpu().numpy()
                found[chosen] = np.bincount(row_T, nats_T.double().cpu().numpy(), minlength=len(chosen))
        return found

    def write(self, sources: Sequence[list[int]], most: int) -> list[list[int]]:
        """For each source the likeliest token, again and again, until the end or `most` tokens. Special tokens other
        than the end are never written. A source is read once, and what is written too, where the network allows it."""
        forbidden_V = self.marks.special_V.copy()
        forbidden_V[self.marks.end] = False
        return write(
            lambda rows: self._reader([sources[row] for row in rows]),
            [self._beginning(source) for source in sources],
            most,
            Choice(forbidden_V),
            lengths=[len(source) + most for source in sources],
            stops=[[self.marks.end]],
        )

    def _read(self, source: list[int]) -> list[int]:
        """A source with what is around it."""
        return [*([] if self.mode is None else [self.mode]), *source, self.marks.end]

    def _beginning(self, source: list[int]) -> list[int]:
        """Of the row that is written on."""
        return [] if self.kind == "encoder-decoder" else self._read(source)

    def _reader(self, sources: Sequence[list[int]]) -> Reader:
        """What says which token comes next for each source."""
        if self.kind != "encoder-decoder":
            return NetworkReader(self.network, prefix=self.network.attention != "causal", pad=self.marks.pad)
        read = [self._read(source) for source in sources]
        return NetworkReader(self.network, before=[self.marks.pad], sources=read, pad=self.marks.pad)
