"""Networks of mixers in a run, and the curriculum of implicit ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import train_world
from interruption import resumed_equals_whole
from train_world import train

from seedbed.core.errors import InputError
from seedbed.train import interventions
from seedbed.train.intervention import Intervention
from seedbed.train.run import Run

IMPLICIT = {"implicit": {"states": 4, "steps": 3, "test_steps": 4, "unrolled": 2}}


@pytest.mark.parametrize(
    ("attention", "objective", "blocks", "hooks"),
    [
        ("bidirectional", "mlm", {"mixer": ["bigs"]}, {}),
        ("causal", "clm", {"mixer": ["hyena", {"rwkv7": {"rank": 4}}]}, {}),
        (
            "causal",
            "clm",
            {"mixer": [{"megalodon": {"chunk": 4}}, IMPLICIT]},
            {"fixed_point_curriculum": {"share": 0.7, "steps": 2}},
        ),
        (
            "causal",
            "clm",
            {"mixer": "stick_breaking", "feed": {"experts": {"experts": 4}}},
            {"load_concentration": {"weight": 0.5}},
        ),
    ],
)
def test_resumed_runs_are_whole_ones(
    attention: str,
    objective: str,
    blocks: dict[str, Any],
    hooks: dict[str, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, _ = train_world.BACKBONES[attention]
    monkeypatch.setitem(train_world.BACKBONES, attention, (name, {**blocks, "positions": "none"}))

    def settings() -> dict[str, Any]:
        made = [interventions.create(name, **parameters) for name, parameters in hooks.items()]
        return {"objective": objective, "steps": 6, "interventions": made}

    resumed_equals_whole(tmp_path, settings, 5)


class Steps(Intervention):
    """Writes down what the curriculum says."""

    def __init__(self) -> None:
        self.seen: list[int | None] = []

    def after_step(self, run: Run) -> None:
        self.seen.append(run.network.layers[0].mixer.plain_steps)


def test_fixed_points_are_looked_for_late(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="the mixer implicit"):
        train(None, "clm", steps=2, interventions=[interventions.create("fixed_point_curriculum")])
    monkeypatch.setitem(train_world.BACKBONES, "causal", ("decoder", {"mixer": IMPLICIT, "positions": "none"}))
    watch, hook = Steps(), interventions.create("fixed_point_curriculum", share=0.5, steps=2)
    run = train(None, "clm", steps=6, interventions=[hook, watch])
    assert watch.seen == [2, 2, 2, None, None, None]
    hook.before_step(run)
    run.network.layers[0].mixer.plain_steps = 2
    hook.export(run.network)
    assert run.network.layers[0].mixer.plain_steps is None
