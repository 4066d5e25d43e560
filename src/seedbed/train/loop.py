"""The training loop: draw a batch, forward, backward, update, log, save. All else is an intervention.

A step's global batch is drawn whole by every process, so the order of samples depends on nothing but the seed.
Each process takes its slice of the rows, and cuts it into micro-batches of at most `micro_tokens`. Losses are
summed, and at the end divided by the number of targets in the global batch: accumulation and several processes
compute what one large batch would, up to the order of additions.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core import distributed
from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.objectives.base import Loss
from seedbed.optim.parameters import evaluation_weights
from seedbed.train.gradients import Gradients
from seedbed.train.metrics import MetricsLog, Progress, describe
from seedbed.train.run import Run, Totals
from seedbed.train.signals import StopRequest
from seedbed.train.state import capture, restore, restore_network

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.objectives.base import Examples
    from seedbed.train.batchlog import BatchLog
    from seedbed.train.budget import Every
    from seedbed.train.checkpoint import Checkpoint, Checkpoints
    from seedbed.train.logs import AppendLog
    from seedbed.train.precision import Precision
    from seedbed.train.sharding import Sharding


_IDLE = slice(0, 0)  # rows of a pass that a process makes for the others' sake


@dataclass
class Loop:
    """Trains a run to its goal. `checkpoints=None` saves nothing."""

    run: Run
    precision: Precision
    log: MetricsLog
    batches: BatchLog
    checkpoints: Checkpoints | None
    save_every: Every
    micro_tokens: int
    clip: float = 1.0
    facts: dict[str, Any] = field(default_factory=dict)  # kept in every checkpoint, such as the precision
    sharding: Sharding | None = None  # of the run's network

    def __post_init__(self) -> None:
        run = self.run
        if run.batch_rows < distributed.world_size():
            raise InputError("batch_tokens", f"gives {run.batch_rows} rows for {distributed.world_size()} processes")
        run.gradients = Gradients(run.network) if self.sharding is None else self.sharding.gradients()
        run.evaluate, run.broken_rows, run.roll_back = self.evaluate, self._broken_rows, self._roll_back
        for group in run.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self._progress = Progress(run.say)
        self._micro_losses: list[tuple[slice, float]] = []
        self._saved_at, self._saved_step = time.monotonic(), -1
        self._tokens_at_start = 0

    @property
    def _logs(self) -> list[AppendLog]:
        return [self.log, self.batches]

    def train(self, checkpoint: Checkpoint | None = None) -> None:
        """Train to the goal, from a checkpoint if there is one.

        Raises SystemExit (143 after SIGTERM, 130 after Ctrl-C) once the step in progress is saved.
        """
        run = self.run
        offsets = [0, 0]
        if checkpoint is not None:
            offsets = restore(run, checkpoint)["log_bytes"]
            self._saved_step = run.step
            run.say(f"going on from {checkpoint.path.name}")
        for log, offset in zip(self._logs, offsets, strict=True):
            log.open(offset, run.say)
        self._tokens_at_start, seconds_before = run.tokens, run.seconds
        clock = time.monotonic()
        stop = StopRequest()
        try:
            with stop.listening(), self.precision.applied():
                for intervention in run.interventions:
                    intervention.on_start(run)
                if run.save_requested:
                    self.save()
                while not run.finished:
                    wanted = self._step(stop)
                    run.seconds = seconds_before + time.monotonic() - clock
                    self._write_line(run.seconds - seconds_before)
                    if wanted["save"] or wanted["stop"] or run.save_requested:
                        self.save()
                    if wanted["stop"]:
                        run.say(f"stopped by a signal after step {run.step}; the same command goes on from here")
                        raise SystemExit(stop.exit_code if stop.signal else 143)
                for intervention in run.interventions:
                    intervention.on_end(run)
                self.save()
        finally:
            self._progress.end()
            for log in self._logs:
                log.close()

    def _step(self, stop: StopRequest) -> dict[str, bool]:
        """One step; whether a checkpoint is due, and whether a signal asks to stop, in any process."""
        run = self.run
        assert run.gradients is not None
        run.metrics, run.skip_update, run.micro_batches = {}, False, 1
        run.progress = run.coming_progress()
        for group in run.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * run.schedule(run.progress)
        self._tell("before_step")

        run.batch = run.stream.next(run.batch_rows)
        num_tokens = run.batch.num_tokens
        assert num_tokens > 0, "the stream gave a batch without tokens"
        self._tell("on_batch")
        batch = run.batch
        self.batches.write(run.step + 1, batch)
        rows = self._share(len(batch.rows_B))
        if getattr(run.optimizer, "wants_sampled_gradient", False):
            self._bring_sampled_gradient(self._examples(batch, rows, run.seed, run.progress))
        losses = self._forward_backward(self._examples(batch, rows, run.seed, run.progress, run.micro_batches))
        due = self.save_every.due(run.step + 1, time.monotonic() - self._saved_at)
        totals, (save, halt) = self._add(losses, float(due), float(bool(stop.signal)))
        run.gradients.scale(1 / max(totals.count, 1.0))
        run.metrics.update({**totals.means(), "targets": int(totals.count)})
        run.measure_gradients()
        self._tell("after_backward")
        if totals.count == 0:
            run.count("steps_without_targets")
        elif not run.skip_update:
            run.gradients.clip(self.clip, run.metrics["grad_norm"])
            run.optimizer.step()
        run.metrics["lr"] = run.optimizer.param_groups[0]["lr"]

        run.step += 1
        run.tokens += num_tokens
        run.positions += batch.tokens_BL.size
        run.pairs += batch.tokens_BL.size * batch.tokens_BL.shape[1]
        run.targets += int(totals.count)
        self._tell("after_step")
        return {"save": save > 0, "stop": halt > 0}

    def _share(self, num_rows: int, rank: int | None = None) -> slice:
        """The rows of a process; of this one by default."""
        rank, size = distributed.rank() if rank is None else rank, distributed.world_size()
        return slice(-(-rank * num_rows // size), -(-(rank + 1) * num_rows // size))  # the first is never left empty

    def _examples(
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
            shares = [self._share(num_rows, rank) for rank in range(distributed.world_size())]
            idle = max(len(_parts(share, height, at_least)) for share in shares) - len(parts)
            examples += idle * [(_IDLE, self._corrupt(batch.select(slice(0, 1)), seed, progress))]
        return examples

    def _corrupt(self, batch: Batch, seed: int, progress: float) -> Examples:
        examples = self.run.objective.corrupt(batch, seed=seed, progress=progress)
        if batch.seen_BL is not None:
            examples.segments_BL = batch.seen_BL
        return examples

    def _loss(self, example: Examples) -> Loss:
        run, example = self.run, example.to(self.run.device)
        return run.objective.loss(run.network, example) if self.sharding is None else self.sharding.loss(example)

    def _forward_backward(self, examples: list[tuple[slice, Examples]]) -> list[Loss]:
        """The losses of micro-batches; leaves in `run.gradients` the gradient of their sum, in all processes.

        Sums are differentiated, not means: the division comes once, at the end, in fp32.
        """
        import torch

        run = self.run
        assert run.gradients is not None
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
            losses.append(Loss(loss.sum.detach(), loss.count, loss.sums))
            self._tell("after_micro_batch", loss.count)
        run.gradients.add_processes()
        self._micro_losses = [(part, float(loss.sum)) for (part, _), loss in zip(examples, losses, strict=False)]
        return losses

    def _bring_sampled_gradient(self, examples: list[tuple[slice, Examples]]) -> None:
        """The gradient of the same inputs with targets that the network draws itself, for who asks for it."""
        from seedbed.train.sampled import with_sampled_targets

        run, count = self.run, 0
        assert run.gradients is not None
        if self.sharding is not None:
            raise InputError(
                "optimizer", "draws targets from the network's prediction, and it lies in shards", fix="adamw"
            )
        run.gradients.clear()
        run.network.train()
        for part, example in examples:
            seed = key(run.seed, "sampled", run.step, part.start) >> 1
            with self._autocast():
                loss = self._loss(with_sampled_targets(run.network, example.to(run.device), seed))
            loss.sum.backward()  # type: ignore[no-untyped-call]
            count += loss.count
        run.gradients.add_processes()
        (total,) = distributed.total([float(count)])
        run.gradients.scale(1 / max(total, 1.0))
        run.optimizer.take_sampled_gradient(total)  # type: ignore[attr-defined]

    def _add(self, losses: list[Loss], *flags: float) -> tuple[Totals, list[float]]:
        """The sums of this process's losses, and flags, summed over the processes."""
        names = distributed.from_first(sorted(losses[0].sums) if losses else [])
        own = [sum(float(loss.sums[name]) for loss in losses) for name in names]
        first = [sum(float(loss.sum) for loss in losses), float(sum(loss.count for loss in losses))]
        loss, count, *rest = distributed.total([*first, *own, *flags])
        return Totals(loss, count, dict(zip(names, rest, strict=False))), rest[len(names) :]

    def evaluate(self, batch: Batch, *, seed: int, progress: float) -> Totals:
        """The loss of a batch without gradient, at the weights that the optimizer is judged by; every process computes
        its share, and all get the whole."""
        import torch

        rows = self._share(len(batch.rows_B))
        self.run.network.eval()
        with evaluation_weights(self.run.optimizer), torch.no_grad(), self._autocast():
            examples = self._examples(batch, rows, seed, progress)
            losses = [(part, self._loss(example)) for part, example in examples]
        return self._add([loss for part, loss in losses if part is not _IDLE])[0]

    def _autocast(self) -> AbstractContextManager[Any]:
        return self.precision.autocast(self.run.device)

    def _broken_rows(self) -> np.ndarray:
        """Which rows of the batch have a loss that is not finite: first by micro-batch, then row by row (in shards all
        rows, for the number of passes must not depend on the losses)."""
        import torch

        run, batch = self.run, self.run.batch
        assert batch is not None
        num_rows = len(batch.rows_B)
        suspects = [part for part, value in self._micro_losses if self.sharding or not np.isfinite(value)]
        rows = {row for part in suspects for row in range(part.start, part.stop)}
        flags = torch.zeros(num_rows, dtype=torch.float64)
        for part, example in self._examples(batch, self._share(num_rows), run.seed, run.progress, at_least=num_rows):
            if part is not _IDLE and part.start not in rows:
                continue
            with torch.no_grad(), self._autocast():
                loss = self._loss(example)
            if part is not _IDLE:
                flags[part.start] = float(not bool(torch.isfinite(loss.sum)))
        distributed.add(flags)
        return flags.numpy() > 0

    def save(self) -> None:
        """Write a checkpoint, unless this step's is there."""
        run = self.run
        run.save_requested = False
        if self.checkpoints is not None and run.step != self._saved_step:
            if distributed.rank() == 0 or self.sharding is not None:
                parts, state = capture(run, {"log_bytes": [log.offset() for log in self._logs], **self.facts})
            if distributed.rank() == 0:
                self.checkpoints.save(run.step, parts, state, kept=run.keep_requested)
            distributed.barrier()
            self._saved_step = run.step
        run.keep_requested = False
        self._saved_at = time.monotonic()

    def _roll_back(self) -> int:
        assert self.checkpoints is not None, "without checkpoints there is no way back"
        assert self._saved_step >= 0
        checkpoint = self.checkpoints.at(self._saved_step)
        problem = self.checkpoints.problem(checkpoint)
        if problem:
            raise InputError(str(checkpoint.path), f"cannot roll back: {problem}")
        restore_network(self.run, checkpoint, checkpoint.state())
        return checkpoint.step

    def _tell(self, hook: str, *more: int) -> None:
        for intervention in self.run.interventions:
            getattr(intervention, hook)(self.run, *more)

    def _write_line(self, seconds: float) -> None:
        run = self.run
        speed = (run.tokens - self._tokens_at_start) / max(seconds, 1e-9)
        times = {"seconds": round(run.seconds, 3), "tokens_per_second": round(speed, 1)}
        record = {"step": run.step, "tokens": run.tokens, **run.metrics, "time": times}
        self.log.write(record)
        if distributed.rank() == 0:
            left = run.goal[0] - run.done
            pace = run.done / run.seconds if run.seconds else 0.0
            total = f"/{run.goal[0]}" if run.goal[1] == "steps" else f" ({100 * run.done / run.goal[0]:.0f}%)"
            self._progress.show(describe(record, total, left / pace if pace else None), force=run.finished)


def _parts(rows: slice, height: int, at_least: int) -> list[slice]:
    """Rows in micro-batches of at most that height, and no fewer of them than asked for if there are as many rows."""
    height = max(1, min(height, (rows.stop - rows.start) // at_least))
    return [slice(start, min(start + height, rows.stop)) for start in range(rows.start, rows.stop, height)]
