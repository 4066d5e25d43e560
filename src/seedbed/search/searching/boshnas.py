"""Search by gradients through a neural surrogate over an embedding of architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.checks import check_rate
from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.search import searchers
from seedbed.search.features import distances, embedded
from seedbed.search.searcher import Searcher, View
from seedbed.search.space import Point, Space

from .surrogate import values

if TYPE_CHECKING:
    from seedbed.search.neural import Surrogate


@searchers.register("boshnas", papers=["190"])
class BoshnasSearcher(Searcher):
    """BOSHNAS (Tuli et al., 2022): a neural surrogate over an embedding of points in which like ones lie
    near each other; from a drawn place one goes down along its lower confidence bound by second-order steps, and the
    nearest point of the pool that was not tried is next.

    The bound is mean - aleatoric_weight * sigma - epistemic_weight * xi: of one network the mean and the noise sigma
    that it sees in the values (Gaussian likelihood), and the spread xi of a second one under dropout, as a third one
    has learned it, so that it has a gradient (`search/neural.py`).

    dimensions: of the embedding. pool: points to choose from, all of a space that has no more, else drawn once. warmup:
        trials at random before the first surrogate. uncertainty, diversity: probabilities of taking the pool's least
        certain point, or any.

    The embedding goes by distances between points as chains of layers: the cost of turning one list of layers into the
    other, and differences of all other settings (`Space.distance`). The paper, of which we had only abstract and code,
    learns its embedding from edit distances of graphs.

    Deviations: classical scaling in place of a learned embedding; mean and variance are two outputs of an ordinary
    network, not natural parameters that go through all layers; second derivatives are exact, not Hutchinson's estimate;
    the weights of the bound are those of the authors' code, other
    numbers are ours; no weights are taken over from like architectures, and no architecture is added to the pool.
    """

    def __init__(
        self,
        dimensions: int = 8,
        pool: int = 256,
        warmup: int = 4,
        aleatoric_weight: float = 0.2,
        epistemic_weight: float = 0.2,
        uncertainty: float = 0.1,
        diversity: float = 0.1,
    ) -> None:
        for name, value, least in (("dimensions", dimensions, 1), ("pool", pool, 2), ("warmup", warmup, 2)):
            if value < least:
                raise InputError(name, f"must be at least {least}", value=value)
        check_rate("uncertainty", uncertainty)
        check_rate("diversity", diversity)
        if uncertainty + diversity > 1:
            raise InputError("uncertainty", "and diversity must not be above 1 together", value=uncertainty + diversity)
        if aleatoric_weight < 0 or epistemic_weight < 0:
            raise InputError("epistemic_weight", "weights must not be below 0", value=epistemic_weight)
        self.dimensions, self.pool, self.warmup = dimensions, pool, warmup
        self.weights = (aleatoric_weight, epistemic_weight)
        self.uncertainty, self.diversity = uncertainty, diversity
        self._embedded: tuple[Space, int, dict[tuple[int, ...], int], list[Point], np.ndarray] | None = None

    def propose(self, view: View) -> Point | None:
        chance = view.random.random()
        if len(view.known) < self.warmup or chance < self.diversity:
            return self._drawn(view)
        place, pool, embedded_PD = self._embedding(view.space, view.seed)
        surrogate = self._fitted(view, place, embedded_PD)
        if chance < self.diversity + self.uncertainty:
            order_P = np.argsort(-surrogate.uncertainty(embedded_PD), kind="stable")
        else:
            start_D = embedded_PD[view.random.integers(len(pool))]
            order_P = np.argsort(np.abs(embedded_PD - surrogate.descend(start_D)).sum(1), kind="stable")
        return view.first_new(pool[number] for number in order_P) or view.any_new()

    def _drawn(self, view: View) -> Point | None:
        """Any of the pool: what the surrogate learns from has a place."""
        _, pool, _ = self._embedding(view.space, view.seed)
        return view.first_new(pool[number] for number in view.random.permutation(len(pool))) or view.any_new()

    def _fitted(self, view: View, place: dict[tuple[int, ...], int], embedded_PD: np.ndarray) -> Surrogate:
        from seedbed.search.neural import Surrogate

        inside = [number for number, trial in enumerate(view.trials) if trial.point.key in place]
        rows_N = [place[view.trials[number].point.key] for number in inside]
        seed = int(view.random.integers(2**31))
        return Surrogate(embedded_PD[rows_N], values(view)[inside], self.weights, seed)

    def _embedding(self, space: Space, seed: int) -> tuple[dict[tuple[int, ...], int], list[Point], np.ndarray]:
        """The pool and where its points lie: from space and seed alone, so it is kept."""
        if self._embedded is None or self._embedded[0] is not space or self._embedded[1] != seed:
            pool = space.some(self.pool, generator(seed, "pool"))
            embedded_PD = embedded(distances(space, pool), self.dimensions)
            self._embedded = space, seed, {point.key: n for n, point in enumerate(pool)}, pool, embedded_PD
        return self._embedded[2:]
