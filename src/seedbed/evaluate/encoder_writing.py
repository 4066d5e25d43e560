"""Encoders that write: one bidirectional network reads a source and writes a target behind it.

Token by token by masks of attention (s2s-ft, Bao et al., 2021; after UniLM, Dong et al., 2019, and UniLMv2, Bao et al.,
2020), or all at once in some passes (SUNDAE, Savinov et al., 2022; UT5, Salem et al., 2023).

Shapes: B rows, L tokens a row, S pairs, N tokens of all of them together, V vocabulary.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seedbed.core.counters import key, uniform
from seedbed.evaluate.finetuning import MAX_TOKENS, Training, train
from seedbed.evaluate.writing import Pair, Writer
from seedbed.models.encoding import batches
from seedbed.models.network import Ranks
from seedbed.models.writing.reading import Reader, Rows
from seedbed.objectives.base import Examples
from seedbed.objectives.denoising.pairs import Marks
from seedbed.objectives.denoising.ragged import Ragged, in_rows, join
from seedbed.objectives.denoising.spans import Texts
from seedbed.objectives.denoising.unrolled import Canvas, unrolled_loss
from seedbed.objectives.prediction import cross_entropy, target_states

if TYPE_CHECKING:
    import torch

    from seedbed.vocabulary.artifact import Vocabulary

Way = Literal["causal", "masked", "pseudo_masked", "parallel"]


def encoder_writer(
    way: Way, network: Any, marks: Marks, mode: int | None, vocabulary: Vocabulary, passes: int
) -> Writer:
    """The network as one that writes so. Raises InputError if it takes a mask token and the tokenizer has none."""
    if way == "causal":
        return Writer(network, marks, mode)
    if way == "parallel":
        return ParallelWriter(network, marks, mode, passes)
    return MaskedWriter(network, marks, mode, marks.mask(vocabulary), way == "pseudo_masked")


@dataclass
class MaskedWriter(Writer):
    """A mask token stands where the next token is to be predicted; it sees the source, what is written before that
    place, and itself. The source sees itself alone, and what is written no further than itself.

    Trained `pseudo` masked, each token of a target has a mask of its own at its position, behind the target, so that
    all are predicted at once, as they are when the network writes. Else 0.5 of a target's tokens are masked in place,
    drawn anew in every batch; their masks are then seen by what comes behind them (the share is ours).
    """

    mask: int = 0
    pseudo: bool = True

    def examples(self, pairs: Sequence[Pair]) -> Examples:
        """A mask for each token of the targets, their ends included: what the network predicts when it writes."""
        source, target = self._sides(pairs)
        wanted = join(target, Ragged.same(self.marks.end, len(pairs)))
        masks = Ragged(np.full(len(wanted.values_N), self.mask, np.int64), wanted.lengths_S)
        both = join(source, target, masks)
        read_N, written_N = (part.lengths_S[both.sequence_N] for part in (source, target))
        number_N = both.place_N - read_N  # of the target's tokens, from 0
        is_target_N, is_mask_N = number_N >= 0, number_N >= written_N
        number_N = np.where(is_mask_N, number_N - written_N, number_N)
        shown_N = np.where(is_mask_N, len(both.values_N) + 1, np.where(is_target_N, number_N + 1, 0))
        sees_N = np.where(is_mask_N, number_N, np.where(is_target_N, number_N + 1, 0))
        return self._laid(both, read_N + number_N, is_mask_N, shown_N, sees_N, wanted.values_N)

    def masked(self, pairs: Sequence[Pair], draws: int) -> Examples:
        """Targets of which some tokens are masked, at least one of each."""
        source, target = self._sides(pairs)
        wanted = join(target, Ragged.same(self.marks.end, len(pairs)))
        chance_N = uniform(draws, wanted.sequence_N, wanted.place_N)
        lowest_S = np.minimum.reduceat(chance_N, wanted.starts_S)
        hit_N = (chance_N < 0.5) | (chance_N == lowest_S[wanted.sequence_N])
        both = join(source, Ragged(np.where(hit_N, self.mask, wanted.values_N), wanted.lengths_S))
        number_N = both.place_N - source.lengths_S[both.sequence_N]
        order_N = np.maximum(number_N + 1, 0)
        is_hit_N = join(Ragged(np.zeros_like(source.values_N), source.lengths_S), Ragged(hit_N, wanted.lengths_S))
        return self._laid(both, both.place_N, is_hit_N.values_N > 0, order_N, order_N, wanted.values_N[hit_N])

    def fit(self, pairs: Sequence[Pair], *, training: Training, seed: int) -> None:
        """By pseudo masks as every writer, or by masks in place."""
        if self.pseudo:
            return super().fit(pairs, training=training, seed=seed)
        steps = itertools.count()

        def loss(chosen: np.ndarray) -> torch.Tensor:
            examples = self.masked([pairs[index] for index in chosen], key(seed, "masked", next(steps)))
            found = cross_entropy(self.network, target_states(self.network, examples), examples.targets_T)
            return found.sum / found.count

        train(self.network, [], loss, _lengths(pairs), training=training, seed=seed)

    def _beginning(self, source: list[int]) -> list[int]:
        """What is written stands alone: the mask's reader knows its source."""
        return []

    def _reader(self, sources: Sequence[list[int]]) -> Reader:
        return _MaskReader(self, [*sources])

    def _sides(self, pairs: Sequence[Pair]) -> tuple[Ragged, Ragged]:
        """Sources, with what is around them, and targets without their ends."""
        before = [] if self.mode is None else [self.mode]
        return Ragged.of([[*before, *source, self.marks.end] for source, _ in pairs]), Ragged.of(
            [two for _, two in pairs]
        )

    def _laid(
        self,
        both: Ragged,
        place_N: np.ndarray,
        is_wanted_N: np.ndarray,
        shown_N: np.ndarray,
        sees_N: np.ndarray,
        targets_T: np.ndarray,
    ) -> Examples:
        """A row for each pair, with its ranks, on the network's device."""
        rows = np.arange(len(both.lengths_S))
        laid = in_rows(both, rows, len(rows), self.marks.pad)
        shown_BL, sees_BL = np.zeros_like(laid.tokens_BL), np.zeros_like(laid.tokens_BL)
        for array_BL, values_N in ((laid.positions_BL, place_N), (shown_BL, shown_N), (sees_BL, sees_N)):
            array_BL.ravel()[laid.flat_N] = values_N
        given = laid.tokens_BL, laid.segments_BL, laid.positions_BL, laid.flat_N[is_wanted_N], targets_T
        return Examples(*given, ranks=Ranks(shown_BL, sees_BL)).to(next(self.network.parameters()).device)


@dataclass
class _MaskReader(Reader):
    """What a masked writer thinks comes next: at a mask behind what is written, in a pass over all."""

    writer: MaskedWriter
    sources: list[list[int]]

    def logits(self, rows: Rows) -> torch.Tensor:
        """At the last mask of each row, that of the end."""
        import torch

        with torch.no_grad():
            examples = self.writer.examples(list(zip(self.sources, rows, strict=True)))
            lasts_B = np.cumsum([len(row) + 1 for row in rows]) - 1
            examples.where_T = examples.where_T[torch.from_numpy(lasts_B).to(examples.where_T)]
            return self.writer.network.logits(target_states(self.writer.network, examples))  # type: ignore[no-any-return]

    def select(self, row_B: np.ndarray) -> None:
        """Only these of the sources."""
        self.sources = [self.sources[row] for row in row_B]


@dataclass
class ParallelWriter(Writer):
    """Writes all of a text at once: random tokens, in whose stead the likeliest ones are put, `passes` times. The end
    token says where the text ends. Trained by unrolled denoising of two steps. It gives no probability of a text."""

    passes: int = 8

    def fit(self, pairs: Sequence[Pair], *, training: Training, seed: int) -> None:
        """All canvases are as long as the longest target needs."""
        most = max(len(target) for _, target in pairs)
        steps = itertools.count()

        def loss(chosen: np.ndarray) -> torch.Tensor:
            batch = [pairs[index] for index in chosen]
            found = unrolled_loss(self.network, self._examples(batch, most, key(seed, "parallel", next(steps)) >> 1, 2))
            return found.sum / found.count

        lengths = np.array([len(source) + most for source, _ in pairs])
        train(self.network, [], loss, lengths, training=training, seed=seed)

    def nats(self, pairs: Sequence[Pair]) -> Any:
        """None: what would have to be summed are all ways to come to a text."""
        return None

    def write(self, sources: Sequence[list[int]], most: int) -> list[list[int]]:
        """For each source what stands before the first end, after all passes. Special tokens are left out."""
        import torch

        found: list[list[int]] = [[] for _ in sources]
        canvas = Canvas.of(self.marks)
        with torch.no_grad():
            for chosen in batches([len(source) + most + 1 for source in sources], MAX_TOKENS):
                examples = self._examples([(sources[index], []) for index in chosen], most, 0, 1)
                shape = len(chosen), most + 1
                start_BM = canvas.random(uniform(key(0, "parallel", "start"), chosen[:, None], np.arange(shape[1])))
                said_T = torch.from_numpy(start_BM.ravel()).to(examples.tokens_BL)
                for _ in range(self.passes):
                    examples.tokens_BL.view(-1)[examples.where_T] = said_T
                    logits_TV = self.network.logits(target_states(self.network, examples)).float()
                    said_T = logits_TV[:, torch.from_numpy(canvas.ids_V).to(said_T)].argmax(-1)
                    said_T = torch.from_numpy(canvas.ids_V).to(said_T)[said_T]
                for index, tokens in zip(chosen, said_T.view(shape).tolist(), strict=True):
                    text = itertools.takewhile(lambda token: token != self.marks.end, tokens)
                    found[index] = [token for token in text if not self.marks.special_V[token]]
        return found

    def _examples(self, pairs: Sequence[Pair], most: int, seed: int, steps: int) -> Any:
        before = [] if self.mode is None else [self.mode]
        source, target = (Ragged.of(rows) for rows in zip(*[([*before, *one], two) for one, two in pairs], strict=True))
        rows, zeros = np.arange(len(pairs)), np.zeros(len(pairs), np.int64)
        texts, spare_S = Texts(target, rows, rows, zeros), most - target.lengths_S
        examples = Canvas.of(self.marks).examples(source, target, spare_S, texts, len(pairs), steps=steps, seed=seed)
        return examples.to(next(self.network.parameters()).device)


def _lengths(pairs: Sequence[Pair]) -> np.ndarray:
    return np.array([len(source) + len(target) for source, target in pairs])
