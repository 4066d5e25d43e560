"""Interventions decide the same in two processes as in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from processes import launch
from test_train_hooks_spike_guard import shouting
from train_world import LENGTH, MadeStream, log_without_times, make_loop, make_run

from seedbed.core import distributed
from seedbed.train import interventions

RISE = {"linear": {"start": 0.3, "end": 1.0}}


def run_all(place: Path) -> None:
    """Parts of two rows in one process as in two, so that the noise scale has the same parts."""

    def train(name: str, objective: Any, *, micro_tokens: int, **extra: Any) -> None:
        make_loop(make_run(objective, **extra), place / name, micro_tokens=micro_tokens).train()

    held_out = [MadeStream(9).next(5)]
    tracing = [("gradient_noise", {"every": 2}), ("activation_norms", {"every": 3}), ("source_loss", {"every": 4})]
    chosen = {
        "tracing": [*tracing, ("keep_checkpoints", {"steps": [0, 3]})],
        "curricula": [("batch_size", {"schedule": RISE}), ("row_length", {"schedule": RISE})],
        "forgetting": [("active_forgetting", {"every": 3})],
        "languages": [("language_embeddings", {})],
    }
    for name, some in chosen.items():
        hooks = [interventions.create(n, **p) for n, p in some]
        train(name, "clm", steps=8, micro_tokens=2 * LENGTH, interventions=hooks, held_out=lambda rows: held_out)
    said: list[str] = []
    guard = interventions.create("spike_guard", window=8)
    train("spikes", shouting({70}), steps=10, interventions=[guard], micro_tokens=LENGTH, say=said.append)
    if distributed.rank() == 0:
        (place / "said").write_text("\n".join(line for line in said if "deviations" in line))


TWO = """
    import sys
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from seedbed.core import distributed
    from test_train_hooks_distributed import run_all
    distributed.setup()
    run_all(Path(sys.argv[1]))
    distributed.barrier()
    """


def test_two_processes_decide_as_one(tmp_path: Path) -> None:
    launch(TWO, tmp_path, tmp_path / "two")
    run_all(tmp_path / "one")
    for name in ("tracing", "curricula", "forgetting", "languages", "spikes"):
        ours, theirs = (log_without_times(tmp_path / number / name) for number in ("one", "two"))
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.keys() == other.keys()
            for key in mine:
                assert mine[key] == pytest.approx(other[key], rel=1e-2 if key == "noise_scale" else 1e-4), key
    kept = [sorted(path.name for path in (tmp_path / n / "tracing/checkpoints").iterdir()) for n in ("one", "two")]
    assert kept[0] == kept[1] and "step-00000003" in kept[0]
    one, two = ((tmp_path / number / "said").read_text() for number in ("one", "two"))
    assert "made: d7000" in one and one.split("highest")[1] == two.split("highest")[1]
