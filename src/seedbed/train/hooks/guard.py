"""What the guards of training share: a step whose numbers are bad stops the run, is skipped, or takes it back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from seedbed.core.checks import check_counts
from seedbed.core.errors import InputError
from seedbed.train.intervention import Intervention

if TYPE_CHECKING:
    import numpy as np

    from seedbed.train.run import Run

Policy = Literal["stop", "skip", "rollback"]
_NAMES = 20  # documents in a message


class Guard(Intervention, ABC):
    """Looks at a step before its update, and acts as its policy says (`non_finite` explains them) where `problem` finds
    something. A subclass is registered, and says in `fix` what a user can do who is stopped."""

    error: ClassVar[type[InputError]]
    fix: ClassVar[str]

    def __init__(self, policy: Policy, patience: int) -> None:
        check_counts(patience=patience)
        self.policy, self.patience = policy, patience
        self._in_a_row = 0

    @abstractmethod
    def problem(self, run: Run) -> str | None:
        """What is wrong with the step's numbers, and where it comes from; the same in all processes."""

    def on_start(self, run: Run) -> None:
        """A way back must exist before the first step."""
        if self.policy == "rollback" and run.step == 0:
            run.save_requested = True

    def after_backward(self, run: Run) -> None:
        """Check the step, unless it has no update anyway: no targets, or another guard has found it bad."""
        if run.skip_update:
            return
        problem = self.problem(run)
        if problem is None:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self.policy == "stop" or self._in_a_row >= self.patience:
            look = f"look at these documents (`seedbed inspect batch RUN {run.step + 1}` has their texts)"
            raise self.error(f"step {run.step + 1}", problem, fix=f"{look}, {self.fix}")
        run.skip_update = True
        run.metrics["skipped"] = True
        run.count("skipped_steps")
        if self.policy == "rollback":
            back = run.roll_back()
            run.metrics["rolled_back_to"] = back
            run.count("rollbacks")
            problem += f"; back to the weights of step {back}"
        run.say(f"step {run.step + 1}: {problem}; the update is left out")

    def state_dict(self) -> dict[str, Any]:
        return {"in_a_row": self._in_a_row}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._in_a_row = state["in_a_row"]


def documents(run: Run, rows: np.ndarray) -> str:
    """The documents in some rows of the run's batch, as a message names them."""
    assert run.batch is not None
    names = run.describe(run.batch, rows)
    shown = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
    return shown or "unknown"
