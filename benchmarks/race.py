"""A race: contestants in processes of their own, in turn, on the same documents; medians and ratios.

Each contestant is a function of a module here, run by `python benchmarks/race.py MODULE CONTESTANT SPECIFICATION`;
it prints one JSON line. Rounds alternate (A B C, A B C, ...), because a machine's speed drifts. A contestant's
speed is real (not padding) tokens per second of its steps after the first few.
"""

from __future__ import annotations

import argparse
import importlib
import json
import lzma
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

WARMUP_STEPS = 3


def arguments(about: str, length: int) -> argparse.Namespace:
    """What all training races can be told."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--data", help="JSON Lines (plain or xz) with a text field; default: Python's own library")
    parser.add_argument("--max-mb", type=float, default=8, help="text used of it")
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--length", type=int, default=length)
    parser.add_argument("--rows", type=int, default=32, help="rows of a step")
    parser.add_argument("--tokens", type=int, default=150_000, help="real tokens that each contestant trains on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="some of the contestants")
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    return parser.parse_args()


def read_texts(data: str | None, max_mb: float) -> list[str]:
    """Documents with their natural lengths, up to so many megabytes."""
    if data is None:
        paths = sorted(Path(json.__file__).parent.parent.glob("*.py"))
        texts = [path.read_text(encoding="utf8", errors="replace") for path in paths]
    else:
        open_file = lzma.open if data.endswith(".xz") else open
        with open_file(data, "rt", encoding="utf8") as file:
            texts = [json.loads(line)["text"] for line in file]
    kept, size = [], 0.0
    for text in texts:
        size += len(text.encode()) / 1e6
        if size > max_mb:
            break
        kept.append(text)
    return kept


def prepare(options: argparse.Namespace, style: str, algorithm: str, folder: Path) -> dict[str, Any]:
    """Corpus and tokenizer, once for all contestants."""
    import seedbed

    source = folder / "texts.jsonl"
    with source.open("w", encoding="utf8") as file:
        for text in read_texts(options.data, options.max_mb):
            file.write(json.dumps({"text": text}) + "\n")
    with seedbed.workspace(folder / "runs"):
        corpus = seedbed.build_corpus(read=[{"jsonl": {"path": str(source)}}], curate=[], split={})
        tokenizer = seedbed.train_tokenizer(corpus=corpus, algorithm=algorithm, size=options.vocabulary, style=style)
        seedbed.tokenize(corpus=corpus, tokenizer=tokenizer)
    specification = {key: value for key, value in vars(options).items() if key not in ("out", "only")}
    return {
        **specification,
        "runs": str(folder / "runs"),
        "corpus": str(corpus.path),
        "tokenizer": str(tokenizer.path),
    }


def race(module: str, contestants: list[str], specification: dict[str, Any], out: Path | None) -> None:
    """Run the rounds, print the table, and keep the figures."""
    from seedbed.core.machine import machine, versions

    peak = bf16_peak(specification["threads"])
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in contestants}
    for round_number in range(specification["rounds"]):
        for name in contestants:
            figures = run_one(module, name, {**specification, "seed": round_number})
            rows[name].append(figures)
            print(f"round {round_number + 1}: {name:28} {figures['tokens_per_second']:9,.0f} tokens/s", flush=True)
    facts = {"machine": machine(), "versions": versions(), "bf16_peak_gflops": round(peak), **specification}
    for key in ("runs", "corpus", "tokenizer", "seed"):
        facts.pop(key, None)
    facts["data"] = Path(specification["data"]).name if specification["data"] else "Python's own library"
    table = summarize(rows, contestants[-1], peak)
    print(json.dumps(facts, indent=2))
    print_table(table)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({"facts": facts, "table": table, "rounds": rows}, indent=2) + "\n", encoding="utf8")


def summarize(rows: dict[str, list[dict[str, Any]]], first: str, peak: float) -> list[dict[str, Any]]:
    """Medians, and the ratio of speeds to the contestant `first`, round by round."""
    table = []
    for name, results in rows.items():
        ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(results, rows[first], strict=True)]
        speeds = [figures["tokens_per_second"] for figures in results]
        flops = statistics.median(speeds) * results[0]["flops_per_token"]
        table.append(
            {
                "contestant": name,
                "tokens_per_second": statistics.median(speeds),
                "spread": [min(speeds), max(speeds)],
                "ratio": statistics.median(ratios),
                "ratio_spread": [min(ratios), max(ratios)],
                "share_of_bf16_peak": flops / (peak * 1e9),
                "loss": statistics.mean(figures["loss"] for figures in results),
                "padding": statistics.mean(figures["padding"] for figures in results),
                "peak_memory_gib": max(figures["peak_memory_gib"] for figures in results),
                "parameters": results[0]["parameters"],
            }
        )
    return table


def print_table(table: list[dict[str, Any]]) -> None:
    print(
        f"\n{'contestant':28} {'tokens/s':>9} {'ratio (min-max)':>20} {'peak':>6}"
        f" {'loss':>6} {'pad':>5} {'GiB':>5} {'M':>6}"
    )
    for row in table:
        low, high = row["ratio_spread"]
        print(
            f"{row['contestant']:28} {row['tokens_per_second']:9,.0f} {row['ratio']:6.2f} ({low:5.2f}-{high:5.2f})"
            f" {row['share_of_bf16_peak']:8.0%} {row['loss']:6.3f} {row['padding']:5.0%}"
            f" {row['peak_memory_gib']:5.1f} {row['parameters'] / 1e6:6.1f}"
        )


def run_one(module: str, name: str, specification: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, __file__, module, name, json.dumps(specification)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{name} failed:\n{done.stdout}\n{done.stderr}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def bf16_peak(threads: int, seconds: float = 1.0) -> float:
    """The best rate of a bf16 matrix product on this machine, in GFLOP/s."""
    import torch

    torch.set_num_threads(threads)
    best = 0.0
    for rows, inner, columns in ((4096, 384, 1536), (4096, 768, 3072), (2048, 2048, 2048)):
        a = torch.randn(rows, inner).bfloat16()
        b = torch.randn(columns, inner).bfloat16()
        end = time.perf_counter() + seconds / 3
        while time.perf_counter() < end:
            start = time.perf_counter()
            for _ in range(5):
                torch.nn.functional.linear(a, b)
            best = max(best, 5 * 2 * rows * inner * columns / (time.perf_counter() - start) / 1e9)
    return best


def figures_of(steps: list[dict[str, float]], **facts: Any) -> dict[str, Any]:
    """From each step's seconds (a clock), real tokens, positions and loss."""
    measured = steps[WARMUP_STEPS:]
    tokens = sum(step["tokens"] for step in measured)
    positions = sum(step["positions"] for step in measured)
    last = steps[-max(1, len(steps) // 4) :]
    return {
        "tokens_per_second": tokens / (measured[-1]["clock"] - steps[WARMUP_STEPS - 1]["clock"]),
        "padding": 1 - tokens / positions,
        "loss": statistics.mean(step["loss"] for step in last),
        "peak_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        **facts,
    }


def with_seedbed(
    specification: dict[str, Any], model: dict[str, Any], objective: Any, precision: str = "auto"
) -> dict[str, Any]:
    """Train as `seedbed run` does, and read the figures from the run's own log."""
    import seedbed
    from seedbed.models import backbones

    tokens_per_step = specification["rows"] * specification["length"]
    with tempfile.TemporaryDirectory() as folder, seedbed.workspace(folder):
        corpus, tokenizer = (
            seedbed.Corpus.open(specification["corpus"]),
            seedbed.Tokenizer.open(specification["tokenizer"]),
        )
        trained = seedbed.pretrain(
            model=model,
            tokenizer=tokenizer,
            data={corpus: 1.0},
            objective=objective,
            optimizer={"adamw": {"lr": 1e-3, "weight_decay": 0.01}},
            schedule={"linear": {}},
            budget=f"{specification['tokens']} tokens",
            length=specification["length"],
            batch_tokens=tokens_per_step,
            precision=precision,
            seed=specification["seed"],
        )
        log = [json.loads(line) for line in (trained.path / "metrics.jsonl").read_text().splitlines()]
        parameters = sum(p.numel() for p in trained.network().parameters())
    ((name, options),) = model.items()
    size = specification["vocabulary"]
    share = 0.15 if name == "encoder" else 1.0
    flops = backbones.create(name, **options).flops_per_token(size, specification["length"], targets=share)
    steps, before = [], 0
    for row in log:
        steps.append(
            {
                "clock": row["time"]["seconds"],
                "tokens": row["tokens"] - before,
                "positions": tokens_per_step,
                "loss": row["loss"],
            }
        )
        before = row["tokens"]
    return figures_of(steps, parameters=parameters, flops_per_token=flops)


def with_trainer(
    specification: dict[str, Any],
    network: Any,
    collate: Callable[..., Any],
    rows: list[list[int]],
    flops_per_token: float,
    *,
    bf16: bool,
) -> dict[str, Any]:
    """Train by transformers.Trainer."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    torch.set_num_threads(specification["threads"])
    counted: list[tuple[int, int]] = []

    def counting(features: list[Any]) -> Any:
        batch = collate(features)
        counted.append((int(batch["attention_mask"].sum()), batch["input_ids"].numel()))
        return batch

    class Clock(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.times: list[float] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.times.append(time.perf_counter())

    mean = statistics.mean(len(row) for row in rows)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=network,
            args=TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=specification["rows"],
                max_steps=max(WARMUP_STEPS + 3, round(specification["tokens"] / specification["rows"] / mean)),
                learning_rate=1e-3,
                weight_decay=0.01,
                lr_scheduler_type="linear",
                bf16=bf16,
                use_cpu=True,
                seed=specification["seed"],
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=[{"input_ids": row} for row in rows],
            data_collator=counting,
            callbacks=[clock],
        )
        trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    steps = [
        {"clock": clock_time, "tokens": tokens, "positions": positions, "loss": loss}
        for clock_time, (tokens, positions), loss in zip(clock.times, counted, losses, strict=False)
    ]
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return figures_of(steps, parameters=parameters, flops_per_token=flops_per_token)


def token_rows(specification: dict[str, Any], *, grouped: bool) -> list[list[int]]:
    """The documents' ids, cut at the length; or joined and cut into rows of exactly the length."""
    import numpy as np

    import seedbed

    with seedbed.workspace(specification["runs"]):
        corpus, tokenizer = (
            seedbed.Corpus.open(specification["corpus"]),
            seedbed.Tokenizer.open(specification["tokenizer"]),
        )
        file = seedbed.tokenize(corpus=corpus, tokenizer=tokenizer).open("train")
    length = specification["length"]
    ids = np.asarray(file.tokens)
    if grouped:
        return ids[: len(ids) // length * length].reshape(-1, length).tolist()
    pairs = zip(file.offsets, file.lengths, strict=True)
    pieces = [ids[o + s : o + min(s + length, n)] for o, n in pairs for s in range(0, int(n), length)]
    return [piece.tolist() for piece in pieces]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    module_name, contestant, text = sys.argv[1:]
    print(json.dumps(getattr(importlib.import_module(module_name), contestant)(json.loads(text))))
