"""The endless stream of batches, its counts, and its state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from seedbed.core.errors import InputError

from .artifact import TokenFile
from .batch import Batch
from .order import MIN_PIECE, Mixer, Piece
from .rows import Row, assemble

_COUNTS = ("tokens", "padded", "truncated", "dropped", "documents")
_MULTIPLE = 8  # widths that matrix units like


@dataclass(frozen=True)
class Mixture:
    """What a stream draws from, whatever the sampler."""

    sources: Mapping[str, TokenFile]
    weights: Mapping[str, float]
    length: int
    pad: int
    seed: int


class Sampler(ABC):
    """A way of making batches: a class of configuration."""

    def stream(
        self, sources: Mapping[str, TokenFile], weights: Mapping[str, float], length: int, pad: int, seed: int
    ) -> Stream:
        """Batches of rows of at most `length` tokens, padded with `pad`, from sources mixed by weight in tokens."""
        return self.stream_of(Mixture(sources, weights, length, pad, seed))

    @abstractmethod
    def stream_of(self, mixture: Mixture) -> Stream: ...


class Stream(ABC):
    """Batches without end. The same state gives the same batches, whatever was drawn before. It goes on only under the
    same `settings` of the sampler."""

    joined: ClassVar[bool] = False  # the pieces of a row see each other

    def __init__(self, mixture: Mixture, **settings: Any) -> None:
        self.length, self.pad, self.seed = mixture.length, mixture.pad, mixture.seed
        if self.length < 2 * MIN_PIECE:
            raise InputError("length", f"must be at least {2 * MIN_PIECE} tokens", value=self.length)
        self._settings = settings
        self._mixer = Mixer(mixture.sources, mixture.weights, self.length, self.seed)
        self._files = self._mixer.files  # that pieces are stretches of
        # By source, in tokens; may be changed at any time, and holds from the next chunk that is drawn.
        self.weights: dict[str, float] = {name: float(mixture.weights[name]) for name in self._mixer.names}
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
        width = self._width(rows)
        batch = self._batch(rows, width)
        self.num_rows += len(batch.rows_B)
        self._count(rows, width)
        return batch

    def _batch(self, rows: list[Row], width: int) -> Batch:
        shape: dict[str, Any] = {"width": width, "pad": self.pad, "first_row": self.num_rows, "joined": self.joined}
        return assemble(rows, self._files, self._mixer.names, **shape)

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
            "rows": {**self._settings, **self._state()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a position. Raises InputError if it belongs to other data or settings."""
        for name, value in (("length", self.length), ("seed", self.seed)):
            if state[name] != value:
                raise InputError(name, "differs from the checkpoint's", value=value, allowed=str(state[name]))
        for name, value in self._settings.items():
            if state["rows"].get(name) != value:
                allowed = str(state["rows"].get(name))
                raise InputError(f"sampler.{name}", "differs from the checkpoint's", value=value, allowed=allowed)
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

    def _width(self, rows: list[Row]) -> int:
        """The columns of a batch of these rows."""
        return self.length

    def _state(self) -> dict[str, Any]:
        """What the next rows depend on beside the mixer's place."""
        return {}

    def _load(self, state: dict[str, Any]) -> None:
        """Take it up again."""
        del state


class PaddedStream(Stream):
    """A piece a row; batches are as wide as the longest needs, up to a multiple of 8."""

    def _width(self, rows: list[Row]) -> int:
        longest = max((row[0][3] for row in rows), default=MIN_PIECE)
        return min(self.length, -(-longest // _MULTIPLE) * _MULTIPLE)
