"""metrics.jsonl, one line a step; and what a person sees of it.

Everything measured by a clock stands under "time", so that the rest of the log is the same, byte for byte, for a
run that was killed and resumed.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from seedbed.core.files import finite
from seedbed.train.logs import AppendLog

METRICS = "metrics.jsonl"
_BUSY = 0.6  # of the threads' time, at least


class MetricsLog(AppendLog):
    """The log of JSON lines."""

    def write(self, record: dict[str, Any]) -> None:
        """One line. Numbers that JSON does not know become null."""
        if self.path is not None:
            self.append((json.dumps(finite(record), allow_nan=False) + "\n").encode())


class Progress:
    """The line with step, loss, tokens/s and time left: rewritten in place on a terminal, else said now and then."""

    def __init__(self, say: Callable[[str], None], stream: TextIO | None = None, *, every: float = 30.0) -> None:
        self.say, self.stream = say, stream or sys.stderr
        self.on_terminal = self.stream.isatty() and not os.environ.get("CI")
        self.every = 0.2 if self.on_terminal else every
        self._last = -math.inf
        self._width = 0

    def show(self, line: str, *, force: bool = False) -> None:
        """Show a line if the last one is old enough."""
        now = time.monotonic()
        if now - self._last < self.every and not force:
            return
        self._last = now
        if self.on_terminal:
            self.stream.write("\r" + line.ljust(self._width))
            self.stream.flush()
            self._width = len(line)
        else:
            self.say(line)

    def end(self) -> None:
        """Leave the line."""
        if self.on_terminal and self._width:
            self.stream.write("\n")
            self.stream.flush()
            self._width = 0


def describe(record: dict[str, Any], total: str, seconds_left: float | None) -> str:
    """A record as a person reads it."""
    loss = record.get("loss")
    parts = [f"step {record['step']}{total}", f"loss {loss:.4f}" if loss is not None else "no targets"]
    if record.get("accuracy") is not None:
        parts.append(f"accuracy {record['accuracy']:.3f}")
    parts.append(f"{record['time']['tokens_per_second']:,.0f} tokens/s")
    if seconds_left is not None:
        parts.append(f"{duration(seconds_left)} left")
    return " · ".join(parts)


def idle_threads(seconds: float, cpu_seconds: float, threads: int) -> str | None:
    """What to say where threads were idle for long. With other work on the machine each product waits for the last of
    its threads, so that fewer are faster; small products are done by one."""
    share = cpu_seconds / max(seconds * threads, 1e-9)
    if threads < 2 or share >= _BUSY:
        return None
    fewer = max(1, round(share * threads))
    return (
        f"{threads} threads were at work for {share:.0%} of the time: either other work has the machine, too, or the "
        f"steps are too small for them; SEEDBED_CORES={fewer} may be faster"
    )


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
