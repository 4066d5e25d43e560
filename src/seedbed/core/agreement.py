"""Precision, recall and F1 of what was said, from three counts."""

from __future__ import annotations


def agreement(hits: int, wanted: int, named: int) -> dict[str, float]:
    """Of `named` things said and `wanted` things that there are, `hits` are both. 0 where there is nothing."""
    return {
        "precision": hits / named if named else 0.0,
        "recall": hits / wanted if wanted else 0.0,
        "f1": 2 * hits / (wanted + named) if wanted + named else 0.0,
    }
