"""Rows that grow longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from seedbed.core.checks import check_counts
from seedbed.core.errors import InputError
from seedbed.optim import Schedule, schedules
from seedbed.train import Intervention, interventions

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("row_length")
class RowLength(Intervention):
    """Rows are cut into 2, 4, 8 ... equal parts while a schedule of progress is below 1: the longest that are not
    longer than its share of `length`, and not below `shortest` tokens.

    Short rows first are cheaper, as attention is, and steadier early in training (Li et al., 2022, who cut off what is
    too long, and so change the data). Here a row is cut after it is drawn: order of the data, tokens of a step and
    tokens of the run are those of a run without, only the pieces of documents are shorter. A cut costs causal modeling
    the target that stands behind it. Held-out rows are not cut.
    """

    def __init__(
        self,
        schedule: Annotated[Schedule, schedules] = {  # type: ignore[assignment]  # noqa: B006
            "phases": {"start": 0.25, "parts": ["50% to 1", "50%"]}
        },
        shortest: int = 8,
    ) -> None:
        check_counts(shortest=shortest)
        if hasattr(schedule, "bind"):
            raise InputError("schedule", "is one for learning rates: it depends on the batch", allowed="linear, phases")
        self.schedule, self.shortest = schedule, shortest

    def parts(self, length: int, progress: float) -> int:
        """How many parts a row of so many tokens is cut into."""
        number, share = 1, self.schedule(progress)
        while length > share * length * number and length >= 2 * number * self.shortest:
            number *= 2
        return number

    def on_batch(self, run: Run) -> None:
        """Cut the rows."""
        assert run.batch is not None
        if run.batch.seen_BL is not None:
            raise InputError("row_length", "cuts rows before something is put into them", fix="list it before metadata")
        parts = self.parts(run.batch.tokens_BL.shape[1], run.progress)
        if parts > 1:
            run.batch = run.batch.cut(parts)
