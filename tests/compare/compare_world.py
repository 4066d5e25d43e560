"""A small folder of text, and a comparison on it that runs in seconds."""

from pathlib import Path

import yaml

from seedbed.compare.comparison import Comparison, load_comparison

WORDS = [
    "river",
    "hill",
    "town",
    "mile",
    "north",
    "south",
    "mill",
    "bridge",
    "road",
    "field",
    "stone",
    "market",
    "gate",
    "tower",
]


def text(number: int) -> str:
    lines = []
    for line in range(10):
        names = [WORDS[(number * 7 + line * 3 + k * k) % len(WORDS)] for k in range(6)]
        lines.append(f"The {names[0]} by the {names[1]} leads {names[2]} of the {names[3]} to {names[4]} {number}.")
    return " ".join(lines)


RECIPE = {
    "name": "small",
    "seed": 5,
    "variables": {"texts": "texts"},
    "steps": {
        "corpus": {
            "build_corpus": {
                "read": [{"text": {"path": "${texts}"}}],
                "curate": ["normalize"],
                "split": {"validation": 0.1, "test": 0.2},
            }
        },
        "vocabulary": {"train_tokenizer": {"corpus": "corpus", "algorithm": "wordpiece", "size": 200}},
        "encoder": {
            "pretrain": {
                "model": {"encoder": {"layers": 1, "width": 32, "heads": 2}},
                "tokenizer": "vocabulary",
                "data": {"corpus": 1.0},
                "objective": {"mlm": {"rate": 0.15}},
                "budget": "4k tokens",
                "length": 32,
                "batch_tokens": 256,
                "validate_every": "never",
            }
        },
        "scores": {
            "evaluate": {
                "model": "encoder",
                "tasks": [{"masked_accuracy": {"corpus": "corpus", "max_documents": 4, "max_length": 32}}],
                "baselines": False,
                "seeds": 1,
            }
        },
        "unused": {"train_tokenizer": {"corpus": "corpus", "algorithm": "bpe", "size": 300}},
    },
}
COMPARISON = {
    "recipe": "recipe.yaml",
    "arms": {"plain": {}, "high": {"encoder.objective.mlm.rate": 0.5}},
    "metric": {"nats": "scores.masked_accuracy.nats", "loss": "encoder.loss"},
    "seeds": 2,
    "expect": "high < plain",
}


def comparison(folder: Path, **changes) -> Comparison:
    (folder / "rates.yaml").write_text(yaml.safe_dump({**COMPARISON, **changes}, sort_keys=False))
    return load_comparison(folder / "rates.yaml")
