"""A small real run, and a comparison's result written by hand."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from report_world import ATTACK, entry

from seedbed.recipe.execute import Workspace, run_recipe
from seedbed.recipe.recipe import parse_recipe


def _documents() -> list[dict[str, Any]]:
    draw = random.Random(5)
    words = ["gull", "owl", "wren", "roof", "river", "wall", "sees", "feeds", "near", "the", "a", "old", "<b>", "&amp;"]
    rows = [
        {"id": f"d{number}", "text": " ".join(draw.choices(words, k=60)), "domain": "birds" if number % 3 else "walls"}
        for number in range(60)
    ]
    rows.append({"id": "twin", "text": rows[7]["text"], "domain": "birds"})
    rows.append({"id": ATTACK, "text": f"short {ATTACK}", "domain": "birds"})
    return rows


@pytest.fixture(scope="package")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run: one document dropped as a duplicate, one as too short, one line unreadable."""
    root = tmp_path_factory.mktemp("report")
    lines = [json.dumps(row) for row in _documents()]
    (root / "texts.jsonl").write_text("\n".join([*lines, f'{{"broken": {ATTACK}']))
    recipe = parse_recipe(
        {
            "name": "small",
            "seed": 3,
            "steps": {
                "texts": {
                    "build_corpus": {
                        "read": [{"jsonl": {"path": str(root / "texts.jsonl")}}],
                        "curate": ["normalize", {"keep": "words > 5"}, "exact_duplicates"],
                        "split": {"validation": 0.2, "test": 0.2},
                        "max_unreadable": 0.1,
                    }
                },
                "vocabulary": {"train_tokenizer": {"corpus": "texts", "size": 90}},
                "encoder": {
                    "pretrain": {
                        "model": {"encoder": {"layers": 1, "width": 32, "heads": 2, "kernel": "products"}},
                        "tokenizer": "vocabulary",
                        "data": {"texts": 1.0},
                        "budget": "12 steps",
                        "length": 32,
                        "batch_tokens": 256,
                        "precision": "fp32",
                        "validate_every": 5,
                    }
                },
                "scores": {
                    "evaluate": {
                        "model": "encoder",
                        "tasks": [{"masked_accuracy": {"corpus": "texts", "max_length": 32}}],
                        "seeds": 2,
                    }
                },
            },
        }
    )
    place = Workspace(root / "runs")
    run_recipe(recipe, place, say=lambda line: None)
    return place.folder(recipe)


@pytest.fixture
def comparison() -> dict[str, Any]:
    """A result of two arms and two metrics."""
    steps = list(range(1, 200))
    arms = {
        name: {
            "overrides": {"encoder.objective.mlm.rate": rate},
            "values": {"accuracy": [mean - 0.01, mean, mean + 0.01], "cost": [2.0, 2.1, 2.2]},
            "summary": {"accuracy": entry(mean, 0.025), "cost": entry(2.1, 0.25)},
            "cost": {"tokens": 2e6, "steps": 1953, "flops": 3.2e13, "seconds": 431.5},
            "curves": {"encoder": {"tokens": [1e4 * s for s in steps], "loss": [lift + 6 / s**0.4 for s in steps]}},
            "artifacts": [f"evaluate-{name}0", f"evaluate-{name}1"],
        }
        for name, rate, mean, lift in (("low", 0.15, 0.312, 1.0), ("high", 0.4, 0.341, 1.2))
    }
    difference = {"difference": entry(0.029, 0.012), "effect_size": 6.0, "relative": 0.0929}
    return {
        "format": 1,
        "name": "masking-rate",
        "paper": "280",
        "title": "Should you mask 15%?",
        "claim": f"Masking 40% beats masking 15% {ATTACK}",
        "notes": "A model of 4 layers in place of 24.",
        "quick": False,
        "command": "seedbed study 280",
        "finished": "2026-11-21T10:00:00+00:00",
        "equal": "tokens",
        "seeds": [17, 18, 19],
        "reference": "low",
        "metrics": {
            "accuracy": {"path": "scores.masked_accuracy.accuracy", "higher_is_better": True},
            "cost": {"path": "encoder.made_up", "higher_is_better": None},
        },
        "arms": arms,
        "differences": [{"first": "high", "second": "low", "metric": "accuracy", **difference}],
        "expect": "high > low",
        "contrasts": [
            {"statement": "high > low", "first": "high", "second": "low", "metric": "accuracy", **difference}
            | {"outcome": "holds"}
        ],
        "verdict": "reproduced",
        "rule": "A statement holds if its interval lies on the claimed side of zero.",
        "power": {"spread": 0.005, "detectable": 0.011, "effect": 0.02},
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "machine": {"cores": 2, "processor": "A processor", "memory_gib": 23.5},
        "fingerprint": "0123456789abcdef",
        "sources": {"seedbed.train.pretrain": "aa"},
    }
