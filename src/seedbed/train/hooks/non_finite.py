"""What happens when a loss or a gradient is not finite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seedbed.core.errors import InputError
from seedbed.train import interventions
from seedbed.train.hooks.guard import Guard, Policy, documents

if TYPE_CHECKING:
    from seedbed.train.run import Run


class NonFiniteError(InputError):
    """The loss or the gradient of a step is not finite; the message names the step and the documents."""


@interventions.register("non_finite")
class NonFinite(Guard):
    """Looks at loss and gradient before each update: a number that is not finite must not reach the weights.

    `stop` (the default of every run) ends it before the update, with the step and the documents in the error;
    the newest checkpoint has good weights. `skip` leaves the update out. `rollback` goes back to the weights and
    the optimizer of the newest checkpoint and on with the next batch, as in PaLM (Chowdhery et al., 2022, section
    5.1; they also leave out some hundred batches around the spike). Both are counted in the report, and said.
    After `patience` such steps one after the other the run stops under any policy. A rollback can only be
    repeated exactly if checkpoints are written every so many steps, not minutes.
    """

    elementwise: ClassVar[bool] = True
    error: ClassVar[type[InputError]] = NonFiniteError
    fix: ClassVar[str] = "lower the learning rate, or choose a policy: interventions: [{non_finite: skip}]"

    def __init__(self, policy: Policy = "stop", patience: int = 10) -> None:
        super().__init__(policy, patience)

    def problem(self, run: Run) -> str | None:
        """What is not finite, and where it comes from."""
        loss, norm = run.metrics["loss"], run.metrics["grad_norm"]
        if math.isfinite(norm) and (loss is None or math.isfinite(loss)):
            return None
        assert run.batch is not None
        what = "the gradient" if math.isfinite(loss or 0.0) else "the loss"
        broken = np.flatnonzero(run.broken_rows())
        whose = "its documents" if len(broken) else "the batch's documents"
        rows = broken if len(broken) else np.arange(len(run.batch.rows_B))
        return f"{what} is not finite; {whose}: {documents(run, rows)}"
