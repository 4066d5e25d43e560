"""A schedule put together from phases."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from seedbed.core.checks import check_counts, check_rate
from seedbed.core.errors import InputError
from seedbed.optim import schedules
from seedbed.optim.warmup import left

_NUMBER = r"([0-9]*\.?[0-9]+(?:[eE]-?[0-9]+)?)"
_PHASE = re.compile(rf"\s*{_NUMBER}\s*%(?:\s+to\s+{_NUMBER}(?:\s+(linear|sqrt|cosine|exponential))?)?\s*")
_EXAMPLES = "'5% to 1', '75%', '20% to 0 sqrt'"


@dataclass(frozen=True)
class _Phase:
    begin: float  # progress within a cycle
    end: float
    start: float  # rate
    to: float
    shape: str

    def rate(self, progress: float) -> float:
        share = min(1.0, (progress - self.begin) / (self.end - self.begin))
        if self.shape == "exponential":
            return float(self.start * (self.to / self.start) ** share)
        # `left` falls from 1 to 0; a rise is the same curve turned around
        return self.to + (self.start - self.to) * left(share, self.shape)  # type: ignore[arg-type]


@schedules.register("phases")
class Phases:
    """One phase after the other: "5% to 1" goes to 1 over 5% of the run in a straight line, from wherever the phase
    before it ended (the first from `start`), "20% to 0 sqrt" along another curve, "75%" stays. The shares make 100%;
    with `cycles` the whole is repeated so often, and shares are those of a cycle.

    Curves, with t from 0 to 1 and s = start, e = end of the phase: linear, e + (s - e)(1 - t); sqrt,
    e + (s - e)(1 - sqrt t); cosine, e + (s - e)(1 + cos(pi t)) / 2; exponential, s (e / s)^t.

    Warmup-stable-decay is the default. Warming up again in the middle: ["5% to 1", "45% to 0.1 cosine", "2% to 1",
    "48% to 0 cosine"]. Four warm restarts (Loshchilov and Hutter, 2017): start 1, ["100% to 0 cosine"], cycles 4; each
    cycle after the first begins at `start`.
    """

    def __init__(
        self,
        parts: list[str] = ["5% to 1", "75%", "20% to 0 sqrt"],  # noqa: B006
        start: float = 0.0,
        cycles: int = 1,
    ) -> None:
        check_rate("start", start)
        check_counts(cycles=cycles)
        self.cycles = cycles
        self.phases = _phases(parts, start)

    def __call__(self, progress: float) -> float:
        turn = min(progress, 1.0) * self.cycles
        # the end of the last cycle belongs to it, and is not the start of another one
        within = turn - min(math.floor(turn), self.cycles - 1)
        phase = next((phase for phase in self.phases if within < phase.end), self.phases[-1])
        return phase.rate(within)


def _phases(parts: list[str], start: float) -> list[_Phase]:
    found: list[_Phase] = []
    percent, rate = 0.0, start
    for number, part in enumerate(parts):
        match = _PHASE.fullmatch(part)
        if not match or not float(match[1]) > 0:
            raise InputError(
                f"parts[{number}]", "is no phase of a schedule", value=part, allowed=f"such as {_EXAMPLES}"
            )
        to, shape = (rate, "linear") if match[2] is None else (float(match[2]), match[3] or "linear")
        if shape == "exponential" and not (rate > 0 and to > 0):
            raise InputError(f"parts[{number}]", "an exponential curve neither begins nor ends at 0", value=part)
        begin, percent = percent, percent + float(match[1])
        found.append(_Phase(begin / 100, percent / 100, rate, to, shape))
        rate = to
    if abs(percent - 100) > 1e-6:
        raise InputError("parts", f"the shares make {percent:g}%, not 100%", value=parts)
    return found
