"""Two processes equal one; what happens when one of them fails, is killed, or is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import torch
from processes import LIMIT, launch
from safetensors.torch import load_file
from train_world import MadeStream, log_without_times, train

from seedbed.core import distributed
from seedbed.core.errors import StorageError
from seedbed.train import interventions

HERE = Path(__file__).parent


def start(
    script: str, place: Path, *arguments: object, processes: int = 2, restarts: int = 0, watch: float = 0.1
) -> subprocess.Popen:
    """A script under torchrun, which looks at its processes every `watch` seconds; output goes to `place/output`."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")},
        "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
        "OMP_NUM_THREADS": "1",
    }
    path = place / "script.py"
    path.write_text(textwrap.dedent(script))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        f"--nproc-per-node={processes}",
        f"--monitor-interval={watch}",
    ]
    command += ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0", f"--max-restarts={restarts}"]
    with open(place / "output", "w") as output:
        command += [str(path), *map(str, arguments)]
        return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True)


def end(process: subprocess.Popen, place: Path) -> tuple[int, str]:
    """Its exit code and output."""
    try:
        code = process.wait(LIMIT)
    finally:
        if process.poll() is None:
            process.terminate()  # torchrun takes its workers with it
            process.wait(60)
    return code, (place / "output").read_text(errors="replace")


def last(folder: Path) -> Path:
    return sorted((folder / "checkpoints").glob("step-*"))[-1]


def test_alone_everything_is_trivial() -> None:
    assert (distributed.rank(), distributed.world_size(), distributed.local_rank()) == (0, 1, 0)
    distributed.setup()
    distributed.barrier()
    assert distributed.total([1.0, 2.0]) == [1.0, 2.0]
    assert distributed.from_first({"a": 1}) == {"a": 1}
    assert not torch.distributed.is_initialized()
    with pytest.raises(KeyError, match="mine"), distributed.together():
        raise KeyError("mine")


TWO = """
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


def test_two_processes_equal_one(tmp_path: Path) -> None:
    """Losses, validation and weights up to the order of additions (fp32): a relative 1e-4 after nine steps, with an
    odd number of rows, a resume in between, and documents named whichever process had them."""
    output = launch(TWO, tmp_path, tmp_path / "two")
    assert "step 2: the loss is not finite; its documents: made: d1000" in output
    for name in ("mlm", "clm"):
        extra = {"rows": 7, "held_out": lambda rows: [MadeStream(9).next(5)]}
        for steps in (6, 9):
            chosen = [interventions.create("validate", every=3), interventions.create("non_finite")]
            train(tmp_path / "one" / name, name, steps=steps, interventions=chosen, **extra)
        assert_close(tmp_path / "one" / name, tmp_path / "two" / name, steps=9)


def assert_close(one: Path, other: Path, *, steps: int) -> None:
    """Two runs are the same up to the order of additions: logs, and the last checkpoint's weights."""
    ours, theirs = log_without_times(one), log_without_times(other)
    assert len(ours) == len(theirs) == steps
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.keys() == its.keys()
        for key in mine:
            wanted = its[key] if its[key] is None else pytest.approx(its[key], rel=1e-4)
            assert mine[key] == wanted, (mine["step"], key)
    a, b = (load_file(last(folder) / "model.safetensors") for folder in (one, other))
    assert a.keys() == b.keys()
    for key, value in a.items():
        torch.testing.assert_close(value, b[key], rtol=1e-3, atol=2e-5)


FAILING = """
    import datetime, errno, os, sys, time
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from seedbed.core import distributed
    from seedbed.core.errors import InputError
    from seedbed.train import checkpoint
    from seedbed.train.intervention import Intervention
    from train_world import train
    place, how = Path(sys.argv[1]), sys.argv[2]

    class Sleep(Intervention):
        def after_step(self, run):
            if how == "sleep" and run.step == 5 and distributed.rank() == 1:
                end = time.monotonic() + 90
                while not (place / "rank0").exists() and time.monotonic() < end:
                    time.sleep(0.1)
                os._exit(1)

    write = checkpoint.write_tensors
    def full(path, tensors):
        if how == "full" and "step-00000008" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, tensors)

    checkpoint.write_tensors = full
    if how == "sleep":
        distributed.PATIENCE = datetime.timedelta(seconds=5)
    distributed.setup()
    try:
        with distributed.together():
            train(place, steps=9, interventions=[Sleep()])
    except InputError as error:
        Path(place / f"rank{distributed.rank()}").write_text(f"{type(error).__name__} {error}")
        sys.exit(2)
    """


def fail(place: Path, how: str, codes: list[int]) -> list[tuple[str, str]]:
    """For each process that could still speak, its error's name and message."""
    launch(FAILING, place, place / "run", how, codes=codes)
    said = [path.read_text().partition(" ") for path in sorted((place / "run").glob("rank*"))]
    return [(name, message) for name, _, message in said]


def test_a_full_disk_of_the_first_process_ends_all_with_its_message(tmp_path: Path) -> None:
    (first, why), (second, repeated) = fail(tmp_path, "full", [2, 2])
    assert (first, second) == ("StorageError", "PeerError")
    assert why.splitlines()[0] in repeated and repeated.startswith("stopped, for process 0 of 2 failed: ")
    assert "no space left on the device; the checkpoint step-00000004 stays" in why


def test_a_process_that_does_not_answer_is_not_waited_for_forever(tmp_path: Path) -> None:
    assert fail(tmp_path, "sleep", [2, 1]) == [("PeerError", "stopped, for another process does not answer")]


def test_sigterm_to_torchrun_saves(tmp_path: Path) -> None:
    """The processes end with 143 after a checkpoint; torchrun's own code is 1."""
    script = """
        import sys
        from pathlib import Path
        import torch
        torch.set_num_threads(1)
        from seedbed.core import distributed
        from train_world import train
        place = Path(sys.argv[1])
        distributed.setup()
        try:
            train(place, steps=100_000)
        except SystemExit as stop:
            (place / f"code{distributed.rank()}").write_text(str(stop.code))
            raise
        """
    run = tmp_path / "run"
    process = start(script, tmp_path, run, restarts=3)
    log = run / "metrics.jsonl"
    while process.poll() is None and not (log.exists() and log.read_bytes().count(b"\n") > 5):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    code, output = end(process, tmp_path)
    assert code == 1, output
    assert [(run / f"code{rank}").read_text() for rank in range(2)] == ["143", "143"]
    assert last(run).name == f"step-{len(log_without_times(run)):08d}", "the step in progress was saved"


def test_processes_that_start_anew_find_each_other() -> None:
    """In one store, three times, with what the dead have left: all of an attempt take the same name, another each time,
    whichever comes first."""
    store, names = torch.distributed.HashStore(), []
    for delays in ((0.0, 0.1, 0.2), (0.3, 0.0, 0.1), (0.1, 0.3, 0.0)):
        found: dict[int, str] = {}

        def join(number: int, delay: float, found: dict[int, str] = found) -> None:
            time.sleep(delay)
            found[number] = distributed._attempt(store, number, 3)

        threads = [threading.Thread(target=join, args=pair) for pair in enumerate(delays)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(found) == 3 and len(set(found.values())) == 1
        names.append(found[0])
    assert len(set(names)) == 3


def test_what_another_process_said_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    store = torch.distributed.HashStore()
    monkeypatch.setattr(distributed, "_store", store)
    broken = RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:6026")
    with pytest.raises(distributed.PeerError, match="it was killed, or crashed"), distributed.together():
        raise broken
    with pytest.raises(StorageError), distributed.together():
        raise StorageError("here", "no space left on the device")
    with pytest.raises(distributed.PeerError, match="process 0 of 1 failed: here: no space"), distributed.together():
        raise broken
    with pytest.raises(RuntimeError, match="shapes"), distributed.together():
        raise RuntimeError("shapes cannot be multiplied")
