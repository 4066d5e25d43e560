"""Two processes equal one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from train_world import MadeStream, log_without_times, train

from seedbed.core import distributed
from seedbed.train import interventions

HERE = Path(__file__).parent
SCRIPT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from seedbed.core import distributed
    from seedbed.train import interventions
    from train_world import MadeStream, train
    from test_train_non_finite import Poisoned
    place = Path(sys.argv[1])
    distributed.setup()
    held_out = lambda rows: [MadeStream(9).next(5)]
    for name in ("mlm", "clm"):
        chosen = [interventions.create("validate", every=3), interventions.create("non_finite")]
        for steps in (6, 9):
            train(place / name, name, steps=steps, rows=7, interventions=chosen, held_out=held_out)
    poisoned = Poisoned({10})
    run = train(None, poisoned, steps=3, rows=7, interventions=[interventions.create("non_finite", policy="skip")],
                say=print if distributed.rank() == 0 else lambda line: None)
    assert run.counts == {"skipped_steps": 1}
    assert distributed.from_first({"rank": distributed.rank()}) == {"rank": 0}
    assert distributed.total([1.0, distributed.rank()]) == [2.0, 1.0]
    distributed.barrier()
    """
)


def test_alone_everything_is_trivial() -> None:
    assert (distributed.rank(), distributed.world_size(), distributed.local_rank()) == (0, 1, 0)
    distributed.setup()
    distributed.barrier()
    assert distributed.total([1.0, 2.0]) == [1.0, 2.0]
    assert distributed.from_first({"a": 1}) == {"a": 1}
    assert not torch.distributed.is_initialized()


def test_two_processes_equal_one(tmp_path: Path) -> None:
    """Losses, validation and weights up to the order of additions (fp32): a relative 1e-4 after nine steps, with an
    odd number of rows, a resume in between, and documents named whichever process had them."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")},
        "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
    }
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0"]
    command += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", str(script), str(tmp_path / "two")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "step 2: the loss is not finite; its documents: made: d1000" in result.stdout
    for name in ("mlm", "clm"):
        extra = {"rows": 7, "held_out": lambda rows: [MadeStream(9).next(5)]}
        for steps in (6, 9):
            chosen = [interventions.create("validate", every=3), interventions.create("non_finite")]
            train(tmp_path / "one" / name, name, steps=steps, interventions=chosen, **extra)
        two, one = tmp_path / "two" / name, tmp_path / "one" / name
        ours, theirs = log_without_times(one), log_without_times(two)
        assert len(ours) == len(theirs) == 9
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.keys() == other.keys()
            for key in mine:
                assert mine[key] == pytest.approx(other[key], rel=1e-4), (mine["step"], key)
        a, b = (load_file(_last(folder) / "model.safetensors") for folder in (one, two))
        for key, value in a.items():
            torch.testing.assert_close(value, b[key], rtol=1e-3, atol=2e-5)


def _last(folder: Path) -> Path:
    return sorted((folder / "checkpoints").glob("step-*"))[-1]
