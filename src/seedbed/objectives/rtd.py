"""Replaced token detection.

Shapes: B rows, L tokens a row, X of all rows, T masked tokens, N judged tokens, K draws for each (one), E width of the
generator's table, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from seedbed.core.checks import check_rate
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Loss
from seedbed.objectives.detection import Detection, Suspects, proposed
from seedbed.objectives.masking import Mask, masks
from seedbed.objectives.mlm import MaskedLanguageModeling
from seedbed.objectives.shares import Share

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from seedbed.data.batch import Batch
    from seedbed.models.architecture import Architecture
    from seedbed.models.network import Network


@dataclass
class Generated(Suspects):
    """With the rate that tokens were masked at."""

    rate: float = 0.0


@objectives.register("rtd", papers=["002", "066", "081"])
class ReplacedTokenDetection(Detection):
    """Replaced token detection (ELECTRA; Clark et al., 2020): tell tokens that a small masked language model has
    written from the text's own.

    A generator predicts a share `rate` of the tokens, chosen by `mask` (0.85 of them hidden by the mask token, as in
    the authors' code, the rest shown), and at each a token is drawn from what it predicts. The network, the
    discriminator, reads the text with these in it and judges every ordinary token; one that was drawn for itself
    counts as original. Both train together; no gradient goes through what is drawn. The numbers that tokens are drawn
    by come from counters of (row, column).

    The loss is that of the paper's equation, mean over masked tokens + `weight` * mean over judged tokens, but that
    the number of masked tokens is what is expected, `rate` times that of the judged ones: so the sum has one divisor
    (the judged tokens), parts of a batch add up, and each masked token weighs the same in every batch. (The authors'
    code masks a fixed number a row, of which the two are the same.) The two are logged as `generator.loss` and
    `discriminator.loss`, each over its own tokens. With a rate that falls to 0 the generator's loss is left out there.

    width, layers: the generator's, as shares of the network's; the paper has a quarter to a half of the width and all
        layers. sharing: `shared`, its tables (tokens, positions, types and their norm) are the network's, with a
        projection between the widths (ELECTRA); `disentangled`, the network's token and position tables are the
        generator's, without gradient, plus their own difference from them (DeBERTaV3; He et al., 2021); `none`.

    Deviations: special tokens are not judged, where the authors count them as original; chosen tokens are as many as
    `mask` chooses, not a fixed number a row. Not here: adversarial training, two stages, one network for both. What is
    saved, and how: docs/detection.md.
    """

    name: ClassVar[str] = "rtd"

    def __init__(
        self,
        rate: Share = 0.15,
        weight: float = 50.0,
        width: float = 0.25,
        layers: float = 1.0,
        sharing: Literal["shared", "disentangled", "none"] = "shared",
        replace: Share = 0.85,
        mask: Annotated[Mask, masks] = "tokens",  # type: ignore[assignment]
    ) -> None:
        super().__init__(MaskedLanguageModeling(rate, replace=replace, random=0.0, mask=mask))
        check_rate("weight", weight)
        for given, share in (("width", width), ("layers", layers)):
            if not 0 < share <= 1:
                raise InputError(given, "must lie above 0 and not above 1", value=share)
        self.weight, self.width, self.layers = weight, width, layers
        self.sharing: Literal["shared", "disentangled", "none"] = sharing
        self._generator: Any = None

    def prepare(self, network: Any, seed: int) -> None:
        """The generator, beside the head that judges."""
        from seedbed.models.detection import make_generator

        super().prepare(network, seed)
        small = self._small(network.architecture)
        network.extra["rtd_generator"] = make_generator(network, small, self.sharing, key(seed, "rtd_generator") >> 1)

    def _small(self, architecture: Architecture) -> Architecture:
        from seedbed.models.detection import small_architecture

        return small_architecture(architecture, width=self.width, layers=self.layers)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Generated:
        """Mask tokens, and draw a number for each of them."""
        found = self.masking.corrupt(batch, seed=seed, progress=progress)
        length = found.tokens_BL.shape[1]
        draws_T = uniform(key(seed, "rtd", "draw"), batch.rows_B[found.where_T // length], found.where_T % length)
        given = found.tokens_BL, found.segments_BL, found.positions_BL, found.where_T, found.targets_T
        rate = self.masking.rate_at(progress)
        return Generated(*given, judged_N=self.judged(batch), draws_TK=draws_T[:, None], rate=rate)

    def loss(self, network: Network, examples: Generated) -> Loss:
        """The generator's loss at masked tokens, and the discriminator's at all, weighted."""
        generator: Any = network.extra["rtd_generator"]
        written, drawn_T = self._write(generator, network, examples)
        original_X = examples.tokens_BL.flatten().index_copy(0, examples.where_T, examples.targets_T)
        shown_X = original_X.index_copy(0, examples.where_T, drawn_T)
        replaced_N = (shown_X != original_X).index_select(0, examples.judged_N)
        found, _ = self.judge(network, examples, shown_X.view_as(examples.tokens_BL), examples.judged_N, replaced_N)
        total = found.sum * self.weight + (written.sum / examples.rate if examples.rate else written.sum * 0)
        parts = {"generator": written.detached(), "discriminator": found.detached()}
        return Loss(total, found.count, found.sums, parts)

    def _write(self, generator: Any, network: Any, examples: Generated) -> tuple[Loss, torch.Tensor]:
        """The generator's loss, and a token drawn for each masked one."""
        generator.use_kernel(network.kernel)  # which is chosen when the run begins
        hidden_BLD = generator.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)
        states_TE = generator.head(hidden_BLD.flatten(0, 1).index_select(0, examples.where_T))
        weight_VE, bias_V = generator.output()
        return proposed(states_TE, weight_VE, bias_V, examples.targets_T, examples.draws_TK[:, 0])

    def export(self, network: Any) -> None:
        """The discriminator alone, with plain tables."""
        from seedbed.models.detection import entangle

        self._generator = network.extra.pop("rtd_generator")
        entangle(network)
        super().export(network)

    def save(self, folder: Path) -> None:
        """The generator, in a folder of its own."""
        from seedbed.models.detection import save_generator

        super().save(folder)
        save_generator(self._generator, folder / "generator")

    def flops_per_token(self, architecture: Architecture, length: int, targets: float) -> float:
        """Of both networks. The generator's logits are for a share `rate` of the tokens, and are computed a second time
        to draw from."""
        from seedbed.models.detection import generator_flops

        a, small = architecture, self._small(architecture)
        tables = small.width if self.sharing == "none" else a.table_width
        rate = sum(self.masking.rate_at((index + 0.5) / 16) for index in range(16)) / 16
        own = generator_flops(small, length, tables=tables, classes=small.vocabulary_size, targets=rate)
        return super().flops_per_token(a, length, targets) + own
