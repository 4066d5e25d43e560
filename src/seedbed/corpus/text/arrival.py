"""Documents numbered by their ids, whatever order they came in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


class Numbered(NamedTuple):
    """Documents (N), frame after frame, of each frame ascending by id."""

    ids: pa.Array
    arrival_N: np.ndarray  # as which one each came, to take what was gathered with the ids
    num_old: int  # of all frames but the last one


class Arrival:
    """Ids as they come, by batches, frame after frame."""

    def __init__(self) -> None:
        self._batches: list[Any] = []
        self._frames: list[Any] = []
        self._orders: list[np.ndarray] = []

    def add(self, ids: Any) -> None:
        """The next ids, an Arrow array of strings."""
        import pyarrow as pa

        self._batches.append(ids.cast(pa.large_string()))

    def end_frame(self) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        ids = pa.concat_arrays([pa.array([], pa.large_string()), *self._batches])
        order = np.asarray(pc.sort_indices(ids), np.int64)  # by bytes, so by code points
        self._orders.append(order + sum(map(len, self._orders)))
        self._frames.append(ids.take(order))
        self._batches = []

    def numbered(self) -> Numbered:
        """After the last frame."""
        import pyarrow as pa

        num_old = sum(map(len, self._frames[:-1]))
        return Numbered(pa.concat_arrays(self._frames), np.concatenate(self._orders), num_old)
