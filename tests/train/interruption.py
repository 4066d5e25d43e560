"""Interrupting a run of an intervention, and comparing its end with that of one that was not interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from train_world import assert_same_end, log_without_times, train

from seedbed.train import interventions
from seedbed.train.intervention import Intervention


class Stop(BaseException):
    pass


class StopAt(Intervention):
    """Ends a run after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def after_step(self, run: Any) -> None:
        if run.step == self.step:
            raise Stop


def resumed_equals_whole(folder: Path, name: str, at: int, **parameters: Any) -> Any:
    """Train 12 steps at once, and with an interruption; the whole run."""

    def chosen(step: int) -> list[Intervention]:
        return [interventions.create(name, **parameters), StopAt(step)]

    whole = train(folder / "whole", "clm", interventions=chosen(-1))
    with pytest.raises(Stop):
        train(folder / "cut", "clm", interventions=chosen(at))
    cut = train(folder / "cut", "clm", interventions=chosen(-1))
    assert_same_end(whole, cut)
    assert log_without_times(folder / "whole") == log_without_times(folder / "cut")
    return whole
