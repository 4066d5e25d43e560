"""Scripts in several processes that find each other as torchrun's do, at a fraction of its cost: they are forked off
one process that has imported what takes long. Tests of what torchrun itself does start torchrun."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import socket
import sys
import textwrap
import time
from collections.abc import Sequence
from multiprocessing.connection import wait
from pathlib import Path

import pytest

LIMIT = 240  # seconds; a script that hangs would meet it
_IMPORTED = ["torch", "torch.distributed.fsdp", "seedbed.recipe.execute", "seedbed.train.pretrain", "train_world"]


def launch(script: str, place: Path, *arguments: object, processes: int = 2, codes: Sequence[int] | None = None) -> str:
    """Run a script in several processes to its good end, or to these exit codes; their output, which also stands in
    `place/output`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    path, output = place / "script.py", place / "output"
    path.write_text(textwrap.dedent(script))
    output.write_text("")
    common = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "localhost", "MASTER_PORT": str(_free_port())}
    given = [str(argument) for argument in (path, *arguments)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # of the server, which this may start
        workers = [
            context.Process(target=_run, args=({**common, "RANK": str(n), "LOCAL_RANK": str(n)}, given, output))
            for n in range(processes)
        ]
        for worker in workers:
            worker.start()
    end = time.monotonic() + LIMIT
    while any(worker.is_alive() for worker in workers) and time.monotonic() < end:
        wait([worker.sentinel for worker in workers if worker.is_alive()], 1.0)
        if codes is None and any(worker.exitcode for worker in workers):
            break
    for worker in workers:
        worker.kill()  # who still waits for one that has failed
        worker.join()
    said = output.read_text(errors="replace")
    assert [worker.exitcode for worker in workers] == list(codes or [0] * processes), said
    return said


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return int(found.getsockname()[1])


def _run(environment: dict[str, str], arguments: list[str], output: Path) -> None:
    """In a process of its own."""
    os.environ.update(environment)
    into = os.open(output, os.O_WRONLY | os.O_APPEND)
    for place in (1, 2):
        os.dup2(into, place)
    sys.stdout, sys.stderr = (os.fdopen(place, "w", buffering=1, closefd=False) for place in (1, 2))
    sys.argv = arguments
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # which multiprocessing leaves out
