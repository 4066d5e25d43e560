"""The loss of each source while training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.train import interventions
from seedbed.train.hooks.validate import Validate
from seedbed.train.run import Totals

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.train.run import Run


@interventions.register("source_loss")
class SourceLoss(Validate):
    """`validate` that also tells the sources apart: `source_loss` in the log has the held-out loss of each source (nats
    a target), `validation_loss` that of all rows, as ever.

    It takes the place of `validate` and costs what that costs: held-out rows come source by source, so that their
    losses only have to be added up twice. The loss of training batches by source would be there at every step, but
    packed rows mix sources, so every objective and the output layer would have to give the loss of each target; and it
    compares each time other text, seen once or ten times. Held-out rows are the same for every run and step.
    """

    def results(self, run: Run, found: list[tuple[Batch, Totals]]) -> dict[str, Any]:
        """Those of `validate`, and each source's."""
        parts = dict[str, Totals]()
        for batch, part in found:
            label = ", ".join(run.labels.get(name, name) for name in batch.sources)
            parts[label] = parts[label].plus(part) if label in parts else part
        return {
            **super().results(run, found),
            "source_loss": {label: part.means()["loss"] for label, part in parts.items()},
        }
