"""In-context regression.

Shapes: B sequences, N points, D dimension, L places of a row, T predictions, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.regression.functions import Functions

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@dataclass
class Sequences(Examples):
    """With the vectors that are read in the place of tokens; `targets_T` are wanted values."""

    features_BLF: Any = None


@objectives.register("in_context_regression", papers=["012", "020"])
class InContextRegression(Objective):
    """In-context regression (Garg et al., 2022): a decoder reads points and their values under a function that is drawn
    anew for each sequence, x1, f(x1), x2, f(x2) ..., and says each value before it reads it. The loss is the squared
    error, of all prefixes alike.

    The sequences are made, not read: of a batch only the rows' numbers count, and how many places they have, two for a
    point and its value. Corpus and tokenizer stand for nothing (any with as many tokens as `dimension` and 3; a small
    one of made text is enough), and everything else is that of a run: optimizers, budgets, checkpoints, exact resume.
    How vectors are read and values said: `regression/vectors.py`.

    families, dimension, noise, nonzero, decay, pool: what functions there are (`regression/functions.py`).
    tasks: how many there are in all; None for a new one in every sequence. Raventós et al. (2023) train on such pools;
        with as many tasks as sequences, about, each is seen once, as in Wu et al. (2024).

    Values and points stand in places of their own; rotary positions in place of GPT-2's table are the decoder's. Not
    here: Wu et al.'s network, a single layer of linear attention (the task of this name has it); Yadlowsky et al.'s
    families as they have them: what they say of sinusoids and networks we could not verify, `sinusoid` and `relu` are
    ours.
    """

    attention: ClassVar[str] = "causal"

    def __init__(
        self,
        families: dict[str, float] = {"dense": 1.0},  # noqa: B006
        dimension: int = 8,
        noise: float = 0.5,
        tasks: int | None = None,
        nonzero: int = 2,
        decay: float = 0.0,
        pool: int = 0,
    ) -> None:
        self.functions = Functions(dict(families), dimension, noise, tasks, nonzero, decay, pool)

    def bind(self, vocabulary: Vocabulary) -> None:
        """Raises InputError if the vocabulary has fewer tokens than a vector has features."""
        if vocabulary.size < self.functions.dimension + 3:
            raise InputError(
                "objective.in_context_regression.dimension",
                f"and 3 are more than the tokenizer's {vocabulary.size} tokens",
                value=self.functions.dimension,
            )

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Sequences:
        """A sequence for each row, of half as many points as it has tokens."""
        from seedbed.objectives.regression.vectors import features

        length = batch.tokens_BL.shape[1]
        points_B = (batch.segments_BL >= 0).sum(1) // 2
        x_BND, y_BN = self.functions.sequences(batch.rows_B, length // 2, seed)
        read_BL = np.arange(length) < 2 * points_B[:, None]
        asked_BN = read_BL[:, 1::2]
        row_T, point_T = np.nonzero(asked_BN)
        features_BLF = np.zeros((len(points_B), length, self.functions.dimension + 3), np.float32)
        features_BLF[:, : 2 * (length // 2)] = features(x_BND, y_BN)
        return Sequences(
            np.zeros((len(points_B), length), np.int64),
            None if read_BL.all() else np.where(read_BL, 0, -1),
            np.broadcast_to(np.arange(length), read_BL.shape).copy(),
            row_T * length + 2 * point_T,
            y_BN[asked_BN].astype(np.float32),
            features_BLF=features_BLF,
        )

    def loss(self, network: Any, examples: Sequences) -> Loss:
        """The squared error of every value."""
        from seedbed.objectives.regression.vectors import answers

        given = examples.features_BLF, examples.segments_BL, examples.positions_BL, examples.where_T
        error_T = answers(network, *given) - examples.targets_T
        return Loss(error_T.square().sum(), examples.num_targets)

    def flops_per_token(self, architecture: Any, length: int, targets: float) -> float:
        """Without logits but one."""
        return float(architecture.flops_per_token(length, 0.0)) + 6.0 * architecture.width * (
            self.functions.dimension + 3 + targets
        )
