"""What documents are worth, for objectives that learn from preferences.

Shapes: B rows, L tokens a row, N pieces of documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from seedbed.data.artifact import TokenFile
    from seedbed.data.batch import Batch


class Rewards:
    """A number of each document: a field of its metadata (`metadata.NAME`), or a column of the corpus, such as a
    scorer's; with a minus before it the number counts the other way, as that of harm does. They are read when they are
    first asked for. Raises InputError then if a document has none."""

    def __init__(self, name: str) -> None:
        self.name = name.removeprefix("-")
        if not self.name:
            raise InputError("reward", "is empty", fix="reward: metadata.NAME, or the name of a score column")
        self.sign = -1.0 if name.startswith("-") else 1.0
        self._known: dict[int, tuple[TokenFile, np.ndarray]] = {}

    def of_pieces(self, batch: Batch) -> np.ndarray:
        """The rewards (N) of the documents that the pieces come from; 0 where these are not known, as in made-up
        batches that only time is taken of."""
        if batch.files and not len(batch.pieces_N6) and batch.num_tokens:
            raise InputError("sampler", "does not say which documents its rows are of", fix="sampler: packed")
        found_N = np.zeros(len(batch.pieces_N6))
        for number, file in enumerate(batch.files):
            is_its_N = batch.pieces_N6[:, 3] == number
            if is_its_N.any():
                found_N[is_its_N] = self._of(file)[batch.pieces_N6[is_its_N, 4]]
        return found_N

    def of_tokens(self, batch: Batch) -> np.ndarray:
        """The same for every token (B, L); 0 on padding."""
        found_BL = np.zeros(batch.tokens_BL.shape)
        for (row, start, size), reward in zip(batch.pieces_N6[:, :3], self.of_pieces(batch), strict=True):
            found_BL[row, start : start + size] = reward
        return found_BL

    def _of(self, file: TokenFile) -> np.ndarray:
        if id(file) not in self._known:
            values = np.array([_number(value) for value in self._values(file)])
            if np.isnan(values).any():
                problem = f"{int(np.isnan(values).sum())} of {len(values)} documents have no number there"
                raise InputError("reward", problem, value=self.name, fix="score all, or leave them out of the corpus")
            self._known[id(file)] = file, self.sign * values
        return self._known[id(file)][1]

    def _values(self, file: TokenFile) -> list[Any]:
        from seedbed.data.metadata import Metadata, values_of

        if self.name.startswith("metadata."):
            return values_of(file, self.name, "reward")
        if isinstance(file.metadata, Metadata):
            return file.metadata.column(self.name)
        raise InputError("reward", "these tokens know of no corpus with columns", value=self.name)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
