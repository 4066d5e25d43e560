"""Masked language modeling on short texts: seedbed, which packs them into full rows, against transformers.Trainer.

    python benchmarks/short_texts.py --data texts.jsonl --out benchmarks/results/short-texts.json

Texts are the sentences of the data; by default of the docstrings and comments of Python's own library, about 22 tokens
each. Every contestant gets the same number of real tokens in a step, the same masking, optimizer and rate.
Contestants: Trainer as it comes, which pads to the longest in the batch; with texts of similar length in a batch
(group_by_length), with bf16 too where that is fast; seedbed with the same architecture (BERT), and with its own plain
encoder (ModernBERT). Needs the extra `benchmarks`.
"""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import contestants
import mlm_training
import race
from race import Figures, Specification
from texts import read_sentences


def trainer(specification: Specification, **settings: Any) -> Figures:
    """As many texts in a step as have its number of tokens."""
    rows = contestants.cut_rows(specification)
    tokens = specification["rows"] * specification["length"]
    batch_rows = round(tokens / statistics.mean(map(len, rows)))
    return mlm_training.trainer(specification, rows=rows, batch_rows=batch_rows, **settings)


GROUPED: dict[str, Any] = {"train_sampling_strategy": "group_by_length"}
CONTESTANTS: race.Contestants = {
    "seedbed_encoder": mlm_training.seedbed_encoder,
    "seedbed_bert": mlm_training.seedbed_bert,
    "trainer_grouped_bf16": partial(trainer, arithmetic="bf16", **GROUPED),
    "trainer_grouped": partial(trainer, **GROUPED),
    "trainer_defaults": trainer,
}


def main() -> None:
    options = race.arguments(__doc__ or "", length=128)
    with tempfile.TemporaryDirectory() as folder:
        sentences = read_sentences(options.data, options.max_mb)
        specification = race.prepare(options, "encoder", "wordpiece", Path(folder), texts=sentences)
        lengths = [len(row) for row in contestants.cut_rows(specification)]
        specification["tokens_per_text"] = round(statistics.mean(lengths), 1)
        print(f"{len(lengths):,} texts of {specification['tokens_per_text']} tokens on average", flush=True)
        race.race("short_texts", CONTESTANTS, options, specification)


if __name__ == "__main__":
    main()
