"""Random search."""

from __future__ import annotations

from seedbed.search import searchers
from seedbed.search.searcher import Searcher, View
from seedbed.search.space import Point


@searchers.register("random", papers=["135"])
class RandomSearcher(Searcher):
    """Random search (Bergstra and Bengio, 2012; the baseline of Negrinho and Gordon, 2017): every decision is uniform
    over its options, so that points below a decision with few options are likelier than others. No point comes
    twice."""

    def propose(self, view: View) -> Point | None:
        return view.any_new()
