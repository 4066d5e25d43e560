"""Training on 8-bit integers, simulated (Jetfire)."""

from __future__ import annotations

from typing import Any

from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions


@interventions.register("int8_flow", papers=["016"])
class Int8Flow(Intervention):
    """Linear layers, norms and activations of the blocks read and write int8 with a scale for each block of numbers
    (Jetfire, Xi et al., 2024), simulated: rounding as on hardware for it, products in floats.

    Q(x) = round(127 x / max |x|) within blocks of `block` x `block` (tokens x columns); gradients are rounded
    stochastically. Activations, weights and gradients of the three products of a linear layer, what norms and
    activation functions read and write, and what they keep for the backward pass, are int8. As in the authors' GPT-2,
    the residual stream, attention between its two projections, embeddings and logits stay in floats, and so do the
    weights that the optimizer trains; adding to the residual stream, they round what the next norm reads, as here.

    block: 32 in the paper; None rounds whole tensors with one scale, which is what the paper compares with.

    No speed is gained here; `memory.activations` among the counts shows what is kept. The saved model is an ordinary
    one, in floats. Not here: int8 communication and int8 kernels.
    """

    def __init__(self, block: int | None = 32) -> None:
        if block is not None and block < 1:
            raise InputError("block", "must be at least 1", value=block)
        self.block = block

    def prepare(self, network: Any, seed: int) -> None:
        """Blocks that pass on int8 in the places of the ordinary ones."""
        from seedbed.models.quantized import QuantizedLayer
        from seedbed.models.replace import hidden_linears

        hidden_linears(network)  # which refuses what others have replaced
        for index, layer in enumerate(network.layers):
            network.layers[index] = QuantizedLayer(layer, index, self.block).to(layer.qkv.weight.device)

    def export(self, network: Any) -> None:
        """The ordinary blocks, which share the trained parameters."""
        for index, layer in enumerate(network.layers):
            network.layers[index] = layer.plain[0]
