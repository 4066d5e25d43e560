"""Unrolled denoising.

Shape: S texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seedbed.core.checks import check_rate
from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Loss, Objective
from seedbed.objectives.denoising.pairs import Marks, texts_of
from seedbed.objectives.denoising.unrolled import Canvas, Unrolled, unrolled_loss
from seedbed.objectives.prefix_lm import cut_in_two

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary


@objectives.register("unrolled_denoising", papers=["078"])
class UnrolledDenoising(Objective):
    """Unrolled denoising (UT5, Salem et al., 2023; SUNDAE, Savinov et al., 2022): a text is cut in two; of the second
    part tokens are replaced by random ones, and the network, which sees all at once, predicts what should stand at each
    place. It then reads tokens drawn from its own prediction in their stead, `steps` times in all, and the loss is the
    mean of the steps'. So it learns to write a text in a few passes, beginning with random tokens.

    `share` as in `prefix_lm`. For each text the share of tokens that are replaced is drawn evenly from 0 to 1. The
    second part ends with the end token, and up to `room` of its length is filled with padding tokens, which are
    predicted as well: that is how such a model says how long a text is. Trains encoders, whose `text_to_text` writes by
    `bidirectional: parallel`. Each step's own loss is logged as `step1.loss` and so on.

    As far as summaries of the paper tell, it is a bidirectional network without a separate encoder, trained on
    prefixes, whose padding is predicted; the number of steps, what is random and how padding is laid out are SUNDAE's
    and ours. Every pass reads the whole row: a step costs as much as a step of `mlm` with as many targets.
    """

    attention: ClassVar[str] = "bidirectional"
    reshapes: ClassVar[bool] = True

    def __init__(self, steps: int = 2, share: float = 0.5, room: float = 0.25) -> None:
        if not 1 <= steps <= 8:
            raise InputError("steps", "must be from 1 to 8", value=steps)
        if not 0 < share <= 0.5:
            raise InputError("share", "must lie above 0 and not above 0.5", value=share)
        check_rate("room", room)
        self.steps, self.share, self.room = steps, share, room

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids."""
        self._canvas = Canvas.of(Marks.of(vocabulary))

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Unrolled:
        """First parts, and what stands for the second."""
        texts = texts_of(batch, self._canvas.marks.special_V)
        source, target = cut_in_two(texts, self.share, seed)
        kept_S = target.lengths_S > 0
        texts, source, target = texts.only(kept_S), source.only(kept_S), target.only(kept_S)
        drawn_S = texts.drawn(key(seed, "unrolled", "room"), np.ones_like(target.lengths_S))
        most_S = np.ceil(self.room * target.lengths_S).astype(np.int64)
        spare_S = (drawn_S * (most_S + 1)).astype(np.int64)
        rows = len(batch.rows_B)
        return self._canvas.examples(source, target, spare_S, texts, rows, steps=self.steps, seed=seed)

    def loss(self, network: Network, examples: Unrolled) -> Loss:
        """The mean over the steps."""
        return unrolled_loss(network, examples)

    def flops_per_token(self, architecture: Any, length: int, targets: float) -> float:
        """Of all passes; what is drawn takes the logits once more."""
        drawn = 2.0 * targets * architecture.token_width * architecture.vocabulary_size * (self.steps - 1)
        return float(self.steps * architecture.flops_per_token(length, targets) + drawn)
