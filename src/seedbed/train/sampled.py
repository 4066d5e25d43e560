"""Targets that a network draws from its own prediction: for estimates of curvature (Gauss-Newton-Bartlett).

Shapes: B rows, L tokens a row, T targets, D width, V vocabulary, C rows of a chunk.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from seedbed.core.errors import InputError
from seedbed.objectives.base import Examples
from seedbed.objectives.prediction import target_states

_CHUNK_VALUES = 1 << 22  # logits held at a time


@torch.no_grad()
def with_sampled_targets(network: Any, examples: Examples, seed: int) -> Examples:
    """The same inputs; at each position that has a target, one that the network draws from what it predicts there.

    What is drawn is a function of the seed, so that a resumed run draws the same.
    """
    if type(examples) is not Examples:
        raise InputError("optimizer", "this rule draws targets from the network's prediction of tokens", fix="adamw")
    if examples.num_targets == 0:
        return examples
    hidden_TD = target_states(network, examples)
    generator = torch.Generator(hidden_TD.device).manual_seed(seed)
    size = max(1, _CHUNK_VALUES // network.vocabulary_size)
    drawn = []
    for chunk_CD in hidden_TD.split(size):
        chances_CV = network.logits(chunk_CD).softmax(-1, dtype=torch.float32)
        drawn.append(torch.multinomial(chances_CV, 1, generator=generator).squeeze(1))
    return dataclasses.replace(examples, targets_T=torch.cat(drawn))
