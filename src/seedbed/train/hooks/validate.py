"""The loss on held-out data while training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from seedbed.core.checks import check_counts
from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions
from seedbed.train.budget import Every, check_in_steps
from seedbed.train.run import Totals

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.train.run import Run

_SEED = 20  # one corruption for all runs, so that their validation losses can be compared


@interventions.register("validate")
class Validate(Intervention):
    """Every so many steps, and after the last, the loss on the same held-out rows, corrupted in the same way.

    The corruption has a seed of its own and the rate that the objective ends with (progress 1), so that runs with
    other seeds, rates at the time, batch sizes and processes are compared on equal terms; with a scheduled rate
    that is what Ankner et al. (2023) do. Results stand in the step's metrics as `validation_loss` (nats a target)
    and `validation_` with the objective's other names.
    """

    elementwise: ClassVar[bool] = True

    def __init__(self, every: Every = Every(500, "steps"), rows: int = 256) -> None:
        check_in_steps(every=every)
        check_counts(rows=rows)
        self.every, self.rows = every, rows
        self._batches: list[Batch] = []

    def on_start(self, run: Run) -> None:
        """Take the held-out rows."""
        self._batches = run.held_out(self.rows)
        if not self._batches:
            raise InputError(
                "interventions.validate",
                "the data have no held-out documents",
                fix="hold some out when the corpus is built, or leave validation out (validate_every: never)",
            )

    def after_step(self, run: Run) -> None:
        """Validate if it is time."""
        if self.every.due(run.step, 0.0) or run.finished:
            found = [(batch, run.evaluate(batch, seed=_SEED, progress=1.0)) for batch in self._batches]
            run.evaluated(self.results(run, found))

    def results(self, run: Run, found: list[tuple[Batch, Totals]]) -> dict[str, Any]:
        """What the log says, from the loss of each batch."""
        total = Totals(0.0, 0.0, {})
        for _, part in found:
            total = total.plus(part)
        return {f"validation_{name}": value for name, value in total.means().items()}
