"""The training loop: draw a batch, forward, backward, update, log, save. All else is an intervention.

A step's global batch is drawn whole by every process, so the order of samples depends on nothing but the seed.
Each process takes its slice of the rows, and cuts it into micro-batches of at most `micro_tokens` (`passes.py`). Losses
are summed, and at the end divided by the number of targets in the global batch: accumulation and several processes
compute what one large batch would, up to the order of additions.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seedbed.core import distributed
from seedbed.core.errors import InputError
from seedbed.train.gradients import Gradients
from seedbed.train.metrics import MetricsLog, Progress, describe, idle_threads
from seedbed.train.passes import LOAD, Passes
from seedbed.train.run import Run
from seedbed.train.signals import StopRequest
from seedbed.train.state import capture, restore, restore_network

if TYPE_CHECKING:
    from seedbed.train.batchlog import BatchLog
    from seedbed.train.budget import Every
    from seedbed.train.checkpoint import Checkpoint, Checkpoints
    from seedbed.train.logs import AppendLog
    from seedbed.train.precision import Precision
    from seedbed.train.sharding import Sharding


_LOOK_AFTER = 60.0  # seconds


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
        self.passes = passes = Passes(run, self.precision, self.micro_tokens, self.sharding)
        run.evaluate, run.broken_rows, run.roll_back = passes.evaluate, passes.broken_rows, self._roll_back
        run.gradient_again = passes.gradient_again
        for group in run.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self._progress = Progress(run.say)
        self._saved_at, self._saved_step = time.monotonic(), -1
        self._tokens_at_start = 0
        self._looked = False  # whether threads are idle

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
        self._tokens_at_start, seconds_before, cpu_before = run.tokens, run.seconds, run.cpu_seconds
        clock, cpu_clock = time.monotonic(), time.process_time()
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
                    run.cpu_seconds = cpu_before + time.process_time() - cpu_clock
                    self._write_line(run.seconds - seconds_before)
                    self._look(run.seconds - seconds_before, run.cpu_seconds - cpu_before)
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
        if getattr(run.optimizer, "wants_sampled_gradient", False):
            self.passes.bring_sampled_gradient(batch)
        losses = self.passes.forward_backward(batch)
        due = self.save_every.due(run.step + 1, time.monotonic() - self._saved_at)
        load = self.passes.load
        flags = float(due), float(bool(stop.signal)), load.read, load.pairs, load.written
        totals, (save, halt, *read) = self.passes.add(losses, *flags)
        run.gradients.scale(1 / max(totals.count, 1.0))
        run.metrics.update({**totals.means(), "targets": int(totals.count)})
        run.measure_gradients()
        if totals.count == 0:
            run.count("steps_without_targets")
            run.skip_update = True
        self._tell("after_backward")
        if not run.skip_update:
            run.gradients.clip(self.clip, run.metrics["grad_norm"])
            run.optimizer.step()
        run.metrics["lr"] = run.optimizer.param_groups[0]["lr"]

        run.step += 1
        run.tokens += num_tokens
        run.positions += batch.tokens_BL.size
        run.pairs += batch.tokens_BL.size * batch.tokens_BL.shape[1]
        run.targets += int(totals.count)
        for name, number in zip(LOAD, read, strict=True):
            if run.objective.reshapes:
                run.count(name, int(number))
        self._tell("after_step")
        return {"save": save > 0, "stop": halt > 0}

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

    def _look(self, seconds: float, cpu_seconds: float) -> None:
        """Once, whether the threads are busy."""
        if self._looked or seconds < _LOOK_AFTER:
            return
        self._looked = True
        if self.run.device.type == "cpu" and distributed.world_size() == 1:
            import torch

            if said := idle_threads(seconds, cpu_seconds, torch.get_num_threads()):
                self.run.say(said)

    def _tell(self, hook: str) -> None:
        for intervention in self.run.interventions:
            getattr(intervention, hook)(self.run)

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
