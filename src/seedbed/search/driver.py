"""A search, point by point.

Nothing of a search is kept but its outcomes: points follow from the seed and from the outcomes before, and outcomes are
in the store. So a search that is run again is the same one, and one of more evaluations begins with those of fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from seedbed.core.errors import InputError

from .evaluation import Evaluation, Outcome
from .searcher import Searcher, Trial, View
from .space import Point, Space

_AFTER = (1, 2, 5)  # times powers of ten: after how many evaluations the best so far is counted


class Driver:
    """Asks the searcher, evaluates, and remembers."""

    def __init__(self, space: Space, searcher: Searcher, evaluation: Evaluation, seed: int) -> None:
        self.space, self.searcher, self.evaluation, self.seed = space, searcher, evaluation, seed
        self.outcomes: list[tuple[Point, Outcome]] = []
        self.refused: dict[tuple[int, ...], tuple[Point, str]] = {}

    def run(self, evaluations: int, higher: bool | None, tell: Callable[[], None]) -> None:
        """Evaluate so many points, or all that there are; `tell` is called after each. `higher`: whether more is
        better, None: as the evaluation says. Raises InputError where no point may be tried."""
        self._higher = higher
        while len(self.outcomes) < evaluations:
            point = self.searcher.propose(self._view())
            if point is None:
                break
            self.outcomes.append((point, self.evaluation.outcome(point)))
            tell()
        if not self.outcomes:
            reasons = list(dict.fromkeys(reason for _, reason in self.refused.values()))
            raise InputError("space", "no point of it may be tried", fix=reasons[0] if reasons else None)
        if self.best is None:
            raise InputError(
                "space", f"none of {len(self.outcomes)} points has a value", fix=self.outcomes[0][1].problem
            )

    @property
    def higher(self) -> bool:
        """Whether more is better."""
        found = self.evaluation.higher if self._higher is None else self._higher
        if found is None and any(outcome.value is not None for _, outcome in self.outcomes):
            raise InputError("goal", "the metric does not say whether more or less is better", allowed="least, most")
        return bool(found)

    def _allowed(self, point: Point) -> bool:
        problem = self.evaluation.problem(point)
        if problem is not None:
            self.refused.setdefault(point.key, (point, problem))
        return problem is None

    def _view(self) -> View:
        sign = -1.0 if self.higher else 1.0
        trials = [Trial(p, None if o.value is None else sign * o.value) for p, o in self.outcomes]
        return View(self.space, self.seed, trials, self._allowed)

    @property
    def best(self) -> int | None:
        """The number of the best outcome, the first of equals."""
        known = [(number, o.value) for number, (_, o) in enumerate(self.outcomes) if o.value is not None]
        better = max if self.higher else min
        return better(known, key=lambda pair: pair[1])[0] if known else None

    def best_so_far(self) -> list[float | None]:
        """After each evaluation; None before the first value."""
        found: list[float | None] = []
        better = max if self.higher else min
        for _, outcome in self.outcomes:
            known = [value for value in (*found[-1:], outcome.value) if value is not None]
            found.append(better(known) if known else None)
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The points in the order in which they were tried."""
        return [
            {"number": number, "values": point.values, "value": outcome.value, "best": best}
            | {"parameters": outcome.parameters, **outcome.cost}
            | ({"problem": outcome.problem} if outcome.problem else {})
            for number, ((point, outcome), best) in enumerate(zip(self.outcomes, self.best_so_far(), strict=True), 1)
        ]

    def counts(self, confirmed: Sequence[float]) -> dict[str, Any]:
        """What comparisons read: the best value; that after 1, 2, 5, 10 ... evaluations; the mean over evaluations of
        the best so far; the mean of the confirmations; sizes and costs. Where points came to nothing before the first
        value, that value stands for them."""
        assert self.best is not None
        so_far = self.best_so_far()
        first = next(value for value in so_far if value is not None)
        filled = [first if value is None else value for value in so_far]
        marks = [unit * 10**power for power in range(6) for unit in _AFTER]
        outcome = self.outcomes[self.best][1]
        costs = [o.cost for _, o in self.outcomes]
        return {
            "best": outcome.value,
            "best_after": {str(mark): filled[mark - 1] for mark in marks if mark <= len(filled)},
            "mean_best": sum(filled) / len(filled),
            "best_number": self.best + 1,
            "evaluated": len(self.outcomes),
            "diverged": sum(o.value is None for _, o in self.outcomes),
            "refused": len(self.refused),
            **({} if outcome.parameters is None else {"parameters": outcome.parameters}),
            **({"confirmed": sum(confirmed) / len(confirmed)} if confirmed else {}),
            **{name: sum(cost.get(name) or 0.0 for cost in costs) for name in (costs[0] if costs else ())},
        }
