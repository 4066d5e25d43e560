"""Masked language modeling with n-grams as classes of their own.

Shapes: B rows, L tokens a row, S tokens a row with its queries, U hidden units, N tokens of them, J units of a batch,
G n-grams, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seedbed.core.checks import check_rate
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.models.network import Ranks
from seedbed.objectives import objectives
from seedbed.objectives.artifact import Lexicon
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.detection import proposed, told_apart
from seedbed.objectives.masking import Rows
from seedbed.objectives.masking.phrases import Phrases
from seedbed.objectives.prediction import cross_entropy, with_auxiliary
from seedbed.objectives.queries import Queries, check_placed
from seedbed.objectives.shares import Share, share_at

if TYPE_CHECKING:
    import torch

    from seedbed.data.batch import Batch
    from seedbed.models.architecture import Architecture
    from seedbed.vocabulary.artifact import Vocabulary

_TABLE, _GENERATOR, _HEAD = "ngram_table", "ngram_generator", "ngram_head"


@dataclass
class Units(Examples):
    """`where_T` are the masks that stand for a unit each, `targets_T` the units' identities: tokens' ids, and V + g for
    the n-gram g. Beside them the flat places of the queries for single tokens (N), and these tokens; the first places
    of all units, hidden or not (J); a number in [0, 1) for each hidden one (U), to draw another by; and the rate."""

    query_N: Any = None
    token_N: Any = None
    unit_J: Any = None
    draws_U: Any = None
    rate: float = 0.0


@objectives.register("ngram_mlm", papers=["360"])
class NgramMaskedLanguageModeling(Objective):
    """Explicitly n-gram masked language modeling (ERNIE-Gram; Xiao et al., 2021, section 3): an n-gram is hidden behind
    one mask token, and predicted as one class beside the tokens.

    Units are the n-grams of `lexicon` (of `find_collocations` with `t_test`, as in the paper) and the tokens outside of
    them, each hidden with probability `rate`. The loss is the mean over hidden units of -log p(unit) over tokens and
    n-grams together; the n-grams have a table of their own behind the tokens'.

    tokens: comprehensive prediction (3.3): each token of a hidden unit is predicted besides, by a mask token at its
        place that sees the text with its hidden units, and is seen by nobody. For encoders whose positions are given
        (`rope`, `learned`; a learned table needs as many places as a row with its queries).
    relations: enhanced relation modeling (3.4): a generator, an encoder of shares `width` and `layers` of the network
        over its tables, predicts hidden units; one is drawn from its prediction and stands in the place of each mask.
        The network predicts the original unit and its tokens from there, and tells of every unit whether it is a
        replaced one, with `weight` times the mean over units. Logged as `ngrams`, `tokens`, `generator`, `detection`.

    Parts of a batch add up, since detection's mean over units is written as `rate` times its sum, a divisor which in
    expectation is the number of hidden units. What is saved is the encoder; the table of n-grams, the generator and its
    head are not.

    We know the method from its abstract, its authors' page and a tutorial of theirs (PaddlePedia), not from their
    training code, which they have not published. Ours are: the other tokens of a hidden n-gram keep their places empty,
    so positions tell how many there are; one mask token for all queries, which their positions tell apart, where the
    paper has [M1], [M2], ...; one table for tokens in both predictions, where the paper has a classifier for tokens and
    one for tokens and n-grams; the generator's size and `weight`, which are ELECTRA's; overlapping n-grams go to the
    longer one, where the paper parts a text by maximum matching. A hidden token is always masked.
    """

    attention: ClassVar[str] = "bidirectional"

    def __init__(
        self,
        lexicon: Lexicon,
        rate: Share = 0.15,
        tokens: bool = True,
        relations: bool = False,
        width: float = 0.25,
        layers: float = 1.0,
        weight: float = 50.0,
    ) -> None:
        if isinstance(rate, int | float) and not 0 < rate <= 1:
            raise InputError("rate", "must lie above 0 and not above 1", value=rate)
        for given, share in (("width", width), ("layers", layers)):
            if not 0 < share <= 1:
                raise InputError(given, "must lie above 0 and not above 1", value=share)
        check_rate("weight", weight)
        self.lexicon, self.rate, self.tokens, self.relations = lexicon, rate, tokens, relations
        self.width, self.layers, self.weight = width, layers, weight
        self._identities: dict[tuple[int, ...], int] = {}

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer has no mask token, or the lexicon nothing but tokens."""
        if vocabulary.mask is None:
            raise InputError("objective.ngram_mlm", "the tokenizer has no mask token", fix="one for an encoder")
        self._mask = vocabulary.mask
        self._special_V = np.asarray(vocabulary.special_V, dtype=bool)
        self._word_start_V = np.asarray(vocabulary.word_start_V, dtype=bool)
        self._phrases = Phrases(self.lexicon, vocabulary)
        found = dict.fromkeys(tuple(phrase) for phrase in self.lexicon.phrases(vocabulary) if len(phrase) > 1)
        if not found:
            raise InputError("lexicon", "holds no phrase of several tokens", value=str(self.lexicon.path))
        self._identities = {phrase: vocabulary.size + number for number, phrase in enumerate(found)}

    def prepare(self, network: Any, seed: int) -> None:
        """The table of n-grams; with relations the generator and the head that judges."""
        from seedbed.models.detection import DetectionHead, make_generator
        from seedbed.models.ngram_table import NgramTable
        from seedbed.models.replace import refuse_width_transfer

        refuse_width_transfer(network, "objective.ngram_mlm")
        if self.tokens:
            check_placed(network)
        network.extra[_TABLE] = NgramTable(network, len(self._special_V), len(self._identities), _TABLE, seed)
        if self.relations:
            small, stream = self._small(network.architecture), key(seed, _GENERATOR) >> 1
            network.extra[_GENERATOR] = make_generator(network, small, "shared", stream)
            network.extra[_HEAD] = DetectionHead(network.architecture, _HEAD, seed)

    def _small(self, architecture: Architecture) -> Architecture:
        from seedbed.models.detection import small_architecture

        return small_architecture(architecture, width=self.width, layers=self.layers)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Units:
        """A mask in the place of each hidden unit's first token; its other places are empty, or queries."""
        if batch.seen_BL is not None:
            raise InputError("interventions", "put something before texts, and ngram_mlm has its own segments")
        rate = share_at("objective.ngram_mlm.rate", self.rate, progress)
        tokens_BL = batch.tokens_BL.astype(np.int64)
        maskable_BL = (batch.segments_BL >= 0) & ~self._special_V[tokens_BL]
        rows = Rows(tokens_BL, batch.segments_BL, maskable_BL, batch.rows_B, self._word_start_V)
        begins_BL, inside_BL = self._phrases.find(rows, seed)
        units_BL = np.where(inside_BL, rows.units(begins_BL), rows.columns_1L)
        chosen_BL = maskable_BL & (rows.drawn(units_BL, seed) < rate)
        first_BL = units_BL == rows.columns_1L
        row_U, column_U = np.nonzero(chosen_BL & first_BL)
        queries = Queries(row_U if self.tokens else row_U[:0], tokens_BL.shape)
        hole_BL = chosen_BL & ~first_BL
        segments_BL = batch.segments_BL if self.tokens else np.where(hole_BL, -1, batch.segments_BL)
        behind, column_Q = queries.behind, column_U[: len(queries.row_T)]
        hidden_BL = np.where(chosen_BL, self._mask, tokens_BL)

        def placed(flags_BL: np.ndarray) -> np.ndarray:
            row_X, column_X = np.nonzero(flags_BL)
            return np.asarray(row_X * queries.width + column_X)

        hole_N, token_N = placed(hole_BL), tokens_BL[hole_BL]
        return Units(
            behind(hidden_BL, 0, self._mask),
            behind(segments_BL, -1, batch.segments_BL[queries.row_T, column_Q]),
            behind(batch.positions_BL, 0, batch.positions_BL[queries.row_T, column_Q]),
            row_U * queries.width + column_U,
            self._identified(tokens_BL, units_BL, chosen_BL),
            ranks=Ranks(behind(hole_BL, 0, 1), behind(np.zeros_like(tokens_BL), 0, 0)) if self.tokens else None,
            query_N=np.append(queries.where_T, hole_N if self.tokens else hole_N[:0]),
            token_N=np.append(tokens_BL[queries.row_T, column_Q], token_N if self.tokens else token_N[:0]),
            unit_J=placed(maskable_BL & first_BL),
            draws_U=uniform(key(seed, "ngram_mlm", "draw"), batch.rows_B[row_U], column_U),
            rate=rate,
        )

    def _identified(self, tokens_BL: np.ndarray, units_BL: np.ndarray, chosen_BL: np.ndarray) -> np.ndarray:
        """The identity of each hidden unit (U)."""
        row_N, column_N = np.nonzero(chosen_BL)
        first_U = np.flatnonzero(units_BL[row_N, column_N] == column_N)
        token_N = tokens_BL[row_N, column_N]
        identity_U = token_N[first_U]
        size_U = np.diff(first_U, append=len(token_N))
        for unit in np.flatnonzero(size_U > 1):
            start = first_U[unit]
            identity_U[unit] = self._identities[tuple(token_N[start : start + size_U[unit]].tolist())]
        return identity_U

    def loss(self, network: Any, examples: Units) -> Loss:
        """Cross-entropy of hidden units and of their tokens; with relations the generator's and the detection's."""
        if examples.added_TK is not None:
            raise InputError("interventions", "add to predictions of tokens, and ngram_mlm predicts n-grams besides")
        from seedbed.models.cross_entropy import linear_cross_entropy

        table, ids_BS, parts = network.extra[_TABLE], examples.tokens_BL, {}
        if self.relations:
            parts["generator"], drawn_U = self._propose(network, examples)
            ids_BS = ids_BS.flatten().index_copy(0, examples.where_T, drawn_U).view_as(ids_BS)
        place = examples.segments_BL, examples.positions_BL, examples.ranks
        hidden_XD = network.read(table.embedded(network, ids_BS), *place).flatten(0, 1)
        states_UD = network.head(hidden_XD.index_select(0, examples.where_T))
        weight, bias = table.output(network)
        total, right = linear_cross_entropy(states_UD, weight, bias, examples.targets_T)
        parts["ngrams"] = Loss(total, len(examples.targets_T), {"accuracy": right})
        if self.tokens:
            parts["tokens"] = cross_entropy(network, hidden_XD.index_select(0, examples.query_N), examples.token_N)
        whole = sum((part.sum for part in parts.values()), total * 0)
        if self.relations:
            replaced_X = ids_BS.new_zeros(ids_BS.numel()) > 0
            replaced_X[examples.where_T] = drawn_U != examples.targets_T
            logits_J = network.extra[_HEAD](hidden_XD.index_select(0, examples.unit_J))
            parts["detection"], _ = told_apart(logits_J, replaced_X[examples.unit_J])
            whole = whole + self.weight * examples.rate * parts["detection"].sum
        detached = {name: part.detached() for name, part in parts.items()}
        return with_auxiliary(Loss(whole, len(examples.targets_T), {}, detached), network, examples)

    def _propose(self, network: Any, examples: Units) -> tuple[Loss, torch.Tensor]:
        """The generator's loss, and a unit drawn for each hidden one."""
        generator = network.extra[_GENERATOR]
        generator.use_kernel(network.kernel)  # which is chosen when the run begins
        hidden_BSE = generator.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL, examples.ranks)
        states_UE = generator.head(hidden_BSE.flatten(0, 1).index_select(0, examples.where_T))
        weight, bias = network.extra[_TABLE].output(generator)
        return proposed(states_UE, weight, bias, examples.targets_T, examples.draws_U)

    def export(self, network: Any) -> None:
        """The encoder alone."""
        for name in (_TABLE, _GENERATOR, _HEAD):
            if name in network.extra:
                del network.extra[name]

    def flops_per_token(self, architecture: Architecture, length: int, targets: float) -> float:
        """Forward and backward for a token, with a query for each hidden unit, and the generator. The n-grams' logits
        are counted once the lexicon has been read."""
        from seedbed.models.detection import generator_flops

        a, ngrams = architecture, len(self._identities)
        rate = sum(share_at("rate", self.rate, (index + 0.5) / 16) for index in range(16)) / 16
        longer = 1 + targets if self.tokens else 1.0
        predicted = (targets + (rate if self.tokens else 0.0)) / longer
        found = longer * a.flops_per_token(round(length * longer), predicted) + 6.0 * a.table_width * ngrams * targets
        if not self.relations:
            return float(found)
        wide, classes = round(length * longer), a.vocabulary_size + ngrams
        own = generator_flops(self._small(a), wide, tables=a.table_width, classes=classes, targets=targets / longer)
        return float(found + longer * own + 6.0 * (a.width * a.width + a.width))
