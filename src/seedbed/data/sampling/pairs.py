"""Rows of two texts, of which it is known what the second is to the first.

Shapes: B rows, K kinds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from seedbed.core.checks import check_counts, check_rate
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.data import Sampler, samplers
from seedbed.data.batch import KINDS, Batch, Kind
from seedbed.data.order import MIN_PIECE, Piece
from seedbed.data.rows import Row
from seedbed.data.sampling.links import SIMILAR, Links, check_links, find_links
from seedbed.data.stream import Mixture, PaddedStream

MARKS = 3  # the special tokens around two texts: [CLS] first [SEP] second [SEP]
_TRIES = 16  # at a document that is neither the first text's own nor linked with it
_MULTIPLE = 8


@samplers.register("pairs", papers=["062", "361"])
class Pairs(Sampler):
    """A row holds two texts, and the batch says what the second is to the first (`kinds_B`), for the objective
    `relation`. Its two pieces are one segment, in which objectives that know nothing of pairs read one long text.

    Documents are cut into windows of as many tokens as fit into a row beside three special ones, and every window
    into two texts at a random place of its middle half. The first text is the front of a window whatever the second
    is (but for `previous`), so that it tells nothing of it:

    next: what follows in the window (BERT's sentence pairs; Devlin et al., 2019). previous: the two of a window, the
    other way round (ALBERT's sentence order; Lan et al., 2020). document: a stretch anywhere else in the document.
    linked: a stretch of a linked document (LinkBERT; Yasunaga et al., 2022). random: a stretch of any other document
    of the source, not linked. A stretch begins anywhere and is as long as what follows in the first text's window, or
    as its document. `shares` are the kinds' shares of the rows, in any unit; by default LinkBERT's. Where a document
    has no text of the kind that is drawn, another one is; a window that has none is dropped, and counted.

    whole: windows are of half of that room, and a pair's texts are such windows, so that a shorter document is read
    whole; what is next is the window behind, which the last one of a document has not, and a stretch is of up to half
    the room, however long the first text is. So the first text does tell a little of what follows. That is how
    LinkBERT has it.

    links: `similar`, the `neighbors` nearest by TF-IDF in the same source (the paper's links where there are none), or
    `metadata.NAME` of the corpus: a list of the ids of linked documents, or a value that linked documents share, such
    as the article that paragraphs come from.

    Every token is the first or second text of its own window once an epoch; second texts from elsewhere come on top,
    so an epoch as counted (`epochs`) is over sooner; with `whole`, those that are next come on top too. What the papers
    do otherwise: they cut at sentences' ends, and LinkBERT begins segments at fixed places of a document. Links are
    looked up in the split that is trained on.
    """

    def __init__(
        self,
        shares: dict[Kind, float] = {"next": 1.0, "linked": 1.0, "random": 1.0},  # noqa: B006
        links: str = SIMILAR,
        neighbors: int = 5,
        whole: bool = False,
    ) -> None:
        for kind, share in shares.items():
            check_rate(f"shares.{kind}", share)
        if not sum(shares.values()):
            raise InputError("shares", "are all zero", value=dict(shares), allowed=KINDS)
        check_links(links, "links")
        check_counts(neighbors=neighbors)
        self.shares, self.links, self.neighbors, self.whole = dict(shares), links, neighbors, whole

    def stream_of(self, mixture: Mixture) -> PaddedStream:
        return _PairsStream(self, mixture)


class _PairsStream(PaddedStream):
    joined: ClassVar[bool] = True

    def __init__(self, sampler: Pairs, mixture: Mixture) -> None:
        room = mixture.length - MARKS
        if room < 4 * MIN_PIECE:
            raise InputError("length", f"must be at least {4 * MIN_PIECE + MARKS} tokens", value=mixture.length)
        self._whole, self._half = sampler.whole, room // 2
        self._least = least = MIN_PIECE if sampler.whole else 2 * MIN_PIECE  # of a window
        settings: dict[str, Any] = {name: getattr(sampler, name) for name in ("shares", "links", "neighbors")}
        if sampler.whole:  # else not named, so that streams saved before there was a choice go on
            settings["whole"] = True
        super().__init__(replace(mixture, length=self._half if sampler.whole else room), **settings)
        self.length = mixture.length
        for name, file in zip(self._mixer.names, self._files, strict=True):
            if not (file.lengths >= least).any():
                raise InputError(f"data.{name}", f"has no document of {least} tokens or more")
        self._shares = {kind: sampler.shares[kind] for kind in KINDS if sampler.shares.get(kind)}
        self._links: list[Links | None] = [None] * len(self._files)
        if sampler.shares.get("linked"):
            self._links = [find_links(f, sampler.links, sampler.neighbors, "sampler.pairs.links") for f in self._files]
        self._usable = [np.flatnonzero(file.lengths >= MIN_PIECE) for file in self._files]
        self._windows = 2 * sum(cursor.chunks.number for cursor in self._mixer.cursors)
        self._key = key(self.seed, "pairs")
        self._kinds: list[int] = []  # of the rows that are about to be given out

    def _next_rows(self, num_rows: int) -> list[Row]:
        rows: list[Row] = []
        self._kinds = []
        barren = 0  # windows without a pair since the last one with
        numbers_B1 = self.num_rows + np.arange(num_rows)[:, None]
        draws = uniform(self._key, numbers_B1, np.arange(4 + _TRIES)).tolist()
        while len(rows) < num_rows:
            window = self._draw()
            found = None
            if window[3] >= self._least:
                found = self._pair(window, draws[len(rows)])
            if found is None:
                counts = self._counts[self._mixer.names[window[0]]]
                counts["dropped"] += window[3]
                counts["documents"] += window[2] == 0
                barren += 1
                if barren > self._windows:
                    problem = "no document has a second text of these kinds"
                    raise InputError("sampler.pairs.shares", problem, value=self._settings["shares"])
                continue
            barren = 0
            kind, row = found
            rows.append(row)
            self._kinds.append(kind)
        return rows

    def _pair(self, window: Piece, draws: list[float]) -> tuple[int, Row] | None:
        """A kind and the two texts, from a window and random numbers; None if no kind is to be had."""
        first, behind = self._two(window, draws[0])
        wanted = self._half if self._whole else behind[3]
        shares = dict(self._shares)
        while shares:
            kind = _chosen(shares, draws[1])
            is_near = kind in ("next", "previous")
            second = behind if is_near else self._elsewhere(kind, first, wanted, draws[2:])
            if second is not None and second[3] >= MIN_PIECE:
                return KINDS.index(kind), [second, first] if kind == "previous" else [first, second]
            del shares[kind]
        return None

    def _two(self, window: Piece, draw: float) -> tuple[Piece, Piece]:
        """The first text and what stands behind it."""
        source, document, start, size = window
        if self._whole:
            left = int(self._files[source].lengths[document]) - start - size
            return window, (source, document, start + size, min(left, self._half))
        least = max(MIN_PIECE, size // 4)
        cut = least + int(draw * (size - 2 * least + 1))
        return (source, document, start, cut), (source, document, start + cut, size - cut)

    def _elsewhere(self, kind: str, first: Piece, wanted: int, draws: list[float]) -> Piece | None:
        """A stretch of up to so many tokens."""
        source, document, start, size = first
        if kind == "document":
            total, before = int(self._files[source].lengths[document]), start
            after = total - start - size
            if draws[0] * (before + after) >= before or before < MIN_PIECE:
                return source, document, *_stretch(start + size, after, wanted, draws[1])
            return source, document, *_stretch(0, before, wanted, draws[1])
        other = self._linked(first, draws) if kind == "linked" else self._unrelated(first, draws)
        if other is None:
            return None
        return source, other, *_stretch(0, int(self._files[source].lengths[other]), wanted, draws[1])

    def _linked(self, first: Piece, draws: list[float]) -> int | None:
        links = self._links[first[0]]
        assert links is not None
        found = links.of(first[1])
        return int(found[int(draws[0] * len(found))]) if len(found) else None

    def _unrelated(self, first: Piece, draws: list[float]) -> int | None:
        links, usable = self._links[first[0]], self._usable[first[0]]
        related = usable[:0] if links is None else links.of(first[1])
        for draw in draws[2:]:
            other = int(usable[int(draw * len(usable))])
            if other != first[1] and not (related == other).any():
                return other
        return None

    def _batch(self, rows: list[Row], width: int) -> Batch:
        batch = super()._batch(rows, width)
        batch.kinds_B = np.array(self._kinds, dtype=np.int64)
        return batch

    def _width(self, rows: list[Row]) -> int:
        longest = max(sum(piece[3] for piece in row) for row in rows) + MARKS
        return min(self.length, -(-longest // _MULTIPLE) * _MULTIPLE)


def _chosen(shares: dict[Kind, float], draw: float) -> Kind:
    """One of the kinds, by shares in any unit."""
    left = draw * sum(shares.values())
    for kind, share in shares.items():
        left -= share
        if left < 0:
            return kind
    return kind


def _stretch(start: int, room: int, wanted: int, draw: float) -> tuple[int, int]:
    """Beginning and length of a stretch somewhere in so much room."""
    size = min(wanted, room)
    return start + int(draw * (room - size + 1)), size
