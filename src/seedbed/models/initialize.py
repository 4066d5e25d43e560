"""Initial weights: a pure function of the seed and each parameter's name.

Weights are drawn from a normal distribution of deviation 0.02, cut at three deviations; what writes into the residual
stream (attention_out, feedforward_out) has 0.02 / sqrt(2 * layers), as GPT-2 (Radford et al., 2019) and ModernBERT
do. Norms start as the identity, biases at zero. Because every parameter has its own generator, a network with one
more layer or another head has the same numbers elsewhere.
"""

from __future__ import annotations

import math

import torch

from seedbed.core.counters import key

DEVIATION = 0.02


@torch.no_grad()
def initialize(name: str, parameter: torch.Tensor, seed: int, layers: int) -> None:
    """Fill one parameter of a network of so many layers."""
    if name.endswith("bias"):
        parameter.zero_()
    elif "norm." in name:
        parameter.fill_(1.0)
    else:
        deviation = DEVIATION
        if name.endswith(("attention_out.weight", "feedforward_out.weight")):
            deviation /= math.sqrt(2 * layers)
        generator = torch.Generator().manual_seed(key(seed, "initialize", name) >> 1)
        drawn = torch.empty(parameter.shape)
        torch.nn.init.trunc_normal_(drawn, 0.0, deviation, -3 * deviation, 3 * deviation, generator)
        parameter.copy_(drawn)
