"""Builds a corpus in this process: `python ray_world.py INPUT OUTPUT WORKERS`. WORKERS is a folder in which each worker
process leaves a file with its number; one that finds the file `kill` there takes it away and kills itself.

With SEEDBED_ENGINE=ray it first starts a cluster of two nodes with one core each on this machine.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import psutil

from seedbed.core.schema import build_value, resolve
from seedbed.core.step import StepContext
from seedbed.corpus import curation, tables
from seedbed.corpus.build import build_corpus


class Stumble:
    """Drops nothing; leaves traces of the workers, and kills one of them."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def __call__(self, frame: Any, /) -> Any:
        from seedbed.corpus.engine import daft

        @daft.func.batch(return_dtype=daft.DataType.string(), use_process=False)
        def verdict(ids: Any) -> list[None]:
            (self.folder / str(os.getpid())).touch()
            try:
                (self.folder / "kill").unlink()
            except FileNotFoundError:
                return [None] * len(ids)
            os.kill(os.getpid(), 9)
            raise AssertionError

        return frame.with_column("reason", verdict(daft.col("id")))


def main(path: str, target: str, workers: str) -> None:
    tables.RUN_BYTES, tables.GROUP_BYTES = 20_000, 4_000  # several files, so that there is work for each
    if os.environ.get("SEEDBED_ENGINE") == "ray":
        os.environ["RAY_raylet_start_wait_time_s"] = "240"  # noqa: SIM112  # a busy machine takes longer
        from ray.cluster_utils import Cluster

        store = {"object_store_memory": 80 << 20}
        cluster = Cluster()
        for node in ({"num_cpus": 0, "include_dashboard": False}, *[{"num_cpus": 1, "memory": 1 << 30}] * 2):
            cluster.add_node(**node, **store)
        os.environ["RAY_ADDRESS"] = cluster.address
    curation.register("stumble")(Stumble)
    curate = ["normalize", {"stumble": workers}, {"keep": "words > 5"}, "exact_duplicates"]
    curate += [{"near_duplicates": {"threshold": 0.7}}, {"sample": {"documents": 250}}]
    folder = Path(target)
    folder.mkdir()
    parameters = resolve(build_corpus.function, {"read": [{"jsonl": path}], "curate": curate})
    build_corpus.function(StepContext(folder=folder, name="corpus", parameters={}), **build_value(parameters))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    finally:  # a node that came too late is nobody's
        for child in psutil.Process().children(recursive=True):
            child.kill()
