"""A drawn surface of effects and interactions."""

from __future__ import annotations

import math

from seedbed.core.counters import generator, key, uniform
from seedbed.core.errors import InputError
from seedbed.search import surfaces
from seedbed.search.space import Decision, Point
from seedbed.search.surface import Surface


@surfaces.register("effects", papers=["135"])
class Effects(Surface):
    """A surface over any space (ours): every open decision adds an effect, every two of them another one, all drawn
    once.

    A decision between numbers adds a bowl, 2 (x - c)^2 - 1/3 with x its place from 0 to 1 and c drawn; another one a
    normal number for each option. Two decisions add `interaction` times a product of unit numbers, sines of x where it
    is one between numbers. Sums are divided by the square roots of their terms' numbers, so that spaces are about
    alike.

    interaction: 0 leaves effects that can be found one by one. noise: deviation of what is drawn anew for each point,
        the same whenever that point is asked for. instance: which surface; by default the search's seed says.
    """

    def __init__(self, interaction: float = 0.5, noise: float = 0.0, instance: int | None = None) -> None:
        for name, value in (("interaction", interaction), ("noise", noise)):
            if value < 0:
                raise InputError(name, "must not be below 0", value=value)
        self.interaction, self.noise, self.instance = interaction, noise, instance

    def value(self, point: Point, seed: int, repetition: int) -> float:
        which = seed if self.instance is None else self.instance
        made = point.decisions
        total = sum(self._effect(which, *one) for one in made) / math.sqrt(max(1, len(made)))
        pairs = [(one, other) for place, one in enumerate(made) for other in made[:place]]
        if self.interaction and pairs:
            joint = sum(_unit(which, *one, other[0].name) * _unit(which, *other, one[0].name) for one, other in pairs)
            total += self.interaction * joint / math.sqrt(len(pairs))
        if self.noise:
            total += self.noise * float(generator(which, "noise", str(point.key), repetition).standard_normal())
        return float(total)

    def _effect(self, which: int, decision: Decision, option: int) -> float:
        if decision.ordered:
            center = float(uniform(key(which, "center", decision.name), 0))
            return 2 * (option / (decision.size - 1) - center) ** 2 - 1 / 3
        return float(generator(which, "effect", decision.name, option).standard_normal())


def _unit(which: int, decision: Decision, option: int, other: str) -> float:
    """What an option brings into the product with another decision: of variance 1 over options."""
    if decision.ordered:
        phase = float(uniform(key(which, "phase", decision.name, other), 0))
        return math.sqrt(2) * math.sin(2 * math.pi * (0.5 * option / (decision.size - 1) + phase))
    return float(generator(which, "joint", decision.name, option, other).standard_normal())
