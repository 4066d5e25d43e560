"""What a searcher is: from what is known to the point that is tried next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from seedbed.core.counters import generator

from .space import Point, Space


@dataclass(frozen=True)
class Trial:
    """A point that was tried. `value` is to be small, whatever is measured; None where it came to nothing (a training
    that diverged)."""

    point: Point
    value: float | None


@dataclass
class View:
    """What a searcher is told. `allowed` says whether a point may be tried at all (sizes, settings that fit together);
    asking is cheap but not free: it plans a recipe. Numbers are drawn from `seed` and the number of trials, so that the
    same trials lead to the same next point, and an interrupted search goes on as it would have."""

    space: Space
    seed: int
    trials: Sequence[Trial]
    allowed: Callable[[Point], bool] = lambda point: True
    tries: int = 1000  # points looked at before giving up
    seen: set[tuple[int, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = {trial.point.key for trial in self.trials}
        self.random = generator(self.seed, "search", len(self.trials))

    def first_new(self, points: Iterable[Point]) -> Point | None:
        """The first that was not tried yet and may be."""
        return next((point for point in points if point.key not in self.seen and self.allowed(point)), None)

    def any_new(self) -> Point | None:
        """A drawn point that was not tried yet; None where it seems that there are no more."""
        found = self.first_new(self.space.draw(self.random) for _ in range(self.tries))
        if found is not None:
            return found
        rest = self.space.some(self.tries, self.random)
        return self.first_new(rest[place] for place in self.random.permutation(len(rest)))

    @property
    def known(self) -> list[Trial]:
        """The trials that have a value."""
        return [trial for trial in self.trials if trial.value is not None]


class Searcher:
    """Base of searchers. What one remembers between calls may only be what follows from the space and the seed."""

    def propose(self, view: View) -> Point | None:
        """The next point, none that was tried; None where none is left."""
        raise NotImplementedError
