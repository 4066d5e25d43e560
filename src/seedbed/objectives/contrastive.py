"""Encoders of texts, learned by comparing.

Shapes: B rows, L tokens a row, V views, X of all views and rows, S texts of a row, N vectors of a row (V times S),
D width.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from seedbed.core.counters import hash64, integers, key
from seedbed.core.errors import InputError
from seedbed.data.metadata import check_field
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.contrasting import Contrast, Vectors, contrasts
from seedbed.objectives.contrasting.texts import Fields, Texts, find_texts, groups_of

if TYPE_CHECKING:
    import torch

    from seedbed.data.batch import Batch
    from seedbed.models.architecture import Architecture
    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary


@dataclass
class Views(Examples):
    """All views of the rows, view after view (V * B rows). `text_BL` says which text of its row a token is of,
    `group_BS` and `fields` what is known of texts, `valid_BS` which there are; by `seeds_XL` dropout is drawn."""

    text_BL: Any = None
    valid_BS: Any = None
    group_BS: Any = None
    fields: Any = None
    seeds_XL: Any = None

    @property
    def num_targets(self) -> int:
        """Texts that have another one in their row."""
        number_B = self.valid_BS.sum(1)
        return int(number_B[number_B > 1].sum())


@objectives.register("contrastive", papers=["123", "279", "307", "358", "389"])
class Contrastive(Objective):
    """Vectors of texts that are near for what belongs together: Mirror-BERT (Liu et al., 2021), SimCSE (Gao et al.,
    2021), pairs and groups of any kind, and hierarchies, by what `contrast` asks (`seedbed list contrasts`).

    Every piece of a row is a text, and is compared with the other texts of its row, and with no others: the papers
    compare with the rest of a batch. So rows have to hold many texts: `length` says how much fits, the sampler
    `packed` with `fit: best` packs whole documents, `grouped` those that belong together. (What is compared must be
    in one row, or losses of parts of a batch would not add up, and results would depend on the number of processes.)

    views: 2, each text twice, which belong together; 1, only texts of the same group do.
    dropout: at the embedding and behind each sublayer, in all views, by counters of (row, view, token, place,
        channel) computed on the device, so that a run is repeated exactly; the published models have it at
        attention's weights as well. 0 for none.
    span: of the second view's texts so many tokens in a row become the mask token, at a random place, where a text
        has at least `spare` ordinary tokens. Mirror-BERT's code replaces five characters by one mask token in texts of
        30 characters and more. 0 for none (SimCSE).
    pooling: `mean` of the last hidden states of all tokens of a text, special ones included, as Mirror-BERT has it
        (but for its padding) and as the tasks here do; or the `first` token's. Without SimCSE's layer on top.
    group: `metadata.NAME` of the corpus; texts with the same value belong together (synonyms of a concept; words of
        a synset in all languages, as Babel-BERT has them; a note and its codes, for which NoteContrast has an encoder
        each, and one reads both here).

    The mean is over what the contrast counts. The head over the vocabulary is not trained, and is as it was in the
    saved model.
    """

    attention: ClassVar[str] = "bidirectional"
    headless: ClassVar[bool] = True

    def __init__(
        self,
        contrast: Annotated[Contrast, contrasts] = "infonce",  # type: ignore[assignment]
        group: str | None = None,
        views: int = 2,
        dropout: float = 0.1,
        span: int = 0,
        spare: int = 8,
        pooling: Literal["mean", "first"] = "mean",
    ) -> None:
        if views not in (1, 2):
            raise InputError("views", "of a text are 1 or 2", value=views)
        if views == 1 and group is None:
            raise InputError("views", "leave nothing that belongs together", value=1, fix="views: 2, or a group")
        if group is not None:
            check_field(group, "group")
        if not 0 <= dropout < 1:
            raise InputError("dropout", "is a share below 1", value=dropout)
        if span < 0 or (span and (views == 1 or spare <= span)):
            problem = "is a number of tokens below `spare`, for two views"
            raise InputError("span", problem, value={"span": span, "spare": spare, "views": views})
        self.contrast, self.group, self.views, self.dropout = contrast, group, views, dropout
        self.span, self.spare, self.pooling = span, spare, pooling
        self._taken: Any = None
        self._dropout: Any = None
        self._fields = Fields()

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn which tokens are ordinary. Raises InputError if spans are to be masked and there is no mask token."""
        if self.span and vocabulary.mask is None:
            problem = "the tokenizer has no mask token"
            raise InputError("objective.contrastive.span", problem, fix="span: 0, or a tokenizer for an encoder")
        self._mask_token = vocabulary.mask
        self._special_V = np.asarray(vocabulary.special_V, dtype=bool)

    def prepare(self, network: Any, seed: int) -> None:
        """Dropout comes in, and the head over the vocabulary goes if nobody else wants it."""
        from seedbed.models.detection import take_head
        from seedbed.models.dropout import Dropout

        if not self.beside_prediction:
            self._taken = take_head(network)
        if self.dropout:
            self._dropout = Dropout(network, self.dropout)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Views:
        """The views, and what is known of their texts."""
        if batch.seen_BL is not None:
            raise InputError("interventions", "put something before texts that are to be compared")
        del progress
        ordinary_BL = (batch.segments_BL >= 0) & ~self._special_V[batch.tokens_BL]
        texts = find_texts(batch, ordinary_BL)
        views = [batch.tokens_BL.astype(np.int64)] * self.views
        if self.span:
            views[1] = self._masked(batch, texts, ordinary_BL, seed)
        columns_1L = np.arange(batch.tokens_BL.shape[1])[None, :]
        stream = key(seed, "contrastive", "dropout")
        seeds = [hash64(stream, view, batch.rows_B[:, None], columns_1L) >> np.uint64(33) for view in range(self.views)]
        group_N = None if self.group is None else self._fields.of(batch, self.group, "objective.contrastive.group")
        if group_N is not None and group_N.ndim > 1:
            raise InputError("objective.contrastive.group", "is a list in the metadata", value=self.group)
        fields = {
            name: texts.spread(self._fields.of(batch, field, f"objective.contrastive.contrast.{name}"))
            for name, field in self.contrast.fields().items()
        }
        nothing = np.empty(0, np.int64)
        return Views(
            np.concatenate(views),
            None if batch.is_plain else np.tile(batch.segments_BL, (self.views, 1)),
            np.tile(batch.positions_BL, (self.views, 1)),
            nothing,
            nothing,
            text_BL=texts.text_BL,
            valid_BS=texts.piece_BS >= 0,
            group_BS=texts.spread(groups_of(batch, group_N)),
            fields=fields,
            seeds_XL=np.concatenate(seeds).astype(np.int64),
        )

    def _masked(self, batch: Batch, texts: Texts, ordinary_BL: np.ndarray, seed: int) -> np.ndarray:
        """The tokens with a span of each long enough text hidden; its place is drawn by row and first column."""
        assert self._mask_token is not None
        tokens_BL = batch.tokens_BL.astype(np.int64)
        for row, text in zip(*np.nonzero(texts.piece_BS >= 0), strict=True):
            where = np.flatnonzero((texts.text_BL[row] == text) & ordinary_BL[row])
            if len(where) >= self.spare:
                stream, room = key(seed, "contrastive", "span"), len(where) - self.span + 1
                start = int(integers(stream, room, batch.rows_B[row], where[0]))
                tokens_BL[row, where[start : start + self.span]] = self._mask_token
        return tokens_BL

    def loss(self, network: Network, examples: Views) -> Loss:
        """The contrast's, over the vectors of all views."""
        import torch

        drawn = nullcontext() if self._dropout is None else self._dropout.drawn(examples.seeds_XL)
        with drawn:
            hidden_XLD = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)
        with torch.autocast(hidden_XLD.device.type, enabled=False):
            states = self._pooled(hidden_XLD.float(), examples).unflatten(0, (self.views, -1))  # (V, B, S, D)
            repeated = {name: _per_view(value, self.views) for name, value in examples.fields.items()}
            return self.contrast.loss(
                Vectors(
                    states.transpose(0, 1).flatten(1, 2),
                    _per_view(examples.valid_BS, self.views),
                    _per_view(examples.group_BS, self.views),
                    repeated,
                )
            )

    def _pooled(self, hidden_XLD: torch.Tensor, examples: Views) -> torch.Tensor:
        """A vector for each text (X, S, D); zeros where there is none."""
        import torch

        number = torch.arange(examples.valid_BS.shape[1], device=hidden_XLD.device)
        chosen_BSL = examples.text_BL[:, None, :] == number[None, :, None]
        if self.pooling == "first":
            chosen_BSL = chosen_BSL & (chosen_BSL.cumsum(2) == 1)
        weight_BSL = chosen_BSL / chosen_BSL.sum(2, keepdim=True).clamp(min=1)
        return weight_BSL.repeat(self.views, 1, 1) @ hidden_XLD

    def flops_per_token(self, architecture: Architecture, length: int, targets: float) -> float:
        """Forward and backward for a token: the encoder, once for each view; comparing is left out."""
        from seedbed.models.detection import headless

        return self.views * headless(architecture).flops_per_token(length, 0.0)

    def export(self, network: Any) -> None:
        """No dropout, and the head over the vocabulary as it was."""
        from seedbed.models.detection import put_head_back

        if self._dropout is not None:
            self._dropout.remove()
        if self._taken is not None:
            put_head_back(network, self._taken)


def _per_view(value_BS: torch.Tensor, views: int) -> torch.Tensor:
    """The same for the texts of each view (B, N, ...)."""
    return value_BS.repeat(1, views, *[1] * (value_BS.dim() - 2))
