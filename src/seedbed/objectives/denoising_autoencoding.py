"""Denoising autoencoding, and its like across languages.

Shape: S texts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.denoising.languages import Languages
from seedbed.objectives.denoising.pairs import Kind, as_examples, pieces_of
from seedbed.objectives.denoising.writing import Writing
from seedbed.objectives.noising import noises

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@objectives.register("denoising_autoencoding", papers=["064", "236", "299"])
class DenoisingAutoencoding(Writing):
    """Denoising autoencoding: a text is damaged by every `noise` in turn, and the whole text is to be written.

    Noises (`seedbed list noises`) are `mask`, `reorder` and `replace`, of which Baziotis et al. (2021) compare each and
    their combinations, and `code_switch`, with which it is restoring (Zan et al., 2022) or dictionary denoising (Reid
    and Artetxe, 2021).

    `write: translation` is bitext denoising (Reid and Artetxe, 2021; with no noise: translation): of the rows of the
    sampler `parallel`, which hold a text and its translation, the damaged text is read and the translation is to be
    written; texts without one stay out. A model that is to do both is told which by the token `mode` before a text,
    as in `span_corruption`, in a `mixture` of the two. `network` as there. `languages` are tokens for the
    documents' domains, in the place of the mode: before what is read stands that of the language to be written.
    """

    def __init__(
        self,
        noise: list[Annotated[Any, noises]] = ["mask"],  # noqa: B006
        write: Literal["text", "translation"] = "text",
        network: Kind = "encoder-decoder",
        mode: str | None = None,
        languages: dict[str, str] | None = None,
    ) -> None:
        super().__init__(network, mode)
        if mode is not None and languages:
            raise InputError("languages", "stand where the mode would", value=mode, fix="one of the two")
        self.noise, self.write, self.languages = noise, write, languages

    def wanted_tokens(self) -> list[str]:
        """The mode's token, or the languages'."""
        return [*super().wanted_tokens(), *(self.languages or {}).values()]

    def wanted_sources(self) -> list[str]:
        """Those whose languages are said."""
        return list(self.languages or {})

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids."""
        super().bind(vocabulary)
        self._languages = Languages(self.languages, self._marks, vocabulary) if self.languages else None
        for noise in self.noise:
            noise.bind(vocabulary)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Damaged texts, and the whole ones or their translations."""
        texts, group_S = pieces_of(batch, self._marks.special_V)
        damaged = texts
        for number, noise in enumerate(self.noise):
            own = key(seed, "denoising", number) >> 1
            damaged = replace(damaged, tokens=noise.damaged(damaged, own))
        source, target, row_S = damaged.tokens, texts.tokens, texts.row_S
        mode: Any = self._mode if self._languages is None else self._languages.own(texts, batch)
        if self.write == "translation":
            _check_sources(batch)
            first_S = np.flatnonzero(np.bincount(group_S)[group_S] == 2)[::2]
            source, target, row_S = source.take(first_S), target.take(first_S + 1), row_S[first_S]
            mode = mode if self._languages is None else mode[first_S + 1]
        rows = len(batch.rows_B)
        return as_examples(source, target, row_S, rows, self.attention, self._marks, mode)


def _check_sources(batch: Batch) -> None:
    """Raises InputError if two pieces that see each other are of one source, and no translations."""
    row_N, column_N, source_N = batch.pieces_N6[:, 0], batch.pieces_N6[:, 1], batch.pieces_N6[:, 3]
    segment_N = batch.segments_BL[row_N, column_N]
    same_N = (np.diff(row_N) == 0) & (np.diff(segment_N) == 0) & (np.diff(source_N) == 0)
    if same_N.any():
        problem = "puts texts of one source into a segment; to write translations they have to be translations"
        raise InputError("sampler", problem, fix="sampler: parallel")
