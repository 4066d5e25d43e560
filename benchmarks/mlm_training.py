"""Masked language modeling on the CPU: seedbed against transformers.Trainer.

    python benchmarks/mlm_training.py --data texts.jsonl --out benchmarks/results/mlm.json

Same documents in their natural lengths, same masking (15%, 80/10/10), same optimizer and rate. Contestants:
Trainer as it comes (fp32, dropout 0.1, documents cut at the length, padded to the longest in the batch); with bf16;
tuned by hand (no dropout, allocator settings, documents joined and cut into full rows, the machine's fastest
arithmetic); seedbed with the same architecture (BERT), which computes the same function; seedbed with its own plain
encoder (ModernBERT). Needs the extra `benchmarks`.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import contestants
import race
from race import Figures, Specification

OBJECTIVE = {"mlm": {"rate": 0.15}}


def shape(specification: Specification) -> dict[str, Any]:
    return {name: specification[name] for name in ("layers", "width", "heads")}


def bert(specification: Specification) -> dict[str, Any]:
    plain = {"norm": "post", "positions": "learned", "gated": False, "bias": True, "activation": "gelu"}
    return {"encoder": {**shape(specification), **plain, "feedforward": 4 * specification["width"]}}


def seedbed_encoder(specification: Specification) -> Figures:
    return contestants.with_seedbed(specification, {"encoder": shape(specification)}, OBJECTIVE)


def seedbed_bert(specification: Specification) -> Figures:
    return contestants.with_seedbed(specification, bert(specification), OBJECTIVE)


def trainer(
    specification: Specification, *, rows: list[list[int]] | None = None, dropout: float = 0.1, **settings: Any
) -> Figures:
    """By default on the documents cut at the length; `settings` are those of `contestants.with_trainer`."""
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, DataCollatorForLanguageModeling

    from seedbed.models import backbones

    tokenizer = AutoTokenizer.from_pretrained(specification["tokenizer"])
    network = BertForMaskedLM(
        BertConfig(
            vocab_size=specification["vocabulary"],
            hidden_size=specification["width"],
            num_hidden_layers=specification["layers"],
            num_attention_heads=specification["heads"],
            intermediate_size=4 * specification["width"],
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )
    )
    flops = backbones.create("encoder", **bert(specification)["encoder"]).flops_per_token(
        specification["vocabulary"], specification["length"], targets=0.15
    )
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    rows = contestants.cut_rows(specification) if rows is None else rows
    return contestants.with_trainer(specification, network, collate, rows, flops, **settings)


def trainer_tuned(specification: Specification) -> Figures:
    from seedbed.train.allocator import keep_memory

    keep_memory()
    rows = contestants.full_rows(specification)
    return trainer(specification, rows=rows, dropout=0.0, arithmetic="best")


CONTESTANTS: race.Contestants = {
    "seedbed_encoder": seedbed_encoder,
    "seedbed_bert": seedbed_bert,
    "trainer_tuned": trainer_tuned,
    "trainer_bf16": partial(trainer, arithmetic="bf16"),
    "trainer_defaults": trainer,
}


def main() -> None:
    options = race.arguments(__doc__ or "", length=128)
    with tempfile.TemporaryDirectory() as folder:
        specification = race.prepare(options, "encoder", "wordpiece", Path(folder))
        race.race("mlm_training", CONTESTANTS, options, specification)


if __name__ == "__main__":
    main()
