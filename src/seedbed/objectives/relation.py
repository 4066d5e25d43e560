"""What one text is to another, told from both.

Shapes: B rows, L tokens a row, T masked tokens, R rows that are pairs, C classes, D width, K kinds of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from seedbed.core.checks import check_rate
from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.data.batch import KINDS, Kind
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.masking import Mask, masks
from seedbed.objectives.mlm import MaskedLanguageModeling
from seedbed.objectives.pairing import Framing
from seedbed.objectives.prediction import cross_entropy
from seedbed.objectives.shares import Share

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.models.architecture import Architecture
    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary

_HEAD = "relation_head"


@dataclass
class Pairs(Examples):
    """Masked text, and of the rows that are pairs the class and what its loss weighs: the tokens that are expected to
    be masked in the row."""

    rows_R: Any = None
    class_R: Any = None
    weight_R: Any = None


@objectives.register("relation", papers=["062", "361"])
class Relation(Objective):
    """Masked language modeling over pairs of texts, and beside it what the second text is to the first, from the first
    token's state: document relation prediction (LinkBERT; Yasunaga et al., 2022), next sentence prediction (BERT;
    Devlin et al., 2019), sentence order (ALBERT; Lan et al., 2020), spans of the same paragraph (Di Liello, 2023).
    Which it is, the kinds of the sampler `pairs` say, and `classes`, each a list of kinds that count as one.

    A row becomes [CLS] first [SEP] second [SEP], its own special tokens left out, in one segment with positions from 0;
    if that is too long, the longer text is cut at its end (never with rows of `pairs`). Tokens are masked as by `mlm`
    with `rate`, `replace`, `random` and `mask`. A head of BERT's form (dense, tanh, a logit for each class) judges the
    state of [CLS]. Rows that are no pairs, as those of held-out data, are masked and not judged.

    The loss is the mean over masked tokens + `weight` * the mean over pairs: each pair's cross-entropy counts `rate`
    times the ordinary tokens of its row, which is how many are expected to be masked there. So the sum has one divisor
    (the masked tokens) and parts of a batch add up. The two are logged as `masked.loss` and `relation.loss`, each over
    its own targets, with their accuracies.

    Deviations: no embeddings tell the two texts apart (BERT has token types 0 and 1; RoBERTa has none). The head is
    not saved: a task trains one of its own.
    """

    attention: ClassVar[str] = "bidirectional"

    def __init__(
        self,
        classes: list[list[Kind]] = [["next"], ["linked"], ["random"]],  # noqa: B006
        weight: float = 1.0,
        rate: Share = 0.15,
        replace: Share = 0.8,
        random: Share = 0.1,
        mask: Annotated[Mask, masks] = "tokens",  # type: ignore[assignment]
    ) -> None:
        if len(classes) < 2 or not all(classes):
            raise InputError("classes", "are two or more lists of kinds of pairs", value=classes, allowed=KINDS)
        self._class_K = np.full(len(KINDS), -1)
        for number, kinds in enumerate(classes):
            for kind in kinds:
                if self._class_K[KINDS.index(kind)] >= 0:
                    raise InputError("classes", f"have the kind '{kind}' twice", value=classes)
                self._class_K[KINDS.index(kind)] = number
        check_rate("weight", weight)
        self.classes, self.weight = classes, weight
        self.masking = MaskedLanguageModeling(rate, replace=replace, random=random, mask=mask)

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer has no tokens that stand around texts."""
        self.masking.bind(vocabulary)
        self._framing = Framing(vocabulary, "relation")
        self._special_V = np.asarray(vocabulary.special_V, dtype=bool)

    def prepare(self, network: Any, seed: int) -> None:
        """The head that judges."""
        from seedbed.models.relation import RelationHead
        from seedbed.models.replace import refuse_width_transfer

        refuse_width_transfer(network, "objective.relation")
        network.extra[_HEAD] = RelationHead(network.architecture, len(self.classes), key(seed, _HEAD) >> 1)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Pairs:
        """Pairs as they are read, masked, with their classes."""
        kinds_B = np.full(len(batch.rows_B), -1) if batch.kinds_B is None else batch.kinds_B
        rows_R = np.flatnonzero(kinds_B >= 0)
        class_R = self._class_K[kinds_B[rows_R]]
        if (class_R < 0).any():
            kind = KINDS[int(kinds_B[rows_R][class_R < 0][0])]
            fix = f"leave '{kind}' out of the sampler's shares, or put it into a class"
            raise InputError("objective.relation.classes", f"no class has the pairs of kind '{kind}'", fix=fix)
        framed, _ = self._framing.framed(batch, rows_R)
        found = self.masking.corrupt(framed, seed=seed, progress=progress)
        maskable_BL = (framed.segments_BL >= 0) & ~self._special_V[framed.tokens_BL]
        weight_R = (self.masking.rate_at(progress) * maskable_BL[rows_R].sum(1)).astype(np.float32)
        given = found.tokens_BL, found.segments_BL, found.positions_BL, found.where_T, found.targets_T
        return Pairs(*given, rows_R=rows_R, class_R=class_R, weight_R=weight_R)

    def loss(self, network: Network, examples: Pairs) -> Loss:
        """Cross-entropy at masked tokens, and of the pairs' classes, weighted."""
        from torch.nn.functional import cross_entropy as entropy

        hidden_BLD = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)
        hidden_TD = hidden_BLD.flatten(0, 1).index_select(0, examples.where_T)
        masked = cross_entropy(network, hidden_TD, examples.targets_T)
        logits_RC = network.extra[_HEAD](hidden_BLD[examples.rows_R, 0])
        loss_R = entropy(logits_RC, examples.class_R, reduction="none")
        right = (logits_RC.argmax(1) == examples.class_R).sum()
        judged = Loss(loss_R.sum(), len(loss_R), {"accuracy": right})
        total = masked.sum + self.weight * (loss_R * examples.weight_R).sum()
        return Loss(total, masked.count, {}, {"masked": masked.detached(), "relation": judged.detached()})

    def flops_per_token(self, architecture: Architecture, length: int, targets: float) -> float:
        """Forward and backward for a token: the network, and the head once a row."""
        width = architecture.width
        head = 6.0 * (width * width + width * len(self.classes)) / length
        return float(architecture.flops_per_token(length, targets)) + head

    def export(self, network: Any) -> None:
        """The head goes."""
        del network.extra[_HEAD]
