"""A usual recipe over 0.1, 1 and 10 GB: seconds for each gigabyte, peak memory, and whether both grow as they should.

    python benchmarks/corpus_scale.py --data A.jsonl.xz [B.jsonl.xz ...] [--field text] [--gigabytes 0.1 1 10]
        [--folder FOLDER] [--out results.json]

From the sentences of real texts documents of about 20 sentences are drawn, by chance and again and again, so that
every size has text of one kind, in which no two documents are alike; to these come exact copies of one document in
ten and nearly equal ones (a sentence in 20 is another) of one in ten. They are written as JSON Lines, compressed
by zstd.

The recipe: normalize, Gopher's rules of quality, exact duplicates, near duplicates; then splits, the finished Parquet
files and their manifest. Each size is a process of its own; its peak memory is that of the operating system's count
(resident, at most), which includes what Daft's threads read ahead. Steps are timed by when each one says that it is
done, and have a peak of their own (of what was seen every tenth of a second, where there is /proc), with what earlier
ones gave back and the allocator kept; the first also has the start of Python and its libraries. Time and memory grow
with size to some power, which is told from each size to the next: 1 is linear, 0 is constant.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import lzma
import math
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import kept

SENTENCES = 20
CURATE: list[Any] = ["normalize", "gopher_quality", "exact_duplicates", "near_duplicates"]
_FILE_BYTES = 256e6  # of text in one input file
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def sentences(paths: Sequence[str], field: str, most: int = 400_000) -> list[str]:
    found: dict[str, None] = {}
    for path in paths:
        open_file = lzma.open if path.endswith(".xz") else open
        with open_file(path, "rt", encoding="utf8") as file:
            for line in file:
                parts = [" ".join(part.split()) for part in _SENTENCE.split(json.loads(line)[field])]
                found.update(dict.fromkeys(part for part in parts if 30 <= len(part) <= 400))
                if len(found) >= most:
                    return list(found)
    return list(found)


def documents(pool: list[str], size: float, seed: int = 0) -> Iterator[str]:
    """Texts until there are so many bytes."""
    dice = random.Random(seed)
    recent: list[list[str]] = []
    written = 0
    while written < size:
        kind = dice.random()
        if recent and kind < 0.1:
            parts = dice.choice(recent)
        elif recent and kind < 0.2:
            parts = list(dice.choice(recent))
            parts[dice.randrange(len(parts))] = dice.choice(pool)
        else:
            parts = dice.choices(pool, k=SENTENCES)
            if len(recent) < 1000:
                recent.append(parts)
            else:
                recent[dice.randrange(1000)] = parts
        text = " ".join(parts)
        written += len(text.encode())
        yield text


def write(pool: list[str], size: float, folder: Path) -> int:
    """Files of JSON Lines; returns the number of documents."""
    import zstandard

    folder.mkdir(parents=True)
    number, left = 0, 0.0
    file: Any = None
    for text in documents(pool, size):
        if left <= 0:
            if file is not None:
                file.close()
            raw = open(folder / f"part-{number:09d}.jsonl.zst", "wb")
            packed = zstandard.ZstdCompressor(level=1).stream_writer(raw, closefd=True)
            file, left = io.TextIOWrapper(packed, encoding="utf8"), _FILE_BYTES
        file.write(f'{{"id": "d{number * 2654435761 % 2**32:010d}-{number}", "text": {json.dumps(text)}}}\n')
        number, left = number + 1, left - len(text)
    file.close()
    return number


def build(source: Path, runs: Path) -> dict[str, Any]:
    """Runs the recipe in this process, and measures it."""
    from seedbed.recipe.execute import Workspace, run_recipe
    from seedbed.recipe.recipe import parse_recipe

    clock, said, memory = time.monotonic(), [], list[tuple[float, int]]()

    def watch() -> None:
        pages = Path("/proc/self/statm")
        while pages.exists():
            memory.append((time.monotonic() - clock, int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")))
            time.sleep(0.1)

    threading.Thread(target=watch, daemon=True).start()

    def say(line: str) -> None:
        said.append((time.monotonic() - clock, line))

    step = {"read": [{"jsonl": {"path": str(source)}}], "curate": CURATE, "max_unreadable": 0.0}
    recipe = parse_recipe({"name": "scale", "steps": {"corpus": {"build_corpus": step}}})
    corpus = run_recipe(recipe, Workspace(runs), say=say)["corpus"]
    seconds = time.monotonic() - clock
    used = resource.getrusage(resource.RUSAGE_SELF)
    ends, before = {}, 0.0
    for at, line in said:
        name = line.removeprefix("corpus: ").split()[0].rstrip(":")
        if name in ("read", "normalize", "gopher_quality", "exact_duplicates", "near_duplicates"):
            ends[name] = at
    ends["finish"] = seconds
    steps, peaks = {}, {}
    for name, end in ends.items():
        steps[name] = round(end - before, 2)
        peaks[name] = round(max((size for at, size in memory if before <= at < end), default=0) / 2**30, 3)
        before = end
    return {
        "documents": corpus.counts["read"]["documents"],
        "gigabytes": corpus.counts["read"]["bytes"] / 1e9,
        "kept": corpus.counts["kept"]["documents"],
        "dropped": {name: row["documents"] for name, row in corpus.counts["dropped"].items()},
        "seconds": round(seconds, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_gib": round(used.ru_maxrss / 2**20, 3),
        "steps": steps,
        "peak_gib_by_step": peaks,
    }


def report(rows: list[dict[str, Any]]) -> None:
    print(f"{'GB':>7} {'documents':>10} {'seconds':>8} {'s/GB':>7} {'peak GiB':>9}  seconds for each GB, by step")
    for row in rows:
        size = row["gigabytes"]
        steps = ", ".join(f"{name} {seconds / size:.1f}" for name, seconds in row["steps"].items())
        print(
            f"{size:7.2f} {row['documents']:10,} {row['seconds']:8.1f} {row['seconds'] / size:7.1f} "
            f"{row['peak_gib']:9.2f}  {steps}"
        )
    for small, large in itertools.pairwise(rows):
        growth = math.log(large["gigabytes"] / small["gigabytes"])
        powers = [math.log(large[name] / small[name]) / growth for name in ("seconds", "peak_gib")]
        sizes = f"{small['gigabytes']:.2f} to {large['gigabytes']:.2f} GB"
        print(f"{sizes}: time grows with size to the power of {powers[0]:.2f}, memory {powers[1]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", help="JSON Lines, also .xz")
    parser.add_argument("--field", default="text")
    parser.add_argument("--gigabytes", nargs="+", type=float, default=[0.1, 1.0, 10.0])
    parser.add_argument("--folder", help="where input and results stand while it runs: four times the largest size")
    parser.add_argument("--out", help="a JSON file for the figures")
    parser.add_argument("--build", nargs=2, help=argparse.SUPPRESS)  # one size, in a process of its own
    given = parser.parse_args()
    if given.build:
        print(json.dumps(build(*map(Path, given.build))))
        return
    pool = sentences(given.data, given.field)
    print(f"{len(pool):,} sentences, {sum(map(len, pool)) / 1e6:.0f} MB")
    rows = []
    if given.folder:
        Path(given.folder).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scale-", dir=given.folder))
    try:
        for size in given.gigabytes:
            source, runs = folder / "input", folder / "runs"
            started = time.monotonic()
            number = write(pool, size * 1e9, source)
            print(f"wrote {number:,} documents in {time.monotonic() - started:.0f} s", flush=True)
            command = [sys.executable, __file__, "--build", str(source), str(runs)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            report(rows)
            shutil.rmtree(source)
            shutil.rmtree(runs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.out:
        kept.write(given.out, {"curate": CURATE, "sentences": len(pool), "rows": rows})


if __name__ == "__main__":
    main()
