"""Rules of quality: the same decisions as datatrove's filters on the same documents, and CPU seconds beside them.

    python benchmarks/heuristics.py --data texts.jsonl.xz --datatrove-python /path/to/venv/bin/python --out results.json

`--data` takes JSON Lines with a `text` (plain, .gz, .xz). Beside each document stand damaged copies of it (cut short,
lines repeated, a list of its words, symbols strewn in), so that every rule has something to drop. Two runs of
datatrove: `own` with its tokenizer (spaCy), `split` with words parted by white space, as ours are by default: there the
decisions must be the same but for what the table names; `pieces` is ours with punctuation apart from words. Ours gets
datatrove's bounds (c4: 3 words, 5 sentences; fineweb: 0.01). The times are those of the filters alone, on documents in
memory; ours include Daft and all columns. `ratio` is datatrove's seconds to ours.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import lzma
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import kept

OPENERS: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--documents", type=int, default=500, help="taken from each file, before damage")
    parser.add_argument("--max-chars", type=int, default=20_000, help="a longer document is cut")
    parser.add_argument("--datatrove-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--examples", type=int, default=3, help="shown of each kind of disagreement")
    parser.add_argument("--out")
    return parser.parse_args()


def documents(setting: argparse.Namespace) -> list[str]:
    texts = []
    for path in setting.data:
        with OPENERS.get(Path(path).suffix, open)(path, "rt", encoding="utf8") as file:
            rows = [json.loads(line)["text"][: setting.max_chars] for line in itertools.islice(file, setting.documents)]
        texts += [text for row in rows for text in (row, *damaged(row))]
    return [text for text in texts if text.strip()]


def damaged(text: str) -> list[str]:
    """One of four kinds of damage, by the length of the text; none for a third of them."""
    words, lines = text.split(), [line for line in text.split("\n") if line.strip()]
    kind = len(text) % 6
    if kind == 0:
        return [" ".join(words[: len(text) % 120])]
    if kind == 1:
        return ["\n".join(lines + lines[: len(lines) // 2])]
    if kind == 2:
        return ["\n".join(f"• {word}" for word in words[:200])]
    if kind == 3:
        return [" ".join(f"{word} #" if number % 8 == 0 else word for number, word in enumerate(words))]
    return []


def ours(texts: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    """Reasons, changed texts and the least CPU seconds of some rounds."""
    import pyarrow as pa

    from seedbed.corpus.curating.c4 import C4
    from seedbed.corpus.curating.fineweb import FineWeb
    from seedbed.corpus.curating.gopher_quality import GopherQuality
    from seedbed.corpus.curating.gopher_repetition import GopherRepetition
    from seedbed.corpus.engine import daft

    methods = {
        "gopher_quality": GopherQuality(),
        "gopher_quality pieces": GopherQuality(words="pieces"),
        "gopher_repetition": GopherRepetition(),
        "gopher_repetition pieces": GopherRepetition(words="pieces"),
        "c4": C4(min_words=3, min_sentences=5, terminal=".?!\"'"),
        "fineweb": FineWeb(max_duplicate_characters=0.01),
    }
    frame = daft.from_arrow(pa.table({"number": range(len(texts)), "text": pa.array(texts, pa.large_string())}))
    found = {}
    for name, method in methods.items():
        seconds = []
        for _ in range(rounds):
            start = time.process_time()
            rows = method(frame).sort("number").to_arrow()
            seconds.append(time.process_time() - start)
        found[name] = {
            "seconds": min(seconds),
            "reasons": rows["reason"].to_pylist(),
            "texts": rows["text"].to_pylist(),
        }
    return found


def theirs(texts: list[str], python: str, words: str, rounds: int) -> dict[str, dict[str, Any]]:
    script = Path(__file__).with_name("datatrove_filters.py")
    best: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "documents.jsonl"), Path(folder, "decisions.json")
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf8")
        for _ in range(rounds):
            subprocess.run([python, str(script), str(source), str(target), words], check=True)
            for name, row in json.loads(target.read_text(encoding="utf8")).items():
                if name not in best or row["seconds"] < best[name]["seconds"]:
                    best[name] = row
    return best


def compared(texts: list[str], own: dict[str, Any], peer: dict[str, Any], examples: int) -> dict[str, Any]:
    """Decisions side by side; of those that differ, whose rule it was."""
    pairs = list(zip(own["reasons"], peer["reasons"], strict=True))
    differ = [number for number, (a, b) in enumerate(pairs) if (a is None) != (b is None)]
    kinds: dict[str, list[int]] = {}
    for number in differ:
        a, b = pairs[number]
        kinds.setdefault(f"only ours: {_columns(a)}" if a else f"only datatrove: {b}", []).append(number)
    both = [n for n, (a, b) in enumerate(pairs) if a is None and b is None and peer["texts"][n] is not None]
    return {
        "documents": len(pairs),
        "dropped by both": sum(a is not None and b is not None for a, b in pairs),
        "only ours": sum(a is not None and b is None for a, b in pairs),
        "only datatrove": sum(a is None and b is not None for a, b in pairs),
        "agreement": 1 - len(differ) / len(pairs),
        "other text": sum(own["texts"][n] != peer["texts"][n] for n in both),
        "differences": {kind: len(rows) for kind, rows in sorted(kinds.items(), key=lambda item: -len(item[1]))},
        "examples": {
            kind: [{"ours": pairs[n][0], "datatrove": pairs[n][1], "text": texts[n][:80]} for n in rows[:examples]]
            for kind, rows in kinds.items()
        },
    }


def _columns(reason: str) -> str:
    return ", ".join(part.split()[0] for part in reason.split("; "))


def main() -> None:
    setting = arguments()
    texts = documents(setting)
    own = ours(texts, setting.rounds)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts)} documents, {megabytes:.1f} MB")
    result: dict[str, Any] = {"documents": len(texts), "megabytes": megabytes, "filters": {}}
    peers = {words: theirs(texts, setting.datatrove_python, words, setting.rounds) for words in ("own", "split")}
    print("filter | words | both drop | only ours | only datatrove | agreement | MB/s ours | MB/s datatrove | ratio")
    for name, row in own.items():
        for words, peer in peers.items():
            if words == "split" and name.endswith("pieces"):
                continue
            other = peer[name.split()[0]]
            table = compared(texts, row, other, setting.examples)
            table["seconds"] = {"ours": row["seconds"], "datatrove": other["seconds"]}
            result["filters"].setdefault(name, {})[words] = table
            speeds = megabytes / row["seconds"], megabytes / other["seconds"]
            counts = [table[key] for key in ("dropped by both", "only ours", "only datatrove")]
            cells = [name, words, *counts, f"{table['agreement']:.2%}", *(f"{speed:.2f}" for speed in speeds)]
            print(" | ".join(map(str, [*cells, f"{speeds[0] / speeds[1]:.1f}"])))
            for kind, number in table["differences"].items():
                print(f"    {number} {kind}")
                for example in table["examples"][kind]:
                    print(f"        {example['ours'] or example['datatrove']} | {example['text']!r}")
            if table["other text"]:
                print(f"    {table['other text']} kept by both with another text")
    if setting.out:
        for table in [table for tables in result["filters"].values() for table in tables.values()]:
            del table["examples"]  # other people's texts
        kept.write(setting.out, result)


if __name__ == "__main__":
    main()
