"""The fine-tuning grid, tasks by seeds, of one small encoder: seedbed's evaluation against transformers.Trainer.

    python benchmarks/finetuning_grid.py --out benchmarks/results/finetuning-grid.json

The encoder is a ModernBERT that seedbed has pretrained for a moment on the data; both load the same folder. Tasks are
folders with train.jsonl and test.jsonl (`text`, `label`); by default three that are made of Python's own library
(`texts.py`). Same texts, epochs, batch, rate, warm-up and decay, no dropout, and both classify the mean of the hidden
states; only the head differs: a linear layer here, ModernBertForSequenceClassification's dense layer and norm before it
there. Seconds are those of the whole grid in one process: reading, tokenizing, training, testing; not the imports.
Accuracies are means over the seeds. Contestants: Trainer as it comes (padding to the longest in the batch), with texts
of similar length in a batch, with bf16 too where that is fast. Needs the extra `benchmarks`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import contestants
import mlm_training
import race
from race import Figures, Specification
from texts import labeled_texts


def seedbed_grid(specification: Specification) -> Figures:
    import torch

    from seedbed.evaluate import tasks
    from seedbed.evaluate.task import EvaluationContext
    from seedbed.models.artifact import Model

    torch.set_num_threads(specification["threads"])
    start = time.perf_counter()
    context = EvaluationContext(Model.open(specification["model"]), specification["seeds"], baselines=False)
    accuracies = {}
    for name, folder in specification["tasks"].items():
        task = tasks.create("sequences", data=folder, **_settings(specification))
        accuracies[name] = [run.measures["accuracy"].value for run in task.run(context).runs]
    return {"seconds": time.perf_counter() - start, "accuracies": accuracies}


def _settings(specification: Specification) -> dict[str, Any]:
    return {
        "max_length": specification["length"],
        **{key: specification[key] for key in ("epochs", "batch_size", "lr")},
    }


def trainer_grid(
    specification: Specification, *, arithmetic: contestants.Arithmetic = "fp32", **arguments: Any
) -> Figures:
    """The usual loop: for each task and seed a model, a Trainer, its predictions."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

    start = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(specification["model"])
    accuracies = defaultdict(list)
    for name, folder in specification["tasks"].items():
        parts = {part: _read(Path(folder) / f"{part}.jsonl") for part in ("train", "test")}
        labels = sorted({record["label"] for record in parts["train"]})
        rows = {part: _rows(records, tokenizer, labels, specification["length"]) for part, records in parts.items()}
        for seed in range(specification["seeds"]):
            network = AutoModelForSequenceClassification.from_pretrained(specification["model"], num_labels=len(labels))
            with contestants.trainer(
                {**specification, "seed": seed},
                network,
                rows["train"],
                DataCollatorWithPadding(tokenizer),
                arithmetic=arithmetic,
                num_train_epochs=specification["epochs"],
                per_device_train_batch_size=specification["batch_size"],
                per_device_eval_batch_size=specification["batch_size"],
                learning_rate=specification["lr"],
                weight_decay=0.01,
                warmup_steps=0.1,
                lr_scheduler_type="linear",
                logging_strategy="no",
                **arguments,
            ) as training:
                training.train()
                found = training.predict(rows["test"])  # in an order of its own where lengths are grouped
            accuracies[name].append(float((found.predictions.argmax(-1) == found.label_ids).mean()))
    return {"seconds": time.perf_counter() - start, "accuracies": dict(accuracies)}


def _read(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]


def _rows(records: list[dict[str, str]], tokenizer: Any, labels: list[str], length: int) -> list[dict[str, Any]]:
    encoded = tokenizer([record["text"] for record in records], truncation=True, max_length=length)
    return [
        {"input_ids": ids, "labels": labels.index(record["label"])}
        for ids, record in zip(encoded["input_ids"], records, strict=True)
    ]


CONTESTANTS: race.Contestants = {
    "seedbed": seedbed_grid,
    "trainer_grouped_bf16": partial(trainer_grid, arithmetic="bf16", train_sampling_strategy="group_by_length"),
    "trainer_grouped": partial(trainer_grid, train_sampling_strategy="group_by_length"),
    "trainer_defaults": trainer_grid,
}


def make_tasks(options: argparse.Namespace, folder: Path) -> dict[str, str]:
    """The folders of the tasks that were named; else those of the library, cut to the wanted sizes."""
    if options.tasks:
        return {Path(place).name: str(place) for place in options.tasks}
    for name, examples in labeled_texts().items():
        (folder / name).mkdir(parents=True)
        parts = {"train": examples[: options.train], "test": examples[options.train :][: options.test]}
        for part, chosen in parts.items():
            lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in chosen]
            (folder / name / f"{part}.jsonl").write_text("".join(lines), encoding="utf8")
    return {place.name: str(place) for place in sorted(folder.iterdir())}


def pretrain(specification: Specification) -> str:
    """The encoder's folder, in the store of the race."""
    import seedbed

    with contestants.working({**specification, "seed": 0}) as train, seedbed.workspace(specification["runs"]):
        trained = train(
            model={"encoder": mlm_training.shape(specification)},
            objective=mlm_training.OBJECTIVE,
            budget=f"{specification['tokens']} tokens",
            validate_every="never",
        )
    return str(trained.path)


def tabulate(rows: dict[str, list[Figures]], tasks: dict[str, str]) -> list[dict[str, Any]]:
    """Median seconds, the ratio to the last contestant, and each task's mean accuracy, beside the share of its most
    frequent class."""
    table = []
    for name, results in rows.items():
        accuracies = {
            task: statistics.mean(value for figures in results for value in figures["accuracies"][task])
            for task in tasks
        }
        seconds = statistics.median(figures["seconds"] for figures in results)
        faster = race.ratio(rows, name, "seconds", less_is_better=True)
        table.append({"contestant": name, "seconds": seconds, **faster, "accuracies": accuracies})
    return table


def print_table(table: list[dict[str, Any]], majority: dict[str, float]) -> None:
    print(f"\n{'contestant':24} {'seconds':>8} {'ratio (min-max)':>20}  " + " ".join(f"{n:>9}" for n in majority))
    for row in table:
        low, high = row["ratio_spread"]
        print(
            f"{row['contestant']:24} {row['seconds']:8.1f} {row['ratio']:6.2f} ({low:5.2f}-{high:5.2f})  "
            + " ".join(f"{row['accuracies'][name]:9.3f}" for name in majority)
        )
    print(f"{'the most frequent class':55}  " + " ".join(f"{share:9.3f}" for share in majority.values()))


def main() -> None:
    parser = race.parser(__doc__ or "", length=128)
    parser.set_defaults(layers=4, width=192, heads=3, vocabulary=4096)
    parser.add_argument("--tokens", type=int, default=300_000, help="that the encoder is pretrained on")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--tasks", nargs="*", default=[], help="folders with train.jsonl and test.jsonl")
    parser.add_argument("--train", type=int, default=512, help="texts to train on, of each task made here")
    parser.add_argument("--test", type=int, default=512, help="and to test on")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=5e-4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        specification = race.prepare(options, "encoder", "wordpiece", folder)
        specification["tasks"] = make_tasks(options, folder / "tasks")
        specification["model"] = pretrain(specification)
        names = race.enter(CONTESTANTS, options, specification)
        rows = race.rounds("finetuning_grid", names, specification, lambda figures: f"{figures['seconds']:.1f} s")
        majority = {}
        for name, task in specification["tasks"].items():
            labels = [record["label"] for record in _read(Path(task) / "test.jsonl")]
            majority[name] = Counter(labels).most_common(1)[0][1] / len(labels)
        table = tabulate(rows, specification["tasks"])
        facts = race.facts_of({**specification, "tasks": majority})
    print(json.dumps(facts, indent=2))
    print_table(table, majority)
    race.keep(options.out, facts, table, rows)


if __name__ == "__main__":
    main()
