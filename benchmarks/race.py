"""A race: contestants in processes of their own, in turn, on the same documents; medians and ratios.

A module with a race has CONTESTANTS, functions by name, of which the last is the one that the others are compared with;
`python benchmarks/race.py MODULE CONTESTANT SPECIFICATION` runs one and prints one JSON line. Rounds alternate (A B C,
A B C, ...), because a machine's speed drifts. Where the machine has no fast bf16 (by the probe that seedbed chooses its
own arithmetic by), contestants called ..._bf16 are left out, and shares are of the best fp32 product.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from options import add_network
from texts import read_texts

import seedbed  # before torch: it says how OpenMP's threads wait

Specification = dict[str, Any]  # what a contestant is told; JSON
Figures = dict[str, Any]  # what it tells; JSON
Contestants = Mapping[str, Callable[[Specification], Figures]]
_PEAK_SHAPES = ((4096, 384, 1536), (4096, 768, 3072), (2048, 2048, 2048))


def setting(about: str, length: int) -> argparse.ArgumentParser:
    """The data and the network, as all that measures training is told them."""
    found = argparse.ArgumentParser(description=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    found.add_argument("--data", help="JSON Lines (plain or xz) with a text field; default: Python's own library")
    found.add_argument("--max-mb", type=float, default=8, help="text used of it")
    add_network(found)
    found.add_argument("--length", type=int, default=length)
    found.add_argument("--rows", type=int, default=32, help="rows of a step")
    found.add_argument("--threads", type=int, default=2)
    return found


def parser(about: str, length: int) -> argparse.ArgumentParser:
    """What all races are told."""
    found = setting(about, length)
    found.add_argument("--only", nargs="*", help="some of the contestants")
    return found


def arguments(about: str, length: int) -> argparse.Namespace:
    """Those, and what races for tokens per second are told."""
    found = parser(about, length)
    found.add_argument("--tokens", type=int, default=150_000, help="real tokens that each contestant trains on")
    found.add_argument("--rounds", type=int, default=3)
    return found.parse_args()


def prepare(
    options: argparse.Namespace,
    style: str,
    algorithm: str,
    folder: Path,
    *,
    texts: list[str] | None = None,
    split: dict[str, float] | None = None,
) -> Specification:
    """Once for all contestants: corpus and tokenizer, by default of the documents as they are and none held out; and
    the machine's best arithmetic."""
    import torch

    from seedbed.train.precision import choose

    source = folder / "texts.jsonl"
    with source.open("w", encoding="utf8") as file:
        for text in read_texts(options.data, options.max_mb) if texts is None else texts:
            file.write(json.dumps({"text": text}) + "\n")
    steps: Any = seedbed  # given what a recipe would say, where the types speak of what that becomes
    with seedbed.workspace(folder / "runs"):
        corpus = steps.build_corpus(read=[{"jsonl": {"path": str(source)}}], curate=[], split=split or {})
        tokenizer = steps.train_tokenizer(corpus=corpus, algorithm=algorithm, size=options.vocabulary, style=style)
        steps.tokenize(corpus=corpus, tokenizer=tokenizer)
    torch.set_num_threads(options.threads)
    places = {"runs": folder / "runs", "corpus": corpus.path, "tokenizer": tokenizer.path}
    return {
        **{key: value for key, value in vars(options).items() if key not in ("out", "only")},
        **{key: str(path) for key, path in places.items()},
        "precision": choose("auto", torch.device("cpu")).as_dict(),
    }


def enter(contestants: Contestants, options: argparse.Namespace, specification: Specification) -> list[str]:
    """Who runs on this machine."""
    from seedbed.train.precision import Precision

    precision = Precision.from_dict(specification["precision"])
    names = [name for name in contestants if not options.only or name in options.only]
    absent = [name for name in names if name.endswith("_bf16") and precision.name != "bf16"]
    if absent:
        print(f"left out, for this machine has no fast bf16 - {precision}: {', '.join(absent)}", flush=True)
    return [name for name in names if name not in absent]


def rounds(
    module: str, names: list[str], specification: Specification, describe: Callable[[Figures], str]
) -> dict[str, list[Figures]]:
    """All contestants in turn, round after round."""
    rows: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(specification["rounds"]):
        for name in names:
            rows[name].append(run_one(module, name, {**specification, "seed": number}))
            print(f"round {number + 1}: {name:28} {describe(rows[name][-1])}", flush=True)
    return rows


def run_one(module: str, name: str, specification: Specification) -> Figures:
    """One contestant in a process of its own, with as many cores as threads."""
    command = [sys.executable, __file__, module, name, json.dumps(specification)]
    environment = {**os.environ, "SEEDBED_CORES": str(specification["threads"])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        sys.exit(f"{name} failed:\n{done.stdout}\n{done.stderr}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def race(module: str, contestants: Contestants, options: argparse.Namespace, specification: Specification) -> None:
    """A race for tokens per second: run the rounds, print the table, and keep the figures."""
    names = enter(contestants, options, specification)
    best = peak(specification)
    rows = rounds(module, names, specification, lambda figures: f"{figures['tokens_per_second']:9,.0f} tokens/s")
    table = summarize(rows, best["gflops"])
    facts = facts_of(specification, peak=best)
    print(json.dumps(facts, indent=2))
    print_table(table, best["arithmetic"])
    keep(options.out, facts, table, rows)


def summarize(rows: dict[str, list[Figures]], peak_gflops: float) -> list[dict[str, Any]]:
    """Medians, and the ratio of speeds to the last contestant, round by round."""
    table = []
    for name, results in rows.items():
        speeds = [figures["tokens_per_second"] for figures in results]
        flops = statistics.median(speeds) * results[0]["flops_per_token"]
        table.append(
            {
                "contestant": name,
                "tokens_per_second": statistics.median(speeds),
                "spread": [min(speeds), max(speeds)],
                **ratio(rows, name, "tokens_per_second"),
                "share_of_peak": flops / (peak_gflops * 1e9),
                "loss": statistics.mean(figures["loss"] for figures in results),
                "padding": statistics.mean(figures["padding"] for figures in results),
                "peak_memory_gib": max(figures["peak_memory_gib"] for figures in results),
                "parameters": results[0]["parameters"],
            }
        )
    return table


def ratio(rows: dict[str, list[Figures]], name: str, key: str, *, less_is_better: bool = False) -> dict[str, Any]:
    """How many times better than the last contestant, round by round."""
    pairs = [(own[key], last[key]) for own, last in zip(rows[name], rows[list(rows)[-1]], strict=True)]
    ratios = [last / own if less_is_better else own / last for own, last in pairs]
    return {"ratio": statistics.median(ratios), "ratio_spread": [min(ratios), max(ratios)]}


def print_table(table: list[dict[str, Any]], arithmetic: str) -> None:
    print(
        f"\n{'contestant':28} {'tokens/s':>9} {'ratio (min-max)':>20} {f'of {arithmetic} peak':>13}"
        f" {'loss':>6} {'pad':>5} {'GiB':>5} {'M':>6}"
    )
    for row in table:
        low, high = row["ratio_spread"]
        print(
            f"{row['contestant']:28} {row['tokens_per_second']:9,.0f} {row['ratio']:6.2f} ({low:5.2f}-{high:5.2f})"
            f" {row['share_of_peak']:13.0%} {row['loss']:6.3f} {row['padding']:5.0%}"
            f" {row['peak_memory_gib']:5.1f} {row['parameters'] / 1e6:6.1f}"
        )


def peak(specification: Specification, seconds: float = 1.0) -> dict[str, Any]:
    """The best rate of a matrix product on this machine in GFLOP/s, and in which arithmetic: bf16 where that is fast,
    else fp32, by torch's default or by what the probe has found to be faster and as exact."""
    import torch

    from seedbed.train.precision import Precision

    torch.set_num_threads(specification["threads"])
    chosen = Precision.from_dict(specification["precision"])
    dtype = torch.bfloat16 if chosen.name == "bf16" else torch.float32
    ways = sorted({"highest", chosen.products})
    best = 0.0
    for rows, inner, columns in _PEAK_SHAPES:
        a, b = torch.randn(rows, inner).to(dtype), torch.randn(columns, inner).to(dtype)
        for way in ways:
            with Precision("fp32", way).applied():  # type: ignore[arg-type]
                end = time.perf_counter() + seconds / len(ways) / len(_PEAK_SHAPES)
                while time.perf_counter() < end:
                    start = time.perf_counter()
                    for _ in range(5):
                        torch.nn.functional.linear(a, b)
                    best = max(best, 5 * 2 * rows * inner * columns / (time.perf_counter() - start) / 1e9)
    return {"arithmetic": chosen.name, "gflops": round(best)}


def facts_of(specification: Specification, **others: Any) -> dict[str, Any]:
    """Where and on what the race was."""
    from seedbed.core.machine import machine, versions

    places = ("runs", "corpus", "tokenizer", "model")
    facts = {"machine": machine(), "versions": versions(), **others, **specification}
    facts["data"] = Path(specification["data"]).name if specification["data"] else "Python's own library"
    return {key: value for key, value in facts.items() if key not in places}


def keep(out: Path | None, facts: dict[str, Any], table: list[dict[str, Any]], rows: Any) -> None:
    """The results as a file."""
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"facts": facts, "table": table, "rounds": rows}, indent=2) + "\n", encoding="utf8")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    module_name, contestant, text = sys.argv[1:]
    print(json.dumps(importlib.import_module(module_name).CONTESTANTS[contestant](json.loads(text))))
