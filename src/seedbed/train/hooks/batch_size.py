"""A batch that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from seedbed.core import distributed
from seedbed.core.errors import InputError
from seedbed.optim import Schedule, schedules
from seedbed.train import Intervention, interventions

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("batch_size")
class BatchSize(Intervention):
    """The rows of a step follow a schedule of progress, as a share of `batch_tokens`: the default grows from a quarter
    to the whole over the first half of the run, as small batches learn more a token while the gradient's noise scale is
    small (McCandlish et al., 2018; Smith et al., 2018; Brown et al., 2020, section 2.3, grow theirs in a straight
    line).

    Give such a run a budget in tokens: arms then see as much text and differ in the number of updates. The schedule is
    asked for the progress at which a step begins; at least one row for each process is left.
    """

    def __init__(
        self,
        schedule: Annotated[Schedule, schedules] = {  # type: ignore[assignment]  # noqa: B006
            "phases": {"start": 0.25, "parts": ["50% to 1", "50%"]}
        },
    ) -> None:
        if hasattr(schedule, "bind"):
            raise InputError("schedule", "is one for learning rates: it depends on the batch", allowed="linear, phases")
        self.schedule = schedule
        self._whole = 0

    def on_start(self, run: Run) -> None:
        """The configured size is the whole; a resumed run has it again."""
        self._whole = run.batch_rows
        self._set(run)

    def after_step(self, run: Run) -> None:
        """Before the next step's progress, which counts its rows, is asked for."""
        self._set(run)

    def _set(self, run: Run) -> None:
        share = self.schedule(min(1.0, run.done / run.goal[0]))
        run.batch_rows = max(distributed.world_size(), round(share * self._whole))
