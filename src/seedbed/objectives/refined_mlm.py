"""Masked language modeling through a decoder that is thrown away.

Shapes: B rows, L tokens a row, T targets, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np

from seedbed.core.checks import check_share
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.masking import Mask, masks
from seedbed.objectives.mlm import MaskedLanguageModeling
from seedbed.objectives.prediction import cross_entropy, with_auxiliary
from seedbed.objectives.shares import Share

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.models.architecture import Architecture
    from seedbed.vocabulary.artifact import Vocabulary

NAME = "refining_decoder"


@dataclass
class Refined(Examples):
    """With the first layer of the decoder in which the others see a token (B, L), and of each target whether the head
    reads the encoder's state, not the decoder's (T)."""

    shown_from_BL: Any = None
    direct_T: Any = None


@objectives.register("refined_mlm", papers=["375"])
class RefinedMaskedLanguageModeling(Objective):
    """Masked language modeling through a decoder (DrBERT, later BPDec; Liang and Liang, 2024): layers between encoder
    and head that only the training has, so that the encoder's states need not be those of a prediction.

    Tokens are hidden as in `mlm`. The decoder's layers are like the encoder's, over its last states; the model that is
    saved is the encoder, with the head that was trained behind the decoder (and with `mix` behind the encoder, too):
    without `mix` its own predictions are no measure of it, probes and fine-tuning are.

    layers: of the decoder.
    enhanced: DeBERTa's enhanced mask decoder (He et al., 2021, section 3.2): a table of absolute positions is added to
        the first layer's queries, and every layer takes keys and values from the encoder's states.
    gradual: gradual unmasking attention: in the decoder's first layer only a share of the positions that show the mask
        token is seen by other positions, in its last layer all are; layer i of n shows i / n of them, drawn at random,
        and a hidden one sees itself.
    mix: the share of targets, drawn at random, at which the head reads the encoder's state, not the decoder's.

    Deviations: DeBERTa's decoder takes keys and values from the last layer but one and shares the last one's weights;
    here both decoders have weights of their own. Known from summaries of the paper, not its text: gradual unmasking in
    two layers, and that outputs are mixed at random; which shares the paper has, and whether it mixes by token, we do
    not know. Attention in the decoder has no windows, and no biases of distances.
    """

    attention: ClassVar[str] = "bidirectional"

    def __init__(
        self,
        rate: Share = 0.15,
        replace: Share = 0.8,
        random: Share = 0.1,
        mask: Annotated[Mask, masks] = "tokens",  # type: ignore[assignment]
        layers: int = 2,
        enhanced: bool = False,
        gradual: bool = False,
        mix: float = 0.0,
    ) -> None:
        if layers < 1:
            raise InputError("layers", "must be at least 1", value=layers, fix="the objective mlm has no decoder")
        check_share("mix", mix)
        if mix == 1:
            raise InputError("mix", "leaves nothing to the decoder", value=mix, fix="the objective mlm")
        self.masking = MaskedLanguageModeling(rate, replace=replace, random=random, mask=mask)
        self.layers, self.enhanced, self.gradual, self.mix = layers, enhanced, gradual, mix

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids."""
        self.masking.bind(vocabulary)
        self._mask_token = vocabulary.mask

    def prepare(self, network: Any, seed: int) -> None:
        """The decoder."""
        from seedbed.models.refining import RefiningDecoder

        made = RefiningDecoder(network.architecture, self.layers, enhanced=self.enhanced, name=NAME, seed=seed)
        network.extra[NAME] = made

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Refined:
        """Hide tokens; draw from which layer on they are seen, and what the head reads."""
        found = self.masking.corrupt(batch, seed=seed, progress=progress)
        length = found.tokens_BL.shape[1]
        shown_from_BL = None
        if self.gradual:
            draws_BL = uniform(key(seed, "refined_mlm", "shown"), batch.rows_B[:, None], np.arange(length))
            layers_BL = np.floor(draws_BL * self.layers).astype(np.int64)
            shown_from_BL = np.where(found.tokens_BL == self._mask_token, layers_BL, 0)
        row_T, column_T = batch.rows_B[found.where_T // length], found.where_T % length
        direct_T = uniform(key(seed, "refined_mlm", "mix"), row_T, column_T) < self.mix
        return Refined(**vars(found), shown_from_BL=shown_from_BL, direct_T=direct_T)

    def loss(self, network: Any, examples: Refined) -> Loss:
        """Cross-entropy at every target."""
        if examples.added_TK is not None:
            raise InputError(
                "interventions", "add to the encoder's states, which the head of refined_mlm does not read"
            )
        given = examples.segments_BL, examples.positions_BL
        states_BLD = network.hidden(examples.tokens_BL, *given)
        rows, length, _ = states_BLD.shape
        chosen = network.choose_kernel(rows, length, states_BLD.dtype)
        kernel = "sdpa" if chosen == "flex" else chosen  # its masks are not these
        refined_BLD = network.extra[NAME](states_BLD, *given, examples.shown_from_BL, kernel)
        read_TD = refined_BLD.flatten(0, 1).index_select(0, examples.where_T)
        if self.mix:
            encoded_TD = states_BLD.flatten(0, 1).index_select(0, examples.where_T)
            read_TD = encoded_TD.where(examples.direct_T[:, None], read_TD)
        return with_auxiliary(cross_entropy(network, read_TD, examples.targets_T), network, examples)

    def export(self, network: Any) -> None:
        """The encoder and its head."""
        del network.extra[NAME]

    def flops_per_token(self, architecture: Architecture, length: int, targets: float) -> float:
        """Forward and backward for a token, with the decoder's layers."""
        a = architecture
        inner = a.feedforward * (3 if a.gated else 2)
        layer = 6.0 * a.width * (a.qkv_width + a.query_width + inner) + 12.0 * length * a.query_width
        return a.flops_per_token(length, targets) + self.layers * layer
