"""Implicit layers that take a few plain steps first, and look for their fixed points later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("fixed_point_curriculum", papers=["337"])
class FixedPointCurriculum(Intervention):
    """Trains mixers `implicit` for a `share` of the run with `steps` plain iterations, whose gradients are full and
    which are done for all tokens at once; behind it by the search for fixed points (Schöne et al., 2025, section 3.3).
    Validation within that share takes the same few iterations; the saved model searches.
    """

    elementwise = True

    def __init__(self, share: float = 0.8, steps: int = 4) -> None:
        if not 0 < share <= 1:
            raise InputError("share", "must be above 0 and at most 1", value=share)
        if steps < 1:
            raise InputError("steps", "must be at least 1", value=steps)
        self.share, self.steps = share, steps

    def prepare(self, network: Any, seed: int) -> None:
        self._layers = [module for module in network.modules() if hasattr(module, "plain_steps")]
        if not self._layers:
            raise InputError("interventions", "fixed_point_curriculum is for networks with the mixer implicit")

    def before_step(self, run: Run) -> None:
        for layer in self._layers:
            layer.plain_steps = self.steps if run.progress < self.share else None

    def export(self, network: Any) -> None:
        for layer in self._layers:
            layer.plain_steps = None
