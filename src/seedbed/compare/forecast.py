"""What a comparison has still to make, and how long that takes on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .arms import ArmRun
from .work import jobs_of


@dataclass(frozen=True)
class Forecast:
    """All that is to be made of one step of the recipe, by all arms and seeds."""

    step: str
    function: str
    number: int
    estimated: int  # of these, as many as have an estimate
    seconds: float  # which is the sum of those, one after the other


def forecast(runs: Sequence[ArmRun]) -> list[Forecast]:
    """By step, in the order in which they begin. What has the same size is measured once."""
    found: dict[str, list[float | None]] = {}
    functions: dict[str, str] = {}
    measured: dict[tuple[object, ...], float | None] = {}
    for job in jobs_of(runs):
        plan = runs[job.runs[0]].plan
        planned = plan[job.step]
        estimate = plan.estimate(planned)
        size = (planned.step.name, estimate.tokens, estimate.parameters, estimate.flops)
        if size not in measured:
            measured[size] = estimate.duration()
        functions[job.step] = planned.step.name
        found.setdefault(job.step, []).append(measured[size])
    known = {step: [one for one in each if one is not None] for step, each in found.items()}
    return [Forecast(s, functions[s], len(each), len(known[s]), sum(known[s])) for s, each in found.items()]
