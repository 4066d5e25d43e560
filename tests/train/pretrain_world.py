"""Two corpora and three tokenizers, for tests of the step `pretrain`."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from seedbed.core.artifact import Artifact
from seedbed.recipe.execute import Workspace, run_plan, workspace
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe
from seedbed.train.pretrain import pretrain

ENCODER = {"encoder": {"layers": 2, "width": 32, "heads": 2, "kernel": "products"}}
DECODER = {"decoder": {"layers": 2, "width": 32, "heads": 2, "kernel": "products"}}
SMALL = {"length": 32, "batch_tokens": 256, "micro_tokens": 128, "precision": "fp32", "save_every": 4}


def text(dice: random.Random, words: list[str]) -> str:
    start, stride = dice.randrange(len(words)), dice.choice([1, 2])
    return " ".join(words[(start + stride * index) % len(words)] for index in range(dice.randrange(5, 40)))


class World:
    """A workspace with two corpora and two tokenizers, made once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        dice = random.Random(0)
        words = ["".join(dice.choices("abcdefghij", k=dice.randrange(2, 6))) for _ in range(60)]
        for name, number in (("news", 120), ("code", 60)):
            rows = [{"id": f"{name}-{index}", "text": text(dice, words)} for index in range(number)]
            (root / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        self.made = self.run(
            {
                name: {"build_corpus": {"read": [{"jsonl": {"path": str(root / f"{name}.jsonl")}}], "split": split}}
                for name, split in (("news", {"validation": 0.2}), ("code", {}))
            }
            | {
                "vocabulary": {"train_tokenizer": {"corpus": "news", "size": 120}},
                "larger": {"train_tokenizer": {"corpus": "news", "size": 200}},
                "pieces": {"train_tokenizer": {"corpus": "code", "size": 300, "style": "decoder", "algorithm": "bpe"}},
            }
        )

    def run(self, steps: dict[str, Any], **options: Any) -> dict[str, Artifact]:
        plan = make_plan(Recipe("world", steps, seed=3), Workspace(self.root / "runs").store)
        return run_plan(plan, **{"say": lambda line: None, **options})

    def pretrain(self, root: Path | None = None, **parameters: Any) -> Any:
        given = {"model": ENCODER, "tokenizer": self["vocabulary"], "data": {self["news"]: 1.0}, "budget": "12 steps"}
        with workspace(root or self.root / "runs"):
            return pretrain(**{**given, **SMALL, **parameters})

    def __getitem__(self, name: str) -> Artifact:
        return self.made[name]
