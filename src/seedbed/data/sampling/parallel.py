"""Rows of a text and its translation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.data import Sampler, samplers
from seedbed.data.artifact import TokenFile
from seedbed.data.order import MIN_PIECE, Piece
from seedbed.data.rows import Row
from seedbed.data.stream import Mixture, PaddedStream

_MULTIPLE = 8


@samplers.register("parallel", papers=["127", "284", "299"])
class Parallel(Sampler):
    """A row holds a document and its translation, or a document that has none alone. Documents with the same id in two
    sources are translations of each other, as the world `cipher` makes them: `data: {english: 1.0, ciphered: 1.0}`.

    The two are pieces of one segment: objectives that know nothing of translations read one long text, so that
    `span_corruption` is translation span corruption (DeltaLM, Ma et al., 2021; the pivot-based translation model of
    ERNIE-Code, Chai et al., 2023); `denoising_autoencoding` takes them apart. Each language comes first as often as its
    source's weight says; of several translations one is drawn. `share` of the documents come with their translation,
    chosen by their ids, the same ones from every side and in every epoch; the others are alone.

    A document has at most half of a row; longer ones are cut into stretches, and to a stretch belongs the same share of
    the translation, which is then no exact translation of it: take rows in which documents fit. Translations come on
    top of what is drawn, so that an epoch as counted (`epochs`) is over sooner.
    """

    def __init__(self, share: float = 1.0) -> None:
        if not 0 <= share <= 1:
            raise InputError("share", "must lie between 0 and 1", value=share)
        self.share = share

    def stream_of(self, mixture: Mixture) -> PaddedStream:
        return _ParallelStream(self, mixture)


class _ParallelStream(PaddedStream):
    joined: ClassVar[bool] = True

    def __init__(self, sampler: Parallel, mixture: Mixture) -> None:
        half = Mixture(mixture.sources, mixture.weights, mixture.length // 2, mixture.pad, mixture.seed)
        super().__init__(half, share=sampler.share)
        self.length, self._half = mixture.length, mixture.length // 2
        self._share, self._key = sampler.share, key(self.seed, "parallel")
        self._places = [_usable(file) for file in self._files]
        known = [id for places in self._places for id in places]
        if sampler.share and len(known) == len(set(known)):
            problem = "no two sources have a document of the same id: there are no translations"
            raise InputError("data", problem, value=list(self._mixer.names), fix="the sampler packed")

    def _next_rows(self, num_rows: int) -> list[Row]:
        rows: list[Row] = []
        while len(rows) < num_rows:
            piece = self._draw()
            other = self._translation(piece, float(uniform(self._key, self.num_rows + len(rows))))
            rows.append([piece] if other is None else [piece, other])
        return rows

    def _translation(self, piece: Piece, draw: float) -> Piece | None:
        source, document, start, size = piece
        id = self._files[source].ids[document]
        if float(uniform(key(0, "parallel", "share", id), 0)) >= self._share:
            return None
        others = [
            (number, places[id]) for number, places in enumerate(self._places) if number != source and id in places
        ]
        if not others:
            return None
        other, place = others[int(draw * len(others))]
        total, length = int(self._files[source].lengths[document]), int(self._files[other].lengths[place])
        begin, end = round(start / total * length), round((start + size) / total * length)
        end = min(end, begin + self._half)
        return (other, place, begin, end - begin) if end - begin >= MIN_PIECE else None

    def _width(self, rows: list[Row]) -> int:
        longest = max(sum(piece[3] for piece in row) for row in rows)
        return min(self.length, -(-longest // _MULTIPLE) * _MULTIPLE)


def _usable(file: TokenFile) -> dict[str, int]:
    """The documents by id, without those of a single token."""
    usable = np.flatnonzero(file.lengths >= MIN_PIECE)
    ids = list(file.ids[:])
    return {ids[index]: int(index) for index in usable}
