"""What an intervention is: hooks into the training loop, and the state that they keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

    from seedbed.data.batch import Batch
    from seedbed.objectives.base import Examples
    from seedbed.train.run import Run
    from seedbed.train.sources import Sources
    from seedbed.vocabulary.artifact import Tokenizer


class Intervention:
    """Base of interventions; each overrides the hooks that it needs.

    In a step the order is: progress and learning rate are set, `before_step`, the batch is drawn, `on_batch`, forward
    and backward of each micro-batch (`on_examples` before, `after_micro_batch` behind), gradients summed over
    processes, `run.metrics` filled, `after_backward`, clipping, the update (unless `run.skip_update`), `after_step`,
    the log line, a checkpoint if one is due. Every process calls every hook, those of micro-batches for its own ones;
    whatever a hook decides must be the same in all of them, so it may depend on `run` but not on a clock.
    """

    elementwise: ClassVar[bool] = False  # never looks at whole weights or gradients, so goes with `sharding: full`

    def on_data(self, sources: Sources, tokenizer: Tokenizer) -> None:
        """The run's data are open; there is no network yet. The same for a resumed run."""

    def prepare(self, network: Any, seed: int) -> None:
        """Before there is an optimizer, and before a checkpoint is loaded: parts of the network may be replaced, and
        parameters added or frozen. The same for a resumed run."""

    def export(self, network: Any) -> None:
        """After the last checkpoint: bring the network into the form that is saved for others."""

    def save(self, folder: Path) -> None:
        """The model's folder is written: put files of your own beside it."""

    def on_start(self, run: Run) -> None:
        """Before the first step, also of a resumed run (its state is loaded by then)."""

    def before_step(self, run: Run) -> None:
        """Before the batch is drawn: mixture weights, masking rate, learning rate may be changed."""

    def on_batch(self, run: Run) -> None:
        """The batch of all processes is drawn: `run.batch` may be replaced. Its tokens are counted as drawn."""

    def on_examples(self, run: Run, batch: Batch, examples: Examples) -> None:
        """Some rows of a batch, to be learned or to be evaluated, have become examples (in numpy): add to them."""

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
