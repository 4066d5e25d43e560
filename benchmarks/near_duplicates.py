"""Near-duplicates from Parquet to the ids that go: Seedbed, datatrove's four stages, datasketch and rensa.

    python benchmarks/near_duplicates.py --data A.jsonl.xz B.jsonl.xz --peers-python PYTHON [--documents 100000]

Real text is cut into passages, of which none shares a tenth of its word 5-grams with earlier ones; to these come
copies, a share of whose words are replaced, left out or doubled, at three rates. The truth is by definition: documents
of one original with a Jaccard similarity of at least the threshold belong together, and all but one of them should go.
Recall is the share of these that goes, by the rate of the edits; precision the share of what goes that should.

All cut texts into 5-grams of words and have the same bands. datatrove runs twice: as it comes, with its own
normalization and spaCy's words, and with the words that all others have (lower case, no ASCII punctuation, parted by
white space). Of rensa the batch calls are used, and the part of its time that comes after the shingles is told too.
Each contestant is a process of its own, in turn, and has seen a hundred documents before its clock starts; CPU time is
that of user and system. Seedbed runs twice: whether the same documents go is told.

`PYTHON` is of an environment with
    pip install "datatrove==0.10.1" "xxhash<4" orjson spacy regex tokenizers datasketch rensa pyarrow
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import resource
import string
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import kept

THRESHOLD, NGRAM = 0.8, 5
_PUNCTUATION = string.punctuation.encode()
Task = dict[str, Any]  # folder, bands, rows
Run = Callable[[str], list[str]]  # from the folder of the documents to the ids that go


def words_of(text: str) -> list[str]:
    """The words that are compared, as quickly as Python makes them."""
    return text.lower().encode().translate(None, _PUNCTUATION).decode().split()


def shingles_of(text: str) -> list[str]:
    words = words_of(text)
    return [" ".join(gram) for gram in zip(*(words[start:] for start in range(NGRAM)), strict=False)]


def _read(folder: str) -> tuple[list[str], list[str]]:
    import pyarrow.parquet as pq

    table = pq.read_table(Path(folder) / "documents.parquet")
    return table["id"].to_pylist(), table["text"].to_pylist()


def seedbed(task: Task) -> Run:
    """The curation step, as `build_corpus` runs it."""
    from seedbed.corpus.curating.near_duplicates import NearDuplicates
    from seedbed.corpus.engine import daft

    def run(folder: str) -> list[str]:
        method = NearDuplicates(THRESHOLD, NGRAM)
        assert (method.bands, method.rows) == (task["bands"], task["rows"])
        rows = method(daft.read_parquet(f"{folder}/documents.parquet"))
        ids: list[str] = rows.where(daft.col("reason").not_null()).select("id").to_pydict()["id"]
        return ids

    return run


def datatrove(task: Task, same_words: bool = False) -> Run:
    """Signature, buckets, cluster, filter, without the executor."""
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.utils.text import TextNormConfig
    from loguru import logger

    logger.remove()

    class Words:
        word_tokenize = staticmethod(words_of)

    def run(folder: str) -> list[str]:
        norm = TextNormConfig(False, False, False, False, False) if same_words else TextNormConfig()
        bands, rows = task["bands"], task["rows"]
        config = MinhashConfig(n_grams=NGRAM, num_buckets=bands, hashes_per_bucket=rows, norm_config=norm)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            signature = MinhashDedupSignature(f"{work}/signatures", config)
            if same_words:
                signature.word_tokenizer = Words()
            reader = ParquetReader(folder, glob_pattern="documents.parquet")
            signature.run(reader.run())
            buckets = MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config)
            for band in range(bands):
                buckets.run(None, band, bands)
            MinhashDedupCluster(f"{work}/buckets", f"{work}/gone", config=config).run(None, 0, 1)
            kept = {document.id for document in MinhashDedupFilter(f"{work}/gone").run(reader.run())}
        return [id for id in _read(folder)[0] if id not in kept]

    return run


def datasketch(task: Task) -> Run:
    from datasketch import MinHash, MinHashLSH
    from xxhash import xxh32_intdigest

    def run(folder: str) -> list[str]:
        ids, texts = _read(folder)
        bands, rows = task["bands"], task["rows"]
        index = MinHashLSH(num_perm=bands * rows, params=(bands, rows))
        grams = ([gram.encode() for gram in shingles_of(text)] for text in texts)
        links = []
        for row, sketch in enumerate(MinHash.generator(grams, num_perm=bands * rows, hashfunc=xxh32_intdigest)):
            links += [(row, other) for other in index.query(sketch)]
            index.insert(row, sketch, check_duplication=False)
        return _all_but_first(ids, links)

    return run


def rensa(task: Task) -> Run:
    from rensa import RMinHash, RMinHashLSH

    def run(folder: str) -> list[str]:
        ids, texts = _read(folder)
        bands, rows = task["bands"], task["rows"]
        grams = [shingles_of(text) for text in texts]
        clock = _cpu()
        sketches = RMinHash.from_token_sets(grams, bands * rows, 42)
        index = RMinHashLSH(THRESHOLD, bands * rows, bands)
        index.insert_many(sketches)
        found = index.query_all(sketches)
        gone = _all_but_first(ids, [(row, other) for row, others in enumerate(found) for other in others])
        print(f"rensa after the shingles: {_cpu() - clock:.2f} s of CPU", file=sys.stderr)
        return gone

    return run


CONTESTANTS: dict[str, Callable[[Task], Run]] = {
    "seedbed": seedbed,
    "datatrove": datatrove,
    "datatrove_same_words": functools.partial(datatrove, same_words=True),
    "datasketch": datasketch,
    "rensa": rensa,
}


def _all_but_first(ids: Sequence[str], links: Sequence[tuple[int, int]]) -> list[str]:
    parent = list(range(len(ids)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other in links:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return [id for row, id in enumerate(ids) if root(row) != row]


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _contest(name: str, task: Task) -> None:
    """In a process of its own: one line of JSON."""
    run = CONTESTANTS[name](task)
    run(task["folder"] + "/few")  # what is imported and made at first use
    cpu, clock = _cpu(), time.perf_counter()
    gone = run(task["folder"])
    figures = {"cpu": _cpu() - cpu, "seconds": time.perf_counter() - clock}
    status = Path("/proc/self/status").read_text(encoding="utf8")
    figures["memory"] = int(status.split("VmHWM:")[1].split()[0]) / 1024  # getrusage's counts the parent's before exec
    print(json.dumps({**figures, "gone": sorted(gone)}))


# The material


def passages(data: Sequence[str] | None, count: int, seed: int) -> Iterator[str]:
    """Passages of real text, 60 to 500 words long, that have little in common with earlier ones."""
    from texts import read_texts
    from xxhash import xxh3_64_intdigest

    dice, seen = random.Random(seed), set[int]()
    paths: list[str | None] = [*data] if data else [None]
    for path in paths:
        for text in read_texts(path, max_mb=1e9):
            words = text.split(" ")
            start = 0
            while start + 60 <= len(words):
                length = dice.choice([60, 120, 200, 300, 500])
                passage = " ".join(words[start : start + length])
                start += length
                marks = [mark for gram in shingles_of(passage) if (mark := xxh3_64_intdigest(gram.encode())) % 8 == 0]
                if not marks or sum(mark in seen for mark in marks) > 0.1 * len(marks):
                    continue
                seen.update(marks)
                yield passage
                if not (count := count - 1):
                    return
    raise SystemExit(f"--data holds {count} passages too few")


def edited(text: str, rate: float, dice: random.Random) -> str:
    """A copy with a share of its words replaced, left out or doubled."""
    words = text.split(" ")
    made: list[str] = []
    for word in words:
        if dice.random() >= rate:
            made.append(word)
            continue
        kind = dice.randrange(3)
        made += [dice.choice(words)] if kind == 0 else [word, word] if kind == 1 else []
    return " ".join(made)


def material(options: argparse.Namespace, folder: Path) -> tuple[dict[str, float], list[set[str]]]:
    """Writes documents.parquet; returns the rate of each copy, and the components by definition."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    dice = random.Random(options.seed)
    copies = round(options.documents * options.share)
    originals = list(passages(options.data, options.documents - len(options.rates) * copies, options.seed))
    rows = [(f"{dice.getrandbits(48):012x}", text, number) for number, text in enumerate(originals)]
    rate_of = {}
    for rate in options.rates:
        for number in dice.choices(range(len(originals)), k=copies):
            id = f"{dice.getrandbits(48):012x}"
            rows.append((id, edited(originals[number], rate, dice), number))
            rate_of[id] = rate
    dice.shuffle(rows)
    table = pa.table({"id": [row[0] for row in rows], "text": [row[1] for row in rows]})
    (folder / "few").mkdir()
    for place, part in ((folder, table), (folder / "few", table.slice(0, 100))):
        pq.write_table(part, place / "documents.parquet")
    families = defaultdict(list)
    for id, text, number in rows:
        families[number].append((id, text))
    return rate_of, [part for family in families.values() if len(family) > 1 for part in _parts(family)]


def _parts(family: list[tuple[str, str]]) -> Iterator[set[str]]:
    """The components of a few documents by the Jaccard similarities of all pairs."""
    sets = {id: set(shingles_of(text)) for id, text in family}
    while sets:
        part, waiting = set[str](), [sets.popitem()]
        while waiting:
            id, own = waiting.pop()
            part.add(id)
            near = [other for other, grams in sets.items() if len(own & grams) >= THRESHOLD * len(own | grams)]
            waiting += [(other, sets.pop(other)) for other in near]
        yield part


def judge(gone: set[str], truth: list[set[str]], rate_of: dict[str, float]) -> dict[str, float]:
    """Precision, and recall by the rate of a component's copies (the highest of them)."""
    right, wanted = defaultdict[float, int](int), defaultdict[float, int](int)
    for part in truth:
        rate = max(rate_of.get(id, 0.0) for id in part)
        wanted[rate] += len(part) - 1
        right[rate] += min(len(part & gone), len(part) - 1)
    recalls = {f"recall at {rate:.1%}": right[rate] / count for rate, count in sorted(wanted.items()) if count}
    return {"precision": sum(right.values()) / max(len(gone), 1), **recalls}


def _arguments() -> argparse.Namespace:
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument(
        "--data", nargs="*", help="JSON Lines (plain or xz) with a text field; default: Python's library"
    )
    found.add_argument("--documents", type=int, default=100_000)
    found.add_argument("--rates", type=float, nargs="*", default=[0.005, 0.01, 0.02], help="shares of words edited")
    found.add_argument("--share", type=float, default=0.05, help="of the documents, copies at each rate")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--peers-python", help="the Python with the peers; without it only seedbed runs")
    found.add_argument("--only", nargs="*", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    found.add_argument("--out", type=Path, help="a JSON file for the results")
    found.add_argument("--contest", nargs=2, help=argparse.SUPPRESS)
    return found.parse_args()


def main() -> None:
    options = _arguments()
    if options.contest:
        name, task = options.contest
        _contest(name, json.loads(task))
        return
    from seedbed.corpus.curating.near_duplicates import NearDuplicates

    method = NearDuplicates(THRESHOLD, NGRAM)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rate_of, truth = material(options, folder)
        size = (folder / "documents.parquet").stat().st_size
        print(f"{options.documents} documents, {size / 1e6:.0f} MB of Parquet, bands {method.bands} x {method.rows}")
        task = {"folder": name, "bands": method.bands, "rows": method.rows}
        results = {}
        for contestant in options.only:
            if contestant == "seedbed" or options.peers_python:
                results[contestant] = _measure(contestant, task, options, truth, rate_of)
    _compare(results)
    if options.out:
        facts = {"documents": options.documents, "rates": options.rates, "bands": method.bands, "rows": method.rows}
        kept.write(options.out, {**facts, "contestants": results})


def _measure(
    name: str, task: Task, options: argparse.Namespace, truth: list[set[str]], rate_of: dict[str, float]
) -> dict[str, Any]:
    ours = name == "seedbed"
    python = sys.executable if ours else options.peers_python
    command = [python, __file__, "--contest", name, json.dumps(task)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    runs = []
    for _ in range(2 if ours else 1):
        done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True, text=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    best = min(runs, key=lambda run: run["cpu"])
    figures = {"documents per CPU second": options.documents / best["cpu"], "CPU seconds": best["cpu"]}
    figures |= {"seconds": best["seconds"], "peak MB": best["memory"], **judge(set(best["gone"]), truth, rate_of)}
    print(f"{name:22}" + ", ".join(f"{what} {value:,.4g}" for what, value in figures.items()), flush=True)
    if ours:
        figures["the same twice"] = runs[0]["gone"] == runs[1]["gone"]
        print(f"{'':22}the same documents twice: {figures['the same twice']}")
    return figures


def _compare(results: dict[str, dict[str, Any]]) -> None:
    speed = "documents per CPU second"
    for name, figures in results.items():
        if name != "seedbed" and "seedbed" in results:
            print(f"seedbed / {name}: {results['seedbed'][speed] / figures[speed]:.1f} times the {speed}")


if __name__ == "__main__":
    main()
