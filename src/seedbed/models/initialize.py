"""Initial weights: a pure function of the seed and each parameter's name.

Weights are drawn from a normal distribution of deviation 0.02, cut at three deviations; what writes into the residual
stream (attention_out, feedforward_out) has 0.02 / sqrt(2 * layers), as GPT-2 (Radford et al., 2019) and ModernBERT
do. With width transfer (Yang et al., 2022) matrices between layers have that deviation over the square root of how many
times the base's width the network has, and embeddings the same at every width. Norms start as the identity, biases at
zero. Because every parameter has its own generator, a network with one
more layer or another head has the same numbers elsewhere.
"""

from __future__ import annotations

import math

import torch

from seedbed.core.counters import key
from seedbed.models.architecture import Architecture, is_hidden

DEVIATION = 0.02


@torch.no_grad()
def initialize(name: str, parameter: torch.Tensor, seed: int, architecture: Architecture) -> None:
    """Fill one parameter of a network."""
    if name.endswith("bias"):
        parameter.zero_()
    elif "norm." in name:
        parameter.fill_(1.0)
    else:
        deviation = DEVIATION
        if name.endswith(("attention_out.weight", "feedforward_out.weight")):
            deviation /= math.sqrt(2 * architecture.layers)
        if is_hidden(name):
            deviation /= math.sqrt(architecture.width_ratio)
        generator = torch.Generator().manual_seed(key(seed, "initialize", name) >> 1)
        drawn = torch.empty(parameter.shape)
        torch.nn.init.trunc_normal_(drawn, 0.0, deviation, -3 * deviation, 3 * deviation, generator)
        parameter.copy_(drawn)
