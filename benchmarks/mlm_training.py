"""Masked language modeling on the CPU: seedbed against transformers.Trainer.

    python benchmarks/mlm_training.py --data texts.jsonl --out benchmarks/results/mlm.json

Same documents in their natural lengths, same masking (15%, 80/10/10), same optimizer and rate. Contestants:
Trainer as it comes (fp32, dropout 0.1, documents cut at the length, padded to the longest in the batch); with bf16;
tuned by hand (bf16, no dropout, allocator settings, documents joined and cut into full rows); seedbed with the same
architecture (BERT), which computes the same function; seedbed with its own plain encoder (ModernBERT).
Needs the extra `benchmarks`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import race

CONTESTANTS = ["seedbed_encoder", "seedbed_bert", "trainer_tuned", "trainer_bf16", "trainer_defaults"]
OBJECTIVE = {"mlm": {"rate": 0.15}}


def shape(specification: dict[str, Any]) -> dict[str, Any]:
    return {name: specification[name] for name in ("layers", "width", "heads")}


def bert(specification: dict[str, Any]) -> dict[str, Any]:
    plain = {"norm": "post", "positions": "learned", "gated": False, "bias": True, "activation": "gelu"}
    return {"encoder": {**shape(specification), **plain, "feedforward": 4 * specification["width"]}}


def seedbed_encoder(specification: dict[str, Any]) -> dict[str, Any]:
    return race.with_seedbed(specification, {"encoder": shape(specification)}, OBJECTIVE)


def seedbed_bert(specification: dict[str, Any]) -> dict[str, Any]:
    return race.with_seedbed(specification, bert(specification), OBJECTIVE)


def trainer_defaults(specification: dict[str, Any]) -> dict[str, Any]:
    return _trainer(specification, bf16=False, dropout=0.1, grouped=False)


def trainer_bf16(specification: dict[str, Any]) -> dict[str, Any]:
    return _trainer(specification, bf16=True, dropout=0.1, grouped=False)


def trainer_tuned(specification: dict[str, Any]) -> dict[str, Any]:
    from seedbed.train.allocator import keep_memory

    keep_memory()
    return _trainer(specification, bf16=True, dropout=0.0, grouped=True)


def _trainer(specification: dict[str, Any], *, bf16: bool, dropout: float, grouped: bool) -> dict[str, Any]:
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
    plain = bert(specification)["encoder"]
    flops = backbones.create("encoder", **plain).flops_per_token(
        specification["vocabulary"], specification["length"], targets=0.15
    )
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    rows = race.token_rows(specification, grouped=grouped)
    return race.with_trainer(specification, network, collate, rows, flops, bf16=bf16)


def main() -> None:
    options = race.arguments(__doc__ or "", length=128)
    with tempfile.TemporaryDirectory() as folder:
        specification = race.prepare(options, "encoder", "wordpiece", Path(folder))
        names = [name for name in CONTESTANTS if not options.only or name in options.only]
        race.race("mlm_training", names, specification, options.out)


if __name__ == "__main__":
    main()
