"""Permutation language modeling.

Shapes: B rows, L tokens a row, T targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.models.network import Ranks
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.masking import Mask, masks
from seedbed.objectives.mlm import MaskedLanguageModeling
from seedbed.objectives.prediction import TokenPrediction
from seedbed.objectives.queries import Queries, check_placed
from seedbed.objectives.shares import Share

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@objectives.register("permutation_lm")
class PermutationLanguageModeling(TokenPrediction):
    """Permutation language modeling (XLNet; Yang et al., 2019): predict tokens in an order that is drawn, each from the
    whole rest of the text and from those before it in that order.

    `mask` chooses a share `rate` of the tokens, which are the end of the order ("partial prediction", section 2.3; the
    authors predict one in 6 or 7). As in their code the others see each other, and see none of the chosen ones. A
    chosen token is seen from its own place in the order on. What predicts it is the mask token, put behind the row with
    the position of the token that it asks for, which nobody else sees: so the two streams of the paper are one pass of
    a common encoder, longer by the number of targets, where the paper keeps a second state of every token.

    For encoders whose positions can be given (`rope`, `learned`; a table of learned positions must have as many places
    as a row with its queries). Deviations: chosen tokens are as many as `mask` chooses, where the authors take a fixed
    number of words in a row; relative positions, recurrence over segments and two segments with relative encodings of
    Transformer-XL are not here, and what is saved is a plain encoder.
    """

    attention: ClassVar[str] = "bidirectional"

    def __init__(self, rate: Share = 0.15, mask: Annotated[Mask, masks] = "tokens") -> None:  # type: ignore[assignment]
        self.choosing = MaskedLanguageModeling(rate, replace=0.0, random=0.0, mask=mask)

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer has no mask token."""
        self.choosing.bind(vocabulary)
        assert vocabulary.mask is not None
        self._query = vocabulary.mask

    def prepare(self, network: Any, seed: int) -> None:
        """Raises InputError if the network's positions are those in the row."""
        check_placed(network)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """The text as it is, its queries behind it, and who sees whom."""
        if batch.seen_BL is not None:
            raise InputError("interventions", "put something before texts, and permutation_lm has its own segments")
        found = self.choosing.corrupt(batch, seed=seed, progress=progress)
        rows, length = found.tokens_BL.shape
        row_T, column_T = np.divmod(found.where_T, length)
        drawn_T = uniform(key(seed, "permutation_lm", "order"), batch.rows_B[row_T], column_T)
        queries = Queries(row_T, (rows, length))
        rank_T = np.empty_like(row_T)
        rank_T[np.lexsort((drawn_T, row_T))] = queries.number_T + 1  # 1, 2, ... in every row
        rank_BL = np.zeros((rows, length), np.int64)
        rank_BL[row_T, column_T] = rank_T
        positions_BL, segments_BL, behind = batch.positions_BL, batch.segments_BL, queries.behind
        return Examples(
            behind(found.tokens_BL, 0, self._query),
            behind(segments_BL, -1, segments_BL[row_T, column_T]),
            behind(positions_BL, 0, positions_BL[row_T, column_T]),
            queries.where_T,
            found.targets_T,
            ranks=Ranks(behind(rank_BL, 0, length + 1), behind(rank_BL, 0, rank_T - 1)),
        )

    def flops_per_token(self, architecture: Any, length: int, targets: float) -> float:
        """A query for each target goes through the network as a token does."""
        longer = 1 + targets
        return longer * float(architecture.flops_per_token(length * longer, targets / longer))
