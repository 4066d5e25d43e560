"""Position prediction.

Shapes: B rows, L tokens a row, T targets, D width, P places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.models.network import Ranks
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.prediction import target_states
from seedbed.objectives.shares import Share, share_at

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary

_PLACED = ("rope", "learned", "none")


@objectives.register("position_prediction", papers=["093"])
class PositionPrediction(Objective):
    """Position prediction (MP3; Zhai et al., 2022): a set of tokens is read without their order, and each says which
    place it has.

    All tokens get position 0, which rotary positions turn by nothing and a learned table gives one vector, so the
    encoder sees a set. Of it a share `visible` is drawn, and keys and values are those of visible tokens alone, in
    every layer; here a token also sees itself. A linear head classifies every ordinary token among as many places as
    the network has (`max_length`; the last stands for all behind it), counted from the beginning of its document's
    piece. The head is not saved; fine-tuning then has positions again, or not, with `positions: none`. The
    paper's tokens are patches of images and stretches of speech; text is ours, and we could not verify whether its loss
    is that of all tokens, as here, or of hidden ones.

    For encoders whose positions can be given (`rope`, `learned`) or that have none.
    """

    attention: ClassVar[str] = "bidirectional"
    headless: ClassVar[bool] = True

    def __init__(self, visible: Share = 0.5) -> None:
        if isinstance(visible, int | float) and not 0 < visible <= 1:
            raise InputError("visible", "must lie above 0 and not above 1", value=visible)
        self.visible = visible
        self._taken: Any = None

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn which tokens are ordinary."""
        self._special_V = np.asarray(vocabulary.special_V, dtype=bool)

    def prepare(self, network: Any, seed: int) -> None:
        """A head over places, where that over the vocabulary was if nobody else wants it. Raises InputError if the
        network's positions are those in the row."""
        from seedbed.models.detection import take_head
        from seedbed.models.initialize import initialize
        from seedbed.models.layers import Linear

        positions = network.architecture.positions
        if positions not in _PLACED:
            problem = "count tokens in the row, which are to be read without their order"
            raise InputError("model.positions", problem, value=positions, allowed=_PLACED)
        if not self.beside_prediction:
            self._taken = take_head(network)
        head = Linear(network.width, network.max_length, bias=True)
        for name, parameter in head.named_parameters():
            initialize(f"place_head.{name}", parameter, seed, network.architecture)
        network.extra["place_head"] = head

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """The tokens as they are, all at position 0; targets are their positions."""
        share = share_at("objective.position_prediction.visible", self.visible, progress)
        tokens_BL = batch.tokens_BL.astype(np.int64)
        columns_1L = np.arange(tokens_BL.shape[1])[None, :]
        visible_BL = uniform(key(seed, "position_prediction"), batch.rows_B[:, None], columns_1L) < share
        where_T = np.flatnonzero((batch.segments_BL >= 0) & ~self._special_V[tokens_BL])
        nowhere_BL = np.zeros_like(tokens_BL)
        return Examples(
            tokens_BL,
            None if batch.is_plain else batch.segments_BL,
            nowhere_BL,
            where_T,
            batch.positions_BL.ravel()[where_T],
            ranks=Ranks(np.where(visible_BL, 0, 1), nowhere_BL),
        )

    def loss(self, network: Any, examples: Examples) -> Loss:
        """The cross-entropy of every token's place."""
        from torch.nn.functional import cross_entropy

        if examples.added_TK is not None:
            raise InputError("interventions", "add to predictions of tokens, and position_prediction makes none")
        logits_TP = network.extra["place_head"](target_states(network, examples)).float()
        places_T = examples.targets_T.clamp(max=logits_TP.shape[1] - 1)
        right_T = logits_TP.detach().argmax(-1) == places_T
        total = cross_entropy(logits_TP, places_T, reduction="sum")
        return Loss(total, examples.num_targets, {"accuracy": right_T.sum()})

    def export(self, network: Any) -> None:
        """The encoder, with the head over the vocabulary that it had before."""
        from seedbed.models.detection import put_head_back

        network.extra.pop("place_head")
        if self._taken is not None:
            put_head_back(network, self._taken)

    def flops_per_token(self, architecture: Any, length: int, targets: float) -> float:
        """The encoder, and the head over places."""
        from seedbed.models.detection import headless

        places = 6.0 * targets * architecture.width * architecture.max_length
        return float(headless(architecture).flops_per_token(length, 0.0)) + places
