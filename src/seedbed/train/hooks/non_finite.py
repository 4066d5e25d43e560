"""What happens when a loss or a gradient is not finite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions

if TYPE_CHECKING:
    from seedbed.train.run import Run


class NonFiniteError(InputError):
    """The loss or the gradient of a step is not finite; the message names the step and the documents."""


@interventions.register("non_finite")
class NonFinite(Intervention):
    """Looks at loss and gradient before each update.

    `stop` (the default of every run) ends it before the update, with the step and the documents in the error;
    the newest checkpoint has good weights. `skip` leaves the update out. `rollback` goes back to the weights and
    the optimizer of the newest checkpoint and on with the next batch, as in PaLM (Chowdhery et al., 2022, section
    5.1; they also leave out some hundred batches around the spike). Both are counted in the report, and said.
    After `patience` such steps one after the other the run stops under any policy. A rollback can only be
    repeated exactly if checkpoints are written every so many steps, not minutes.
    """

    def __init__(self, policy: Literal["stop", "skip", "rollback"] = "stop", patience: int = 10) -> None:
        if patience < 1:
            raise InputError("patience", "must be at least 1", value=patience)
        self.policy, self.patience = policy, patience
        self._in_a_row = 0

    def on_start(self, run: Run) -> None:
        """A way back must exist before the first step."""
        if self.policy == "rollback" and run.step == 0:
            run.save_requested = True

    def after_backward(self, run: Run) -> None:
        """Check the step's loss and gradient."""
        loss, norm = run.metrics["loss"], run.metrics["grad_norm"]
        if math.isfinite(norm) and (loss is None or math.isfinite(loss)):
            self._in_a_row = 0
            return
        self._in_a_row += 1
        problem = self._problem(run)
        if self.policy == "stop" or self._in_a_row >= self.patience:
            raise NonFiniteError(
                f"step {run.step + 1}",
                problem,
                fix="look at these documents, lower the learning rate, or choose a policy: "
                "interventions: [{non_finite: skip}]",
            )
        run.skip_update = True
        run.metrics["skipped"] = True
        run.count("skipped_steps")
        if self.policy == "rollback":
            back = run.roll_back()
            run.metrics["rolled_back_to"] = back
            run.count("rollbacks")
            problem += f"; back to the weights of step {back}"
        run.say(f"step {run.step + 1}: {problem}; the update is left out")

    def _problem(self, run: Run) -> str:
        """What is not finite, and where it comes from."""
        assert run.batch is not None
        what = "the gradient" if math.isfinite(run.metrics["loss"] or 0.0) else "the loss"
        broken = np.flatnonzero(run.broken_rows())
        whose = "its documents" if len(broken) else "the batch's documents"
        rows = broken if len(broken) else np.arange(len(run.batch.rows_B))
        names = run.describe(run.batch, rows)
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        return f"{what} is not finite; {whose}: {shown or 'unknown'}"

    def state_dict(self) -> dict[str, Any]:
        return {"in_a_row": self._in_a_row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._in_a_row = state["in_a_row"]
