"""For the tests of surgery: a corpus of made-up words in an order that a small network can learn; two processes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from processes import launch

_RUN = """
    import json, sys
    from pathlib import Path
    from seedbed.core import distributed
    from seedbed.recipe.execute import Workspace, run_plan
    from seedbed.recipe.plan import make_plan
    from seedbed.recipe.recipe import Recipe
    runs, steps = Path(sys.argv[1]), json.loads(sys.argv[2])
    made = run_plan(make_plan(Recipe("world", steps, seed=3), Workspace(runs).store), say=lambda line: None)
    if distributed.rank() == 0:
        Path(sys.argv[3]).write_text(json.dumps({name: artifact.counts for name, artifact in made.items()}))
    """


def corpus_and_vocabulary(root: Path) -> dict[str, Any]:
    """Writes 80 documents, and gives the steps that read them and train a tokenizer on them."""
    dice = random.Random(0)
    words = ["".join(dice.choices("abcdefghij", k=dice.randrange(2, 6))) for _ in range(40)]
    rows = []
    for index in range(80):
        start = dice.randrange(len(words))
        text = " ".join(words[(start + place) % len(words)] for place in range(dice.randrange(10, 40)))
        rows.append({"id": f"d{index}", "text": text})
    (root / "text.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return {
        "corpus": {"build_corpus": {"read": [{"jsonl": {"path": str(root / "text.jsonl")}}]}},
        "vocabulary": {"train_tokenizer": {"corpus": "corpus", "size": 300, "style": "decoder", "algorithm": "bpe"}},
    }


def run_by_two(steps: dict[str, Any], runs: Path, place: Path) -> dict[str, Any]:
    """Runs a recipe by two processes; the counts of its artifacts."""
    launch(_RUN, place, runs, json.dumps(steps), place / "counts.json")
    return dict(json.loads((place / "counts.json").read_text()))
