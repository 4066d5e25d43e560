"""The corpus of the tests of surgery: made-up words in an order that a small network can learn."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any


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
