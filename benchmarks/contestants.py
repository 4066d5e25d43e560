"""The two ways to train that the races compare, seedbed and transformers.Trainer, and the tokens that both are given.

A contestant's speed is real (not padding) tokens per second of its steps after the first few.
"""

from __future__ import annotations

import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from race import Figures, Specification

Arithmetic = Literal["fp32", "bf16", "best"]  # torch's fp32, autocast, what seedbed's probe finds fastest here
WARMUP_STEPS = 3


def figures_of(steps: list[dict[str, float]], **facts: Any) -> Figures:
    """From each step's seconds (a clock), real tokens, positions and loss. The loss is the last quarter's mean."""
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


@contextmanager
def working(specification: Specification) -> Iterator[Callable[..., Any]]:
    """An empty store, and `pretrain` with what every training run of the race has in common."""
    import seedbed

    with tempfile.TemporaryDirectory() as folder, seedbed.workspace(folder):
        settings: dict[str, Any] = {
            "tokenizer": seedbed.Tokenizer.open(specification["tokenizer"]),
            "data": {seedbed.Corpus.open(specification["corpus"]): 1.0},
            "length": specification["length"],
            "batch_tokens": specification["rows"] * specification["length"],
            "seed": specification["seed"],
        }
        yield lambda **others: seedbed.pretrain(**{**settings, **others})


def with_seedbed(specification: Specification, model: dict[str, Any], objective: Any) -> Figures:
    """Train as `seedbed run` does, and read the figures from the run's own log."""
    from seedbed.models import backbones

    with working(specification) as pretrain:
        trained = pretrain(
            model=model,
            objective=objective,
            optimizer={"adamw": {"lr": 1e-3, "weight_decay": 0.01}},
            schedule={"linear": {}},
            budget=f"{specification['tokens']} tokens",
        )
        log = [json.loads(line) for line in (trained.path / "metrics.jsonl").read_text().splitlines()]
        parameters = sum(p.numel() for p in trained.network().parameters())
    ((name, options),) = model.items()
    share = 0.15 if name == "encoder" else 1.0
    flops = backbones.create(name, **options).flops_per_token(
        specification["vocabulary"], specification["length"], targets=share
    )
    steps, before = [], 0
    for row in log:
        steps.append(
            {
                "clock": row["time"]["seconds"],
                "tokens": row["tokens"] - before,
                "positions": specification["rows"] * specification["length"],
                "loss": row["loss"],
            }
        )
        before = row["tokens"]
    return figures_of(steps, parameters=parameters, flops_per_token=flops)


def with_trainer(
    specification: Specification,
    network: Any,
    collate: Callable[..., Any],
    rows: list[list[int]],
    flops_per_token: float,
    *,
    arithmetic: Arithmetic = "fp32",
    batch_rows: int | None = None,
    **arguments: Any,
) -> Figures:
    """Train by transformers.Trainer, on so many rows a step (by default those of the race)."""
    counted: list[tuple[int, int]] = []
    times: list[float] = []
    batch_rows = batch_rows or specification["rows"]

    def counting(features: list[Any]) -> Any:
        batch = collate(features)
        counted.append((int(batch["attention_mask"].sum()), batch["input_ids"].numel()))
        return batch

    def on_step(_: int) -> bool:
        times.append(time.perf_counter())
        return False

    steps = round(specification["tokens"] / batch_rows / statistics.mean(map(len, rows)))
    with trainer(
        specification,
        network,
        [{"input_ids": row} for row in rows],
        counting,
        arithmetic=arithmetic,
        on_step=on_step,
        per_device_train_batch_size=batch_rows,
        max_steps=max(WARMUP_STEPS + 3, steps),
        learning_rate=1e-3,
        weight_decay=0.01,
        lr_scheduler_type="linear",
        logging_steps=1,
        **arguments,
    ) as training:
        training.train()
    losses = [row["loss"] for row in training.state.log_history if "loss" in row]
    seen = [
        {"clock": clock, "tokens": tokens, "positions": positions, "loss": loss}
        for clock, (tokens, positions), loss in zip(times, counted, losses, strict=False)
    ]
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return figures_of(seen, parameters=parameters, flops_per_token=flops_per_token)


@contextmanager
def trainer(
    specification: Specification,
    network: Any,
    dataset: list[dict[str, Any]],
    collate: Callable[..., Any],
    *,
    arithmetic: Arithmetic = "fp32",
    on_begin: Callable[[], None] = lambda: None,
    on_step: Callable[[int], bool] = lambda step: False,
    **arguments: Any,
) -> Iterator[Any]:
    """A Trainer that saves and reports nothing. `on_begin` is called before the first step; `on_step` is told each
    step's number, and ends the training by True."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from seedbed.train.precision import Precision

    class Watching(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            on_begin()

        def on_step_end(self, _: Any, state: Any, control: Any, **__: Any) -> None:
            control.should_training_stop |= on_step(state.global_step)

    torch.set_num_threads(specification["threads"])
    best = Precision.from_dict(specification["precision"])
    chosen = best if arithmetic == "best" else Precision(arithmetic)
    with tempfile.TemporaryDirectory() as folder, chosen.applied():
        yield Trainer(
            model=network,
            args=TrainingArguments(
                output_dir=folder,
                bf16=chosen.name == "bf16",
                use_cpu=True,
                seed=specification["seed"],
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                **arguments,
            ),
            train_dataset=dataset,
            data_collator=collate,
            callbacks=[Watching()],
        )


def cut_rows(specification: Specification, split: str = "train") -> list[list[int]]:
    """The documents' ids, cut at the length."""
    file, length = _tokens(specification, split), specification["length"]
    documents = (file.document(index) for index in range(file.num_documents))
    return [ids[start : start + length].tolist() for ids in documents for start in range(0, len(ids), length)]


def full_rows(specification: Specification) -> list[list[int]]:
    """All documents joined, and cut into rows of exactly the length: a row mixes documents, which see each other."""
    length = specification["length"]
    ids = _tokens(specification, "train").tokens
    rows: list[list[int]] = ids[: len(ids) // length * length].reshape(-1, length).tolist()
    return rows


def _tokens(specification: Specification, split: str) -> Any:
    import seedbed

    with seedbed.workspace(specification["runs"]):
        corpus = seedbed.Corpus.open(Path(specification["corpus"]))
        tokenizer = seedbed.Tokenizer.open(Path(specification["tokenizer"]))
        return seedbed.tokenize(corpus=corpus, tokenizer=tokenizer).open(split)
