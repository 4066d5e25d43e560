"""Translations read together, and which words of them say the same.

Shapes: B rows, L tokens a row, T masked tokens, A masked tokens that are aligned, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from seedbed.core.checks import check_counts, check_positive, check_rate
from seedbed.core.counters import key
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.masking import Mask, masks
from seedbed.objectives.mlm import MaskedLanguageModeling
from seedbed.objectives.pairing import Framing, pair_rows
from seedbed.objectives.prediction import cross_entropy
from seedbed.objectives.shares import Share

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.models.architecture import Architecture
    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary

_POINTER = "pointer"


@dataclass
class Bitext(Examples):
    """Masked pairs. `whole_BL` are the tokens before masking, `side_BL` which text they are of (0, 1, else -1)."""

    whole_BL: Any = None
    side_BL: Any = None


@objectives.register("word_alignment", papers=["128"])
class WordAlignment(Objective):
    """Denoising word alignment with labels of its own (XLM-Align; Chi et al., 2021), beside masked language modeling of
    pairs of translations (TLM; Conneau and Lample, 2019).

    Rows are a text and its translation, of the sampler `parallel`, and are read as [CLS] first [SEP] second [SEP]; rows
    that are no pairs are masked only. At every step two passes alternate: one without gradient over the whole pair
    labels which tokens say the same, by optimal transport between the last hidden states (`sharpness` over the entropy,
    `rounds` of Sinkhorn), of which those pairs stay that are best in both directions; one over the masked pair predicts
    masked tokens, and with a pointer (scaled dot products of projected states) the place of the token that a masked one
    is aligned with, among all of the other text.

    A label weighs as much as it is ahead of the second best, from 0 to 1, so that a toss-up teaches nothing, and the
    loss does not jump where two are equal but for rounding. The loss is (sum over masked tokens of their cross-entropy
    + `weight` * sum over aligned masked tokens of the pointer's, so weighted) / the number of masked tokens; the parts
    are logged apart as `masked.loss` and `alignment.loss`, with the share of right guesses; `aligned` is the share of
    masked tokens that have a label.

    Deviations: cosines between last states, where the paper takes an inner layer's and a similarity that we could not
    look up; labels are weighted; both parts have one divisor. An untrained network's labels are worth nothing: the
    paper begins with XLM-R. The pointer is not saved.
    """

    attention: ClassVar[str] = "bidirectional"

    def __init__(
        self,
        weight: float = 1.0,
        sharpness: float = 10.0,
        rounds: int = 5,
        rate: Share = 0.15,
        replace: Share = 0.8,
        random: Share = 0.1,
        mask: Annotated[Mask, masks] = "tokens",  # type: ignore[assignment]
    ) -> None:
        check_rate("weight", weight)
        check_positive(sharpness=sharpness)
        check_counts(rounds=rounds)
        self.weight, self.sharpness, self.rounds = weight, sharpness, rounds
        self.masking = MaskedLanguageModeling(rate, replace=replace, random=random, mask=mask)

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids."""
        self.masking.bind(vocabulary)
        self._framing = Framing(vocabulary, "word_alignment")

    def prepare(self, network: Any, seed: int) -> None:
        """The pointer."""
        from seedbed.models.pointer import Pointer
        from seedbed.models.replace import refuse_width_transfer

        refuse_width_transfer(network, "objective.word_alignment")
        network.extra[_POINTER] = Pointer(network.architecture, key(seed, _POINTER) >> 1)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Bitext:
        """Pairs as they are read, masked."""
        framed, side_BL = self._framing.framed(batch, pair_rows(batch))
        found = self.masking.corrupt(framed, seed=seed, progress=progress)
        given = found.tokens_BL, found.segments_BL, found.positions_BL, found.where_T, found.targets_T
        return Bitext(*given, whole_BL=framed.tokens_BL.astype(np.int64), side_BL=side_BL)

    def loss(self, network: Network, examples: Bitext) -> Loss:
        """Cross-entropy at masked tokens, and of what they are aligned with."""
        from torch.nn.functional import cross_entropy as entropy

        label_BL, lead_BL = self.labels(network, examples)
        hidden_BLD = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)
        hidden_TD = hidden_BLD.flatten(0, 1).index_select(0, examples.where_T)
        masked = cross_entropy(network, hidden_TD, examples.targets_T)
        label_T = label_BL.flatten().index_select(0, examples.where_T)
        asks_A = (label_T >= 0).nonzero()[:, 0]
        label_A, row_A = label_T[asks_A], examples.where_T[asks_A] // label_BL.shape[1]
        logits_AL = network.extra[_POINTER](hidden_TD[asks_A], hidden_BLD[row_A])  # type: ignore[attr-defined]
        side_AL = examples.side_BL[row_A]
        logits_AL = logits_AL.masked_fill(side_AL != side_AL.gather(1, label_A[:, None]), float("-inf"))
        lead_A = lead_BL.flatten().index_select(0, examples.where_T[asks_A])
        loss_A = entropy(logits_AL, label_A, reduction="none") * lead_A
        right = (logits_AL.argmax(1) == label_A).sum()
        aligned = Loss(loss_A.sum(), len(loss_A), {"accuracy": right})
        total = masked.sum + self.weight * aligned.sum
        sums = {"aligned": (label_T >= 0).sum()}
        return Loss(total, masked.count, sums, {"masked": masked.detached(), "alignment": aligned.detached()})

    def labels(self, network: Network, examples: Bitext) -> tuple[Any, Any]:
        """For each token the column of the one that says the same in the other text, or -1, and how sure that is."""
        import torch

        from seedbed.models.alignment import agreed, transport

        with torch.no_grad():
            states_BLD = network.hidden(examples.whole_BL, examples.segments_BL, examples.positions_BL)
            with torch.autocast(states_BLD.device.type, enabled=False):
                plan_BLL = transport(states_BLD, examples.side_BL, self.sharpness, self.rounds)
            return agreed(plan_BLL, examples.side_BL)

    def flops_per_token(self, architecture: Architecture, length: int, targets: float) -> float:
        """Forward and backward for a token, and a forward pass more without the head; transport is left out."""
        from seedbed.models.detection import headless

        whole = float(architecture.flops_per_token(length, targets))
        return whole + headless(architecture).flops_per_token(length, 0.0) / 3

    def export(self, network: Any) -> None:
        """The pointer goes."""
        del network.extra[_POINTER]
