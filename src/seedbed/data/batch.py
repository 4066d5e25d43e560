"""Batches: what the data room gives and objectives take.

Shapes: B rows, L tokens a row, N documents' pieces in the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Batch:
    """Rows of tokens, in numpy.

    `segments_BL` numbers the pieces of documents within a row (0, 1, ...; -1 is padding); tokens attend only
    within their segment. `positions_BL` counts from 0 in every segment. `rows_B` is each row's number in the
    whole run, the counter for all randomness about it, so that nothing depends on how rows are grouped.
    `pieces_N6` tells where each piece comes from: (row in the batch, start column, length, source, document, first
    token in the document), `sources` the names of the sources. A document is an index into that source's table.
    """

    tokens_BL: np.ndarray
    segments_BL: np.ndarray
    positions_BL: np.ndarray
    rows_B: np.ndarray
    pieces_N6: np.ndarray
    sources: tuple[str, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens that are not padding."""
        return int((self.segments_BL >= 0).sum())

    @property
    def is_plain(self) -> bool:
        """One piece a row and no padding: attention needs no mask."""
        return bool((self.segments_BL == 0).all())

    def select(self, rows: slice) -> Batch:
        """Some of the rows, as a batch of their own."""
        start, stop, _ = rows.indices(len(self.rows_B))
        inside = (self.pieces_N6[:, 0] >= start) & (self.pieces_N6[:, 0] < stop)
        pieces = self.pieces_N6[inside].copy()
        pieces[:, 0] -= start
        return Batch(
            self.tokens_BL[rows],
            self.segments_BL[rows],
            self.positions_BL[rows],
            self.rows_B[rows],
            pieces,
            self.sources,
        )
