"""The endless stream of batches, its counts, and its state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from seedbed.core.errors import InputError

from .artifact import TokenFile
from .batch import Batch
from .order import MIN_PIECE, Mixer, Piece
from .rows import Row, assemble

_COUNTS = ("tokens", "padded", "truncated", "dropped", "documents")


class Sampler(Protocol):
    """A way of making batches: a class of configuration."""

    def stream(
        self, sources: dict[str, TokenFile], weights: dict[str, float], length: int, pad: int, seed: int
    ) -> Stream:
        """Batches of rows of at most `length` tokens, padded with `pad`, from sources mixed by weight in tokens."""


class Stream(ABC):
    """Batches without end. The same state gives the same batches, whatever was drawn before."""

    joined: ClassVar[bool] = False  # the pieces of a row see each other

    def __init__(
        self, sources: Mapping[str, TokenFile], weights: Mapping[str, float], length: int, pad: int, seed: int
    ) -> None:
        if length < 2 * MIN_PIECE:
            raise InputError("length", f"must be at least {2 * MIN_PIECE} tokens", value=length)
        self.length, self.pad, self.seed = length, pad, seed
        self._mixer = Mixer(sources, weights, length, seed)
        self._files = self._mixer.files  # that pieces are stretches of
        # By source, in tokens; may be changed at any time, and holds from the next chunk that is drawn.
        self.weights: dict[str, float] = {name: float(weights[name]) for name in self._mixer.names}
        self.num_rows = 0  # given out so far
        self.restart_counts()

    @property
    def sources(self) -> tuple[str, ...]:
        return self._mixer.names

    @property
    def counts(self) -> dict[str, dict[str, float]]:
        """By source: `tokens` given out, `padded` places (counted for the last source of their row), tokens
        `truncated` and `dropped`, `documents` begun, and `epochs`, the share of the source that was used."""
        found: dict[str, dict[str, float]] = {}
        for name, file in zip(self._mixer.names, self._files, strict=True):
            counts = self._counts[name]
            used = counts["tokens"] + counts["dropped"]
            found[name] = {**counts, "epochs": round(used / file.num_tokens, 6)}
        return found

    def next(self, num_rows: int) -> Batch:
        """The next rows."""
        assert num_rows > 0
        self._mixer.shares = self._mixer.normalized(self.weights)
        rows = self._next_rows(num_rows)
        assert len(rows) == num_rows
        width = self._width(rows)
        shape: dict[str, Any] = {"width": width, "pad": self.pad, "first_row": self.num_rows, "joined": self.joined}
        batch = assemble(rows, self._files, self._mixer.names, **shape)
        self.num_rows += num_rows
        self._count(rows, width)
        return batch

    def restart_counts(self) -> None:
        """Count from here on."""
        self._counts = {name: dict.fromkeys(_COUNTS, 0) for name in self._mixer.names}

    def state_dict(self) -> dict[str, Any]:
        """All of the position, as JSON."""
        return {
            "length": self.length,
            "seed": self.seed,
            "num_rows": self.num_rows,
            "weights": dict(self.weights),
            "counts": {name: dict(counts) for name, counts in self._counts.items()},
            "mixer": self._mixer.state_dict(),
            "rows": self._state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a position. Raises InputError if it belongs to other data or settings."""
        for name, value in (("length", self.length), ("seed", self.seed)):
            if state[name] != value:
                raise InputError(name, "differs from the checkpoint's", value=value, allowed=str(state[name]))
        self._mixer.load_state_dict(state["mixer"])
        self.weights = {name: float(state["weights"][name]) for name in self._mixer.names}
        self._counts = {name: {key: int(state["counts"][name][key]) for key in _COUNTS} for name in self._mixer.names}
        self.num_rows = int(state["num_rows"])
        self._load(state["rows"])

    def _draw(self) -> Piece:
        """The next chunk that is long enough."""
        while True:
            piece = self._mixer.next()
            if piece[3] >= MIN_PIECE:
                return piece
            counts = self._counts[self._mixer.names[piece[0]]]
            counts["dropped"] += piece[3]
            counts["documents"] += 1

    def _count(self, rows: list[Row], width: int) -> None:
        for row in rows:
            used = 0
            for source, _, start, length in row:
                counts = self._counts[self._mixer.names[source]]
                counts["tokens"] += length
                counts["documents"] += start == 0
                used += length
            self._counts[self._mixer.names[row[-1][0]]]["padded"] += width - used

    @abstractmethod
    def _next_rows(self, num_rows: int) -> list[Row]: ...

    @abstractmethod
    def _width(self, rows: list[Row]) -> int: ...

    @abstractmethod
    def _state(self) -> dict[str, Any]: ...

    @abstractmethod
    def _load(self, state: dict[str, Any]) -> None: ...
