"""Checkpoints that stay, to see how a model came to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions
from seedbed.train.budget import Every, check_in_steps

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("keep_checkpoints")
class KeepCheckpoints(Intervention):
    """Checkpoints that are never removed, also not from the finished artifact: at the listed steps, or at 0, 1, 2, 4,
    8, ... (`doubling`); and every so many steps besides.

    `{steps: doubling, every: 1000 steps}` is the rhythm of Pythia (Biderman et al., 2023), which stops doubling at 512.
    Step 0 is the network before any update. Each is a whole checkpoint, with the optimizer and the place in the data
    (for AdamW three times the weights), so that a run can branch off anywhere: `pretrain: {model: RUN, branch: STEP}`.
    """

    def __init__(
        self,
        steps: Literal["doubling"] | list[int] = "doubling",
        every: Every = Every(0, "steps"),
    ) -> None:
        check_in_steps(every=every)
        if isinstance(steps, list) and any(step < 0 for step in steps):
            raise InputError("steps", "steps count from 0, the network before any update", value=steps)
        self.steps, self.every = steps, every

    def wants(self, step: int) -> bool:
        """Whether the state after so many steps is kept."""
        if step and self.every.due(step, 0.0):
            return True
        return step & (step - 1) == 0 if self.steps == "doubling" else step in self.steps

    def on_start(self, run: Run) -> None:
        """The network before any update."""
        if run.step == 0:
            self.after_step(run)

    def after_step(self, run: Run) -> None:
        """Ask for one."""
        if self.wants(run.step):
            run.save_requested = run.keep_requested = True
