"""A comparison that tries rates and batches around a suggestion."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seedbed.recipe.recipe import parsed_override

from .recipe import Training
from .step_law import Suggestion

RATES = {"quarter": 0.25, "half": 0.5, "same": 1.0, "double": 2.0, "fourfold": 4.0}
BATCHES = {"half": 0.5, "same": 1.0, "double": 2.0}
SUGGESTED = "suggested"


def comparison(
    recipe: Path, training: Training, suggestion: Suggestion, metric: str, overrides: Iterable[str], out: Path
) -> dict[str, Any]:
    """The content of a comparison's file `out`: rates by batches around the suggestion, at equal tokens."""
    arms: dict[str, Any] = {}
    common, seen = dict(parsed_override(text) for text in overrides), set()
    points = [("same", "same"), *itertools.product(RATES, BATCHES)]
    for rate, rows in points:
        lr = float(f"{suggestion.lr * RATES[rate]:.4g}")
        tokens = dataclasses.replace(suggestion, batch=suggestion.batch * BATCHES[rows]).batch_tokens
        if (lr, tokens) in seen:
            continue
        seen.add((lr, tokens))
        arms[f"lr-{rate}-batch-{rows}" if arms else SUGGESTED] = {
            **common,
            f"{training.step}.optimizer.{training.optimizer}.lr": lr,
            f"{training.step}.batch_tokens": tokens,
        }
    return {
        "recipe": os.path.relpath(recipe.resolve(), out.resolve().parent),
        "arms": arms,
        "metric": {"loss": metric, "parameters": f"{training.step}.parameters_without_embeddings"},
        "equal": "tokens",
        "adjust": training.step,
        "seeds": 1,
    }
