"""Networks that write a text for another one: trained on pairs, asked for losses, and made to write.

Shapes: B rows, M tokens written so far, T targets, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.evaluate.finetuning import MAX_TOKENS, Training, train
from seedbed.models.encoding import batches
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
        than the end are never written."""
        import torch

        found: list[list[int]] = [[] for _ in sources]
        with torch.no_grad():
            for chosen in batches([len(source) + most for source in sources], MAX_TOKENS):
                live, memory = chosen, self._memory([sources[index] for index in chosen])
                for _ in range(most):
                    said = self._next([(sources[index], found[index]) for index in live], memory)
                    goes_on = np.array(said) != self.marks.end
                    for index, token in zip(live[goes_on], np.array(said)[goes_on], strict=True):
                        found[index].append(int(token))
                    live, memory = live[goes_on], [kept[torch.from_numpy(goes_on)] for kept in memory]
                    if not len(live):
                        break
        return found

    def _memory(self, sources: Sequence[list[int]]) -> list[torch.Tensor]:
        """What a decoder writes from, which is read once: an encoder's states and their segments. None otherwise."""
        if self.kind != "encoder-decoder":
            return []
        read = self.examples([(source, []) for source in sources])
        return [self.network.hidden(read.tokens_BL, read.segments_BL, read.positions_BL), read.segments_BL]

    def _next(self, pairs: Sequence[Pair], memory: list[torch.Tensor]) -> list[int]:
        """The likeliest token behind what is written: where the network is asked for the end."""
        import torch

        examples = self.examples(pairs)
        is_last_T = examples.targets_T == self.marks.end
        where_B = examples.where_T[is_last_T]
        assert len(where_B) == len(pairs)
        if memory:
            states_BD = self.network.decode(*memory, examples.decoder).flatten(0, 1)[where_B]
        else:
            examples.where_T, examples.targets_T = where_B, examples.targets_T[is_last_T]
            states_BD = target_states(self.network, examples)
        logits_BV = self.network.logits(states_BD).float()
        forbidden_V = torch.tensor(self.marks.special_V, device=logits_BV.device)
        forbidden_V[self.marks.end] = False
        logits_BV[:, : len(forbidden_V)].masked_fill_(forbidden_V, -torch.inf)
        logits_BV[:, len(forbidden_V) :] = -torch.inf  # rows of the embedding without a token
        return [int(token) for token in logits_BV.argmax(-1)]
