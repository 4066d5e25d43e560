"""Passes over the rows of a step: this process's share, corrupted, in micro-batches, forward and backward.

Losses are summed, and their number of targets with them: who divides does so once, for the whole batch. In shards all
processes make the same number of passes, idle ones if need be.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core import distributed
from seedbed.core.counters import key
from seedbed.objectives.base import Loss
from seedbed.objectives.load import Load
from seedbed.optim.parameters import evaluation_weights
from seedbed.train.run import Run, Totals

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.objectives.base import Examples
    from seedbed.train.precision import Precision
    from seedbed.train.sharding import Sharding

# what the loop counts of `Load` where an objective gives the network other rows than the batch's
LOAD = ("read_positions", "read_pairs", "written_positions")
_IDLE = slice(0, 0)  # rows of a pass that a process makes for the others' sake


@dataclass
class Passes:
    """The passes of a run."""

    run: Run
    precision: Precision
    micro_tokens: int  # of one pass, at most
    sharding: Sharding | None = None  # of the run's network
    load: Load = field(default_factory=Load)  # of this process's passes forward and backward of the last step
    _micro_losses: list[tuple[slice, float]] = field(default_factory=list)

    def share(self, num_rows: int, rank: int | None = None) -> slice:
        """The rows of a process; of this one by default."""
        rank, size = distributed.rank() if rank is None else rank, distributed.world_size()
        return slice(-(-rank * num_rows // size), -(-(rank + 1) * num_rows // size))  # the first is never left empty

    def examples(
        self, batch: Batch, rows: slice, seed: int, progress: float, at_least: int = 1
    ) -> list[tuple[slice, Examples]]:
        """Some rows of a batch, corrupted, in micro-batches; in numpy.

        In shards all processes need the same number of passes: those that have fewer get idle ones, of no rows, on an
        example that counts for nothing.
        """
        num_rows, height = batch.tokens_BL.shape[0], self.micro_tokens // batch.tokens_BL.shape[1]
        parts = _parts(rows, height, at_least)
        examples = [(part, self._corrupt(batch.select(part), seed, progress)) for part in parts]
        if self.sharding is not None:
            shares = [self.share(num_rows, rank) for rank in range(distributed.world_size())]
            idle = max(len(_parts(share, height, at_least)) for share in shares) - len(parts)
            examples += idle * [(_IDLE, self._corrupt(batch.select(slice(0, 1)), seed, progress))]
        return examples

    def _corrupt(self, batch: Batch, seed: int, progress: float) -> Examples:
        examples = self.run.objective.corrupt(batch, seed=seed, progress=progress)
        for rows, part in examples.passes(batch):
            if rows.seen_BL is not None:
                part.segments_BL = rows.seen_BL
            for intervention in self.run.interventions:
                intervention.on_examples(self.run, rows, part)
        return examples

    def _loss(self, example: Examples) -> Loss:
        run, example = self.run, example.to(self.run.device)
        return run.objective.loss(run.network, example) if self.sharding is None else self.sharding.loss(example)

    def forward_backward(self, batch: Batch, *, again: bool = False) -> list[Loss]:
        """The losses of this process's micro-batches of a step's batch; leaves in `run.gradients` the gradient of their
        sum, in all processes. With `again` nobody is told of them: the step has had its passes.

        Sums are differentiated, not means: the division comes once, at the end, in fp32.
        """
        import torch

        run = self.run
        assert run.gradients is not None
        examples = self.examples(batch, self.share(len(batch.rows_B)), run.seed, run.progress, run.micro_batches)
        self.load = self._load(batch, examples)
        run.gradients.clear()
        run.network.train()
        losses: list[Loss] = []
        for part, example in examples:
            # whatever a network draws by torch (dropout) is a function of the step and the row
            torch.manual_seed(key(run.seed, "torch", run.step, part.start) >> 1)
            with self._autocast():
                loss = self._loss(example)
            if part is _IDLE:
                (0 * loss.sum).backward()  # type: ignore[no-untyped-call]
                continue
            loss.sum.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detached())
            if not again:
                self._after_micro_batch(loss.count)
        run.gradients.add_processes()
        if not again:
            self._micro_losses = [(part, float(loss.sum)) for (part, _), loss in zip(examples, losses, strict=False)]
        return losses

    def gradient_again(self) -> Totals:
        """The mean gradient of the step's batch at the weights as they are now, in place of the one in `run.gradients`;
        the losses there. Inputs and whatever is drawn are the same, and what a network counts is not counted twice."""
        import torch

        run = self.run
        assert run.batch is not None and run.gradients is not None
        counted = [(buffer, buffer.detach().clone()) for buffer in run.network.buffers()]
        totals, _ = self.add(self.forward_backward(run.batch, again=True))
        run.gradients.scale(1 / max(totals.count, 1.0))
        with torch.no_grad():
            for buffer, before in counted:
                buffer.copy_(before)
        return totals

    def _load(self, batch: Batch, examples: list[tuple[slice, Examples]]) -> Load:
        if not self.run.objective.reshapes:
            return Load()
        own = [(part, example) for part, example in examples if part is not _IDLE]
        return Load.of(passed for part, example in own for _, passed in example.passes(batch.select(part)))

    def bring_sampled_gradient(self, batch: Batch) -> None:
        """The gradient of the same inputs with targets that the network draws itself, for who asks for it."""
        from seedbed.train.sampled import with_sampled_targets

        run, count = self.run, 0
        assert run.gradients is not None
        assert self.sharding is None, "`check_sharding` lets no such optimizer through"
        run.gradients.clear()
        run.network.train()
        for part, example in self.examples(batch, self.share(len(batch.rows_B)), run.seed, run.progress):
            seed = key(run.seed, "sampled", run.step, part.start) >> 1
            with self._autocast():
                loss = self._loss(with_sampled_targets(run.network, example.to(run.device), seed))
            loss.sum.backward()  # type: ignore[no-untyped-call]
            count += loss.count
        run.gradients.add_processes()
        (total,) = distributed.total([float(count)])
        run.gradients.scale(1 / max(total, 1.0))
        run.optimizer.take_sampled_gradient(total)  # type: ignore[attr-defined]

    def add(self, losses: list[Loss], *flags: float) -> tuple[Totals, list[float]]:
        """The sums of this process's losses, and flags, summed over the processes."""
        logged = [loss.logged() for loss in losses]
        names = distributed.from_first(sorted(logged[0]) if logged else [])
        own = [sum(float(pairs[name][place]) for pairs in logged) for place in (0, 1) for name in names]
        first = [sum(float(loss.sum) for loss in losses), float(sum(loss.count for loss in losses))]
        loss, count, *rest = distributed.total([*first, *own, *flags])
        sums = {name: (rest[place], rest[len(names) + place]) for place, name in enumerate(names)}
        return Totals(loss, count, sums), rest[2 * len(names) :]

    def evaluate(self, batch: Batch, *, seed: int, progress: float) -> Totals:
        """The loss of a batch without gradient, at the weights that the optimizer is judged by; every process computes
        its share, and all get the whole."""
        import torch

        rows = self.share(len(batch.rows_B))
        self.run.network.eval()
        with evaluation_weights(self.run.optimizer), torch.no_grad(), self._autocast():
            examples = self.examples(batch, rows, seed, progress)
            losses = [(part, self._loss(example)) for part, example in examples]
        return self.add([loss for part, loss in losses if part is not _IDLE])[0]

    def _autocast(self) -> AbstractContextManager[Any]:
        return self.precision.autocast(self.run.device)

    def broken_rows(self) -> np.ndarray:
        """Which rows of the batch have a loss that is not finite: first by micro-batch, then row by row (in shards all
        rows, for the number of passes must not depend on the losses)."""
        import torch

        run, batch = self.run, self.run.batch
        assert batch is not None
        num_rows = len(batch.rows_B)
        suspects = [part for part, value in self._micro_losses if self.sharding or not np.isfinite(value)]
        rows = {row for part in suspects for row in range(part.start, part.stop)}
        flags = torch.zeros(num_rows, dtype=torch.float64)
        for part, example in self.examples(batch, self.share(num_rows), run.seed, run.progress, at_least=num_rows):
            if part is not _IDLE and part.start not in rows:
                continue
            with torch.no_grad(), self._autocast():
                loss = self._loss(example)
            if part is not _IDLE:
                flags[part.start] = float(not bool(torch.isfinite(loss.sum)))
        distributed.add(flags)
        return flags.numpy() > 0

    def _after_micro_batch(self, count: int) -> None:
        for intervention in self.run.interventions:
            intervention.after_micro_batch(self.run, count)


def _parts(rows: slice, height: int, at_least: int) -> list[slice]:
    """Rows in micro-batches of at most that height, and no fewer of them than asked for if there are as many rows."""
    height = max(1, min(height, (rows.stop - rows.start) // at_least))
    return [slice(start, min(start + height, rows.stop)) for start in range(rows.start, rows.stop, height)]
