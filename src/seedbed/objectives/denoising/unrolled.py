"""Texts that are written all at once: some tokens of what is to be written are replaced by random ones, and a network
that sees all of it says what should stand everywhere; then what it says is read in turn.

Shapes: S texts, N tokens of all of them together, B rows, L tokens a row, T targets, K draws for each, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.counters import key
from seedbed.objectives.base import Examples, Loss
from seedbed.objectives.denoising.pairs import Marks
from seedbed.objectives.denoising.ragged import Ragged, in_rows, join
from seedbed.objectives.denoising.spans import Texts
from seedbed.objectives.prediction import cross_entropy

if TYPE_CHECKING:
    from seedbed.models.network import Network


@dataclass
class Unrolled(Examples):
    """With numbers in [0, 1) that the tokens of each further step are drawn by."""

    draws_TK: Any = None


@dataclass(frozen=True)
class Canvas:
    """What is written on: the ids that may stand there at random, and the marks of the tokenizer. A text on it ends
    with the end token, and padding tokens fill the rest, so that a network says how long it is."""

    marks: Marks
    ids_V: np.ndarray

    @classmethod
    def of(cls, marks: Marks) -> Canvas:
        """All ordinary tokens, the end and padding."""
        return cls(marks, np.unique([*np.flatnonzero(~marks.special_V), marks.end, marks.pad]))

    def random(self, draws: np.ndarray) -> np.ndarray:
        """The tokens that numbers in [0, 1) stand for, all equally likely."""
        return np.asarray(self.ids_V[(draws * len(self.ids_V)).astype(np.int64)])

    def examples(
        self, source: Ragged, target: Ragged, spare_S: np.ndarray, texts: Texts, rows: int, *, steps: int, seed: int
    ) -> Unrolled:
        """Each source with its end, and behind it its target, its end and so many padding tokens, of which a share is
        replaced that is drawn evenly for each text (Savinov et al., 2022, section 2.1)."""
        marks, count = self.marks, len(spare_S)
        padding = Ragged(np.full(int(spare_S.sum()), marks.pad, np.int64), spare_S)
        read, wanted = join(source, Ragged.same(marks.end, count)), join(target, Ragged.same(marks.end, count), padding)
        rate_S = texts.drawn(key(seed, "unrolled", "rate"), np.ones_like(spare_S))
        hit_N = texts.drawn(key(seed, "unrolled", "hit"), wanted.lengths_S) < rate_S[wanted.sequence_N]
        random_N = self.random(texts.drawn(key(seed, "unrolled", "token"), wanted.lengths_S))
        shown = Ragged(np.where(hit_N, random_N, wanted.values_N), wanted.lengths_S)
        both = join(read, shown)
        laid = in_rows(both, texts.row_S, rows, marks.pad)
        where_T = laid.flat_N[both.place_N >= read.lengths_S[both.sequence_N]]
        streams = [key(seed, "unrolled", "step", step) for step in range(1, steps)]
        draws = [texts.drawn(stream, wanted.lengths_S) for stream in streams]
        draws_TK = np.stack(draws, axis=1) if draws else np.empty((len(where_T), 0))
        given = laid.tokens_BL, laid.segments_BL, laid.positions_BL, where_T, wanted.values_N
        return Unrolled(*given, draws_TK=draws_TK)


def unrolled_loss(network: Network, examples: Unrolled) -> Loss:
    """The mean of the steps' cross-entropies at all of the canvas; each step reads tokens drawn from what the one
    before has predicted, with no gradient through the draw. Their own losses are `parts`."""
    from seedbed.models.detection import draw

    tokens_X, shape = examples.tokens_BL.flatten(), examples.tokens_BL.shape
    steps = examples.draws_TK.shape[1] + 1
    total: Any = 0.0
    parts = dict[str, Loss]()
    for step in range(steps):
        hidden_BLD = network.hidden(tokens_X.view(shape), examples.segments_BL, examples.positions_BL)
        hidden_TD = hidden_BLD.flatten(0, 1).index_select(0, examples.where_T)
        loss = cross_entropy(network, hidden_TD, examples.targets_T)
        total = total + loss.sum / steps
        parts[f"step{step + 1}"] = loss.detached()
        if step + 1 < steps:
            states_TD = network.head(hidden_TD).detach()
            drawn_T = draw(states_TD, *_detached(network.output()), examples.draws_TK[:, step])
            tokens_X = tokens_X.index_copy(0, examples.where_T, drawn_T)
    return Loss(total, examples.num_targets, {}, parts)


def _detached(output: tuple[Any, Any]) -> tuple[Any, Any]:
    weight_VD, bias_V = output
    return weight_VD.detach(), None if bias_V is None else bias_V.detach()
