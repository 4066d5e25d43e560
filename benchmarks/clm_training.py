"""Causal language modeling on the CPU: seedbed against transformers.Trainer, both with Llama's architecture.

    python benchmarks/clm_training.py --data texts.jsonl --out benchmarks/results/clm.json

Contestants as in mlm_training.py; a Llama has no dropout to switch off. Needs the extra `benchmarks`.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import contestants
import race
from race import Figures, Specification


def decoder(specification: Specification) -> dict[str, Any]:
    return {"decoder": {name: specification[name] for name in ("layers", "width", "heads")}}


def llama(specification: Specification) -> Any:
    """The peer's network, drawn by transformers. Its configuration is read from what seedbed saves: so the shapes are
    the same to the last number."""
    from transformers import AutoConfig, AutoModelForCausalLM

    from seedbed.models import backbones

    backbone = backbones.create("decoder", **decoder(specification)["decoder"])
    with tempfile.TemporaryDirectory() as folder:
        backbone.network(specification["vocabulary"], seed=0).save(Path(folder))
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))


def collator(specification: Specification) -> Any:
    from transformers import AutoTokenizer, DataCollatorForLanguageModeling

    return DataCollatorForLanguageModeling(AutoTokenizer.from_pretrained(specification["tokenizer"]), mlm=False)


def seedbed_decoder(specification: Specification) -> Figures:
    return contestants.with_seedbed(specification, decoder(specification), "clm")


def trainer(specification: Specification, *, rows: list[list[int]] | None = None, **settings: Any) -> Figures:
    """By default on the documents cut at the length; `settings` are those of `contestants.with_trainer`."""
    from seedbed.models import backbones

    flops = backbones.create("decoder", **decoder(specification)["decoder"]).flops_per_token(
        specification["vocabulary"], specification["length"], targets=1.0
    )
    rows = contestants.cut_rows(specification) if rows is None else rows
    network, collate = llama(specification), collator(specification)
    return contestants.with_trainer(specification, network, collate, rows, flops, **settings)


def trainer_tuned(specification: Specification) -> Figures:
    from seedbed.train.allocator import keep_memory

    keep_memory()
    return trainer(specification, rows=contestants.full_rows(specification), arithmetic="best")


CONTESTANTS: race.Contestants = {
    "seedbed_decoder": seedbed_decoder,
    "trainer_tuned": trainer_tuned,
    "trainer_bf16": partial(trainer, arithmetic="bf16"),
    "trainer_defaults": trainer,
}


def main() -> None:
    options = race.arguments(__doc__ or "", length=256)
    options.rows = min(options.rows, 16)
    with tempfile.TemporaryDirectory() as folder:
        specification = race.prepare(options, "decoder", "bpe", Path(folder))
        race.race("clm_training", CONTESTANTS, options, specification)


if __name__ == "__main__":
    main()
