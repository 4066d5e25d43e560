"""How large gradients are, layer by layer."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions
from seedbed.train.budget import Every, check_in_steps

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("gradient_norms", papers=["094"])
class GradientNorms(Intervention):
    """Every so many steps the mean absolute gradient of each parameter that a pattern names: `gradient_l1` in the log,
    by parameter, before clipping.

    The default is what NormFormer (Shleifer et al., 2021) looks at: the second matrix of each feedforward. The manifest
    has as `gradient_ratio` the first one's mean over all measurements, divided by the last one's: how much larger
    gradients are in early layers than in late ones. With `sharding: full` no process has whole gradients.
    """

    def __init__(
        self,
        every: Every = Every(50, "steps"),
        parameters: list[str] = ["layers.*.feedforward_out.weight"],  # noqa: B006
    ) -> None:
        check_in_steps(never=False, every=every)
        self.every, self.patterns = every, parameters
        self._sums: dict[str, float] = {}

    def on_start(self, run: Run) -> None:
        """The patterns must name something that is trained."""
        if not self._named(run):
            known = [name for name, parameter in run.network.named_parameters() if parameter.requires_grad]
            raise InputError("parameters", "no trained parameter has such a name", value=self.patterns, allowed=known)

    def after_backward(self, run: Run) -> None:
        """Measure if it is time."""
        if not self.every.due(run.step + 1, 0.0):
            return
        found = {name: float(gradient.abs().mean()) for name, gradient in self._named(run).items()}
        run.metrics["gradient_l1"] = found
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in found.items()}

    def on_end(self, run: Run) -> None:
        """What the manifest has."""
        if self._sums:
            first, *_, last = (*self._sums.values(), *self._sums.values())
            if last:
                run.counts["gradient_ratio"] = round(first / last, 6)

    def _named(self, run: Run) -> dict[str, Any]:
        """The gradients, in the network's order."""
        return {
            name: parameter.grad
            for name, parameter in run.network.named_parameters()
            if parameter.requires_grad and any(fnmatch.fnmatchcase(name, pattern) for pattern in self.patterns)
        }

    def state_dict(self) -> dict[str, Any]:
        return {"sums": self._sums}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._sums = state["sums"]
