"""Causal language modeling on the CPU: seedbed against transformers.Trainer, both with Llama's architecture.

    python benchmarks/clm_training.py --data texts.jsonl --out benchmarks/results/clm.json

Contestants as in mlm_training.py; a Llama has no dropout to switch off. Needs the extra `benchmarks`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import race

CONTESTANTS = ["seedbed_decoder", "trainer_tuned", "trainer_bf16", "trainer_defaults"]


def decoder(specification: dict[str, Any]) -> dict[str, Any]:
    return {"decoder": {name: specification[name] for name in ("layers", "width", "heads")}}


def seedbed_decoder(specification: dict[str, Any]) -> dict[str, Any]:
    return race.with_seedbed(specification, decoder(specification), "clm")


def trainer_defaults(specification: dict[str, Any]) -> dict[str, Any]:
    return _trainer(specification, bf16=False, grouped=False)


def trainer_bf16(specification: dict[str, Any]) -> dict[str, Any]:
    return _trainer(specification, bf16=True, grouped=False)


def trainer_tuned(specification: dict[str, Any]) -> dict[str, Any]:
    from seedbed.train.allocator import keep_memory

    keep_memory()
    return _trainer(specification, bf16=True, grouped=True)


def _trainer(specification: dict[str, Any], *, bf16: bool, grouped: bool) -> dict[str, Any]:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, DataCollatorForLanguageModeling

    from seedbed.models import backbones

    tokenizer = AutoTokenizer.from_pretrained(specification["tokenizer"])
    backbone = backbones.create("decoder", **decoder(specification)["decoder"])
    with tempfile.TemporaryDirectory() as folder:
        # The peer's configuration is read from what seedbed saves: so the shapes are the same to the last number.
        backbone.network(specification["vocabulary"], seed=0).save(Path(folder))
        network = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    flops = backbone.flops_per_token(specification["vocabulary"], specification["length"], targets=1.0)
    collate = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    rows = race.token_rows(specification, grouped=grouped)
    return race.with_trainer(specification, network, collate, rows, flops, bf16=bf16)


def main() -> None:
    options = race.arguments(__doc__ or "", length=256)
    options.rows = min(options.rows, 16)
    with tempfile.TemporaryDirectory() as folder:
        specification = race.prepare(options, "decoder", "bpe", Path(folder))
        names = [name for name in CONTESTANTS if not options.only or name in options.only]
        race.race("clm_training", names, specification, options.out)


if __name__ == "__main__":
    main()
