"""Steps of a recipe that runs in seconds and needs no data: a made-up world, its vocabulary, a small network."""

from __future__ import annotations

from typing import Any


def tiny_steps(
    model: dict[str, Any],
    *,
    documents: int = 40,
    test: float = 0.0,
    vocabulary: dict[str, Any] | None = None,
    **training: Any,
) -> dict[str, Any]:
    """`world`, `vocabulary`, and a step that is called as the backbone is. test: the share that is held out."""
    (backbone,) = model
    split = {"split": {"test": test}} if test else {}
    given = {"model": model, "tokenizer": "vocabulary", "data": {"world": 1.0}, "length": 32, "batch_tokens": 256}
    return {
        "world": {"generate": {"world": {"facts": {"documents": documents}}, **split}},
        "vocabulary": {"train_tokenizer": {"corpus": "world", "size": 300, **(vocabulary or {})}},
        backbone: {"pretrain": {**given, **training}},
    }
