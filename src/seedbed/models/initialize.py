"""Initial weights: a pure function of the seed and each parameter's name.

Weights are drawn from a normal distribution of deviation 0.02, cut at three deviations; what writes into the residual
stream (attention_out, feedforward_out) has 0.02 over the square root of how many do, as in GPT-2 (Radford et al., 2019)
and ModernBERT: two in each layer, and three where a decoder attends over an encoder. With width transfer (Yang et al.,
2022) matrices between layers have that deviation over the square root of how many times the base's width the network
has, and embeddings the same at every width. Norms start as the identity, biases at zero. Because every parameter has
its own generator, a network with one more layer or another head has the same numbers elsewhere.

A mixer or feedforward may say other values for parameters of its own.

As in T5 (Raffel et al., 2020) queries have it over the square root of a head's width, where scores are not divided by
that, and the output embedding a deviation of 1, where hidden states are divided by the square root of the width.

Primitives have a deviation of 1 over the square root of how many they are, so that a token's vector has that of its
coordinates, which is that of an embedding.
"""

from __future__ import annotations

import math

import torch

from seedbed.core import counters
from seedbed.models.architecture import Architecture, is_hidden

DEVIATION = 0.02


@torch.no_grad()
def initialize(name: str, parameter: torch.Tensor, seed: int, architecture: Architecture) -> None:
    """Fill one parameter of a network."""
    within = architecture.block_of(name) if architecture.composed else None
    if within is not None:
        block, inner, layer = within
        value = block.initial(inner, architecture, layer, counters.generator(seed, "initialize", name))
        if value is not None:
            parameter.copy_(torch.as_tensor(value).expand(parameter.shape))
            return
    if name.endswith("bias"):
        parameter.zero_()
    elif name == "energy_step":
        parameter.fill_(architecture.energy_step)
    elif "norm." in name or name.endswith("head_scale"):
        parameter.fill_(1.0)
    else:
        deviation = 1.0 if name == architecture.output_table and architecture.scaled_output else DEVIATION
        if name.endswith(("attention_out.weight", "feedforward_out.weight", ".out.weight", ".expert_out")):
            writes = 3 * architecture.decoder_layers if name.startswith("decoder.") else 2 * architecture.layers
            deviation /= math.sqrt(writes)
        if name.endswith("embedding.primitives"):
            deviation = 1 / math.sqrt(parameter.shape[0])
        if is_hidden(name):
            deviation /= math.sqrt(architecture.width_ratio)
        generator = torch.Generator().manual_seed(counters.key(seed, "initialize", name) >> 1)
        drawn = torch.empty(parameter.shape)
        torch.nn.init.trunc_normal_(drawn, 0.0, deviation, -3 * deviation, 3 * deviation, generator)
        if name.endswith((".qkv.weight", ".cross.query.weight")) and not architecture.scaled_scores:
            drawn[: architecture.query_width] /= math.sqrt(architecture.head_width)
        parameter.copy_(drawn)
