"""What an intervention is: hooks into the training loop, and the state that they keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from seedbed.train.run import Run


class Intervention:
    """Base of interventions; each overrides the hooks that it needs.

    In a step the order is: progress and learning rate are set, `before_step`, the batch is drawn, `on_batch`, forward
    and backward of each micro-batch, `after_micro_batch`, gradients summed over processes, `run.metrics` filled,
    `after_backward`, clipping, the update (unless `run.skip_update`), `after_step`, the log line, a checkpoint if one
    is due. Every process calls every hook, `after_micro_batch` for its own ones; whatever a hook decides must be the
    same in all of them, so it may depend on `run` but not on a clock.
    """

    elementwise: ClassVar[bool] = False  # never looks at whole weights or gradients, so goes with `sharding: full`

    def prepare(self, network: Any, seed: int) -> None:
        """Before there is an optimizer, and before a checkpoint is loaded: parts of the network may be replaced, and
        parameters added or frozen. The same for a resumed run."""

    def export(self, network: Any) -> None:
        """After the last checkpoint: bring the network into the form that is saved for others."""

    def on_start(self, run: Run) -> None:
        """Before the first step, also of a resumed run (its state is loaded by then)."""

    def before_step(self, run: Run) -> None:
        """Before the batch is drawn: mixture weights, masking rate, learning rate may be changed."""

    def on_batch(self, run: Run) -> None:
        """The batch of all processes is drawn: `run.batch` may be replaced. Its tokens are counted as drawn."""

    def after_micro_batch(self, run: Run, targets: int) -> None:
        """This process has added the gradient of one more micro-batch, of so many targets, to `run.gradients`."""

    def after_backward(self, run: Run) -> None:
        """Gradients are whole and not yet clipped. One who changes them calls `run.measure_gradients()`."""

    def after_step(self, run: Run) -> None:
        """After the update; what is put into `run.metrics` stands in the step's line of the log."""

    def on_evaluate(self, run: Run) -> None:
        """After an evaluation has put its results into `run.metrics`."""

    def on_end(self, run: Run) -> None:
        """After the last step. The final checkpoint is written afterwards."""

    def state_dict(self) -> dict[str, Any]:
        """All that it must remember when the run is resumed: JSON values and tensors, in nested dicts."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the state up again."""
        assert not state, f"{type(self).__name__} keeps a state but does not load it"
