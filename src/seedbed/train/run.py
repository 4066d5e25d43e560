"""The state of a training run, as interventions meet it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch

    from seedbed.data.batch import Batch
    from seedbed.objectives.base import Objective
    from seedbed.optim.base import Schedule
    from seedbed.train.gradients import Gradients
    from seedbed.train.intervention import Intervention


@dataclass
class Totals:
    """The loss of some rows: a sum in nats, the number of targets, and the objective's own sums, each with what it is
    divided by."""

    loss: float
    count: float
    sums: dict[str, tuple[float, float]]

    def means(self) -> dict[str, float | None]:
        """Loss and sums for each target; None where there was none."""
        values = {"loss": (self.loss, self.count), **self.sums}
        return {name: value / count if count else None for name, (value, count) in values.items()}

    def plus(self, other: Totals) -> Totals:
        pairs = {
            name: (self.sums.get(name, (0.0, 0.0)), other.sums.get(name, (0.0, 0.0)))
            for name in {**self.sums, **other.sums}
        }
        sums = {name: (one[0] + two[0], one[1] + two[1]) for name, (one, two) in pairs.items()}
        return Totals(self.loss + other.loss, self.count + other.count, sums)


@dataclass
class Run:
    """What the loop works on. Interventions may change what is marked with (*)."""

    network: Any  # a torch.nn.Module that is a Network
    objective: Objective
    optimizer: torch.optim.Optimizer  # (*)
    schedule: Schedule
    stream: Any  # data.Stream; its `weights` (*)
    seed: int
    batch_rows: int  # (*) rows of a step, in all processes together
    row_tokens: int  # tokens of a row without any padding
    goal: tuple[int, str]  # what ends the run: so many "tokens" or "steps"
    device: torch.device
    say: Callable[[str], None] = lambda line: None
    # held-out rows, at least so many if there are, in batches; none if nothing is held out
    held_out: Callable[[int], list[Batch]] = lambda rows: []
    # names of the documents behind some rows of a batch, for messages
    describe: Callable[[Batch, np.ndarray], list[str]] = lambda batch, rows: []

    labels: dict[str, str] = field(default_factory=dict)  # what people call the sources
    files: dict[str, Any] = field(default_factory=dict)  # the sources' TokenFiles
    encode: Callable[[str], list[int]] = lambda text: []  # tokens of a text, without special ones

    step: int = 0  # steps done, skipped updates included
    tokens: int = 0  # tokens drawn so far that are not padding
    positions: int = 0  # those and padding: what the processor had to do with
    pairs: int = 0  # positions, each times the width of its row: what attention had to do with
    targets: int = 0
    counts: dict[str, float] = field(default_factory=dict)  # events for the report, such as skipped updates (*)
    seconds: float = 0.0  # spent in steps, of earlier processes too
    cpu_seconds: float = 0.0  # the same by the clock of the process, all threads; others' load hardly counts

    progress: float = 0.0  # of the coming step's middle, in [0, 1]
    batch: Batch | None = None  # the global one (*)
    micro_batches: int = 1  # (*) the least number that this step's rows of a process are cut into, if there are as many
    metrics: dict[str, Any] = field(default_factory=dict)  # of the step (*)
    gradients: Gradients | None = None
    skip_update: bool = False  # (*) no update in this step, such as in one without targets
    save_requested: bool = False  # (*) write a checkpoint after this step
    keep_requested: bool = False  # (*) and never remove it
    interventions: Sequence[Intervention] = ()
    # loss without gradient of this process's share of a batch's rows, summed over processes
    evaluate: Callable[..., Totals] = None  # type: ignore[assignment]
    # which rows of the current batch have a loss that is not finite, as bools
    broken_rows: Callable[[], np.ndarray] = None  # type: ignore[assignment]
    # the gradient of the step's batch at the weights as they are now, in place of the one that is there
    gradient_again: Callable[[], Totals] = None  # type: ignore[assignment]
    # weights and optimizer of the newest checkpoint; its step. Data and steps go on from where they are
    roll_back: Callable[[], int] = None  # type: ignore[assignment]

    @property
    def done(self) -> int:
        """How much of the goal is reached, in its unit."""
        return self.tokens if self.goal[1] == "tokens" else self.step

    @property
    def finished(self) -> bool:
        return self.done >= self.goal[0]

    def coming_progress(self) -> float:
        """The progress at the middle of the coming step: so neither the first rate of a warmup nor the last of a
        decay is zero, and the mean of the rates is the area under the schedule."""
        half = self.batch_rows * self.row_tokens / 2 if self.goal[1] == "tokens" else 0.5
        return min(1.0, (self.done + half) / self.goal[0])

    def count(self, event: str, number: int = 1) -> None:
        self.counts[event] = self.counts.get(event, 0) + number

    def measure_gradients(self) -> float:
        """The gradients' norm, now; clipping uses it and the log has it."""
        assert self.gradients is not None
        self.metrics["grad_norm"] = self.gradients.norm()
        return float(self.metrics["grad_norm"])

    def evaluated(self, results: dict[str, Any]) -> None:
        """Put an evaluation's results into the step's metrics, and tell the interventions."""
        self.metrics.update(results)
        for intervention in self.interventions:
            intervention.on_evaluate(self)
