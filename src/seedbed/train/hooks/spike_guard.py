"""What happens when a loss or a gradient jumps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seedbed.core.checks import check_positive
from seedbed.core.errors import InputError
from seedbed.train import interventions
from seedbed.train.hooks.guard import Guard, Policy, documents

if TYPE_CHECKING:
    from seedbed.train.run import Run

_WATCHED = {"loss": "the loss", "grad_norm": "the gradient's norm"}
_ROWS = 3  # that a message names
_LEAST = 0.01  # of the median: what moves less than this is no spike, however quiet it was before
_NORMAL = 1.4826  # standard deviations of a normal distribution in its median absolute deviation


class SpikeError(InputError):
    """The loss or the gradient of a step is far above what it was; the message names the step and the documents."""


def deviations(value: float, window: list[float]) -> tuple[float, float]:
    """How far a value lies above the window's median, in robust standard deviations; and the median."""
    median = float(np.median(window))
    spread = _NORMAL * float(np.median(np.abs(np.array(window) - median)))
    return (value - median) / max(spread, _LEAST * abs(median), 1e-12), median


@interventions.register("spike_guard")
class SpikeGuard(Guard):
    """Looks at loss and gradient norm before each update: one that lies more than `threshold` standard deviations above
    the median of the last `window` steps is a spike, and that batch is not learned from.

    Deviations are 1.4826 times the median absolute deviation (at least 1% of the median): with mean and standard
    deviation a spike in the window would hide the next one. Half a window of steps passes before anything is judged.
    What is judged stays in the window: a new level (other data, another length of rows) is a spike only until it fills
    half of it. The message names the documents of the rows with the highest loss, found by a pass without gradients.

    `skip` leaves the update out, `rollback` goes back to the newest checkpoint, and on with the next batch (PaLM,
    Chowdhery et al., 2022, section 5.1, whose authors go back some hundred steps and leave out 200 to 500 batches),
    `stop` ends the run; after `patience` spikes one after the other every policy does.
    """

    error: ClassVar[type[InputError]] = SpikeError
    fix: ClassVar[str] = "lower the learning rate, or choose a policy: interventions: [{spike_guard: skip}]"

    def __init__(self, policy: Policy = "skip", threshold: float = 7.0, window: int = 128, patience: int = 10) -> None:
        super().__init__(policy, patience)
        check_positive(threshold=threshold)
        if window < 8:
            raise InputError("window", "is too short for a median to mean something", value=window, allowed="8 or more")
        self.threshold, self.window = threshold, window
        self._seen: dict[str, list[float]] = {name: [] for name in _WATCHED}

    def problem(self, run: Run) -> str | None:
        """The number that jumped the farthest, if one did."""
        found: tuple[float, str] | None = None
        for name, what in _WATCHED.items():
            value, seen = run.metrics[name], self._seen[name]
            if value is None or not math.isfinite(value):
                continue  # another guard's
            if len(seen) >= self.window // 2:
                jump, median = deviations(value, seen)
                if jump > self.threshold and (found is None or jump > found[0]):
                    found = jump, f"{what} is {value:.4g}, {jump:.1f} deviations above its median of {median:.4g}"
            self._seen[name] = [*seen, value][-self.window :]
        if found is None:
            return None
        return f"{found[1]}; highest loss in: {documents(run, self._worst(run))}"

    def _worst(self, run: Run) -> np.ndarray:
        """The rows with the highest loss."""
        batch = run.batch
        assert batch is not None
        losses = [
            run.evaluate(batch.select(slice(row, row + 1)), seed=run.seed, progress=run.progress).means()["loss"]
            for row in range(len(batch.rows_B))
        ]
        order = np.argsort([-(loss or 0.0) for loss in losses], kind="stable")
        return np.sort(order[:_ROWS])

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "seen": {name: list(values) for name, values in self._seen.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._seen = {name: list(state["seen"][name]) for name in _WATCHED}
