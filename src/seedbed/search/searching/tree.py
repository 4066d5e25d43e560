"""Monte Carlo tree search over decisions.

A branch is a decision's option; with `bisect` a decision between numbers is halved again and again, each half a branch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from seedbed.core.errors import InputError
from seedbed.search import searchers
from seedbed.search.searcher import Searcher, Trial, View
from seedbed.search.space import Decision, Point


@dataclass
class Node:
    """What is known of the points below a place of the tree."""

    trials: int = 0
    total: float = 0.0  # of their rewards
    children: list[Node] = field(default_factory=list)  # none: a leaf of the tree so far

    def add(self, reward: float) -> None:
        self.trials += 1
        self.total += reward

    def scores(self, explore: float) -> np.ndarray:
        """UCT of each child: mean reward + explore * sqrt(2 ln n / n_child); infinite where it was never tried."""
        return np.array(
            [
                c.total / c.trials + explore * math.sqrt(2 * math.log(self.trials) / c.trials) if c.trials else math.inf
                for c in self.children
            ]
        )


@searchers.register("tree", papers=["135"])
class TreeSearcher(Searcher):
    """Monte Carlo tree search (Negrinho and Gordon, 2017): from the root, the branch with the highest
    upper confidence bound (UCT; Kocsis and Szepesvari, 2006) as far as the tree goes, then decisions at random; every
    trial grows the tree by the branches of one place, and adds its reward to all places that it came through.

    explore: weight of the bound's second term. Their published experiments have 0.5.
    bisect: decisions between numbers become a binary search, so that near numbers share what is known of them (the
        paper's tree restructuring). Theirs bisects options of every kind, in the order in which they stand.

    Deviations: a reward is the share of the known trials that a trial is no worse than, not the value itself, which is
    no accuracy here (one that came to nothing has 0); a point that was tried is not tried again: then decisions off the
    tree are drawn anew, and if all else fails any new point is taken.
    """

    def __init__(self, explore: float = 0.5, bisect: bool = True) -> None:
        if explore < 0:
            raise InputError("explore", "must not be below 0", value=explore)
        self.explore, self.bisect = explore, bisect

    def propose(self, view: View) -> Point | None:
        root = grown(view.trials, self.bisect)
        walks = (view.space.point(_Descent(root, self, view.random)) for _ in range(view.tries // 10))
        return view.first_new(walks) or view.any_new()


class _Descent:
    """One walk: by scores within the tree, at random below it."""

    def __init__(self, root: Node, searcher: TreeSearcher, random: np.random.Generator) -> None:
        self.node: Node | None = root
        self.searcher, self.random = searcher, random

    def __call__(self, decision: Decision) -> int:
        low, high = 0, decision.size  # options that are left
        while high - low > 1:
            parts = list(branches(low, high, decision.ordered and self.searcher.bisect))
            low, high = parts[self._branch(len(parts))]
        return low

    def _branch(self, size: int) -> int:
        if self.node is None or not self.node.children:
            self.node = None
            return int(self.random.integers(size))
        scores = self.node.scores(self.searcher.explore)
        best = np.flatnonzero(scores == scores.max())
        chosen = int(best[self.random.integers(len(best))])
        self.node = self.node.children[chosen]
        return chosen


def branches(low: int, high: int, halved: bool) -> Iterator[tuple[int, int]]:
    """The parts [low, high) into which the options from low to high fall at one place of the tree."""
    if not halved:
        yield from ((option, option + 1) for option in range(low, high))
        return
    middle = (low + high) // 2
    yield from ((low, middle), (middle, high))


def path(point: Point, bisect: bool) -> Iterator[tuple[int, int]]:
    """The branches that lead to a point: (which, of how many)."""
    for decision, option in point.decisions:
        low, high = 0, decision.size
        while high - low > 1:
            parts = list(branches(low, high, decision.ordered and bisect))
            which = next(number for number, (start, end) in enumerate(parts) if start <= option < end)
            yield which, len(parts)
            low, high = parts[which]


def rewards(trials: Sequence[Trial]) -> list[float]:
    """The share of trials with a value that each is no worse than, itself not counted; 0 for those without one."""
    known_N = np.sort([trial.value for trial in trials if trial.value is not None])
    most = max(1, len(known_N) - 1)
    ranks = [None if t.value is None else int(np.searchsorted(known_N, t.value)) for t in trials]
    return [0.0 if rank is None else (len(known_N) - rank - 1) / most for rank in ranks]


def grown(trials: Sequence[Trial], bisect: bool) -> Node:
    """The tree after these trials, in their order: each grows it by one place."""
    known = list(trials)
    root = Node()
    for trial, reward in zip(known, rewards(known), strict=True):
        node = root
        node.add(reward)
        for which, size in path(trial.point, bisect):
            is_leaf = not node.children
            if is_leaf:
                node.children = [Node() for _ in range(size)]
            node = node.children[which]
            node.add(reward)
            if is_leaf:
                break
    return root
