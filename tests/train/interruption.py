"""Interrupting a run, and comparing its end with that of one that was not interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from train_world import assert_same_end, log_without_times, train

from seedbed.train import interventions
from seedbed.train.intervention import Intervention
from seedbed.train.run import Run


class Killed(BaseException):
    """As sudden as a signal, for what runs in this process."""


class Killer(Intervention):
    """Ends the run in one hook of one step."""

    def __init__(self, hook: str, step: int) -> None:
        self.hook, self.step = hook, step

    def _maybe(self, hook: str, run: Run) -> None:
        if hook == self.hook and (run.step >= self.step or hook in ("on_start", "on_end")):
            raise Killed

    def on_start(self, run: Run) -> None:
        self._maybe("on_start", run)

    def before_step(self, run: Run) -> None:
        self._maybe("before_step", run)

    def after_backward(self, run: Run) -> None:
        self._maybe("after_backward", run)

    def after_step(self, run: Run) -> None:
        self._maybe("after_step", run)

    def on_end(self, run: Run) -> None:
        self._maybe("on_end", run)


def resumed_equals_whole(folder: Path, settings: Callable[[], dict[str, Any]], *steps: int) -> Run:
    """`train` with these settings, which are made anew for each process: at once, and killed after each of the steps.
    The run that was left alone."""

    def go(name: str, killer: Killer) -> Run:
        given = settings()
        return train(folder / name, **{**given, "interventions": [*given.get("interventions", []), killer]})

    whole = go("whole", Killer("never", 0))
    for step in steps:
        with pytest.raises(Killed):
            go("cut", Killer("after_step", step))
    cut = go("cut", Killer("never", 0))
    assert_same_end(whole, cut)
    assert log_without_times(folder / "whole") == log_without_times(folder / "cut")
    return whole


def method_resumes(folder: Path, name: str, step: int, **parameters: Any) -> Run:
    """The same for an intervention in a decoder, of its parameters."""
    made = {"objective": "clm"}
    return resumed_equals_whole(
        folder, lambda: {**made, "interventions": [interventions.create(name, **parameters)]}, step
    )
