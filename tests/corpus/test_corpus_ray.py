"""The same corpus from a cluster of several worker processes, one of which is killed in the middle."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("ray_world.py")


def test_an_unknown_engine_is_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import seedbed.corpus.engine"],
        env={**os.environ, "SEEDBED_ENGINE": "rays"}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert "SEEDBED_ENGINE: there is no such engine" in done.stderr and "native, ray" in done.stderr


@pytest.mark.long
def test_a_cluster_makes_the_same_corpus_although_a_worker_dies(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    pytest.importorskip("psutil")
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in _records()))
    made = {}
    for engine in ("native", "ray"):
        workers = tmp_path / f"{engine}-workers"
        workers.mkdir()
        if engine == "ray":
            (workers / "kill").touch()
        command = [sys.executable, str(SCRIPT), str(path), str(tmp_path / engine), str(workers)]
        subprocess.run(command, env={**os.environ, "SEEDBED_ENGINE": engine}, check=True, timeout=550)
        made[engine] = _contents(tmp_path / engine)
    assert made["native"] == made["ray"] and {"data", "dropped"} <= {name.split("/")[0] for name in made["ray"]}
    processes = [name.name for name in (tmp_path / "ray-workers").iterdir()]
    assert "kill" not in processes and len(processes) >= 2, "the worker that died, and the one that did its work"


def _records() -> list[dict[str, str]]:
    random_ = random.Random(5)
    words = [f"w{number}" for number in range(500)]
    rows: list[dict[str, str]] = []
    for number in range(600):
        text = random_.choices(words, k=random_.choice([3, 30, 60]))
        if rows and number % 5 == 0:
            text = random_.choice(rows)["text"].split()
            if number % 2:
                text[random_.randrange(len(text))] = "changed"
        rows.append({"id": f"r{number:04d}", "text": " ".join(text)})
    return rows


def _contents(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
