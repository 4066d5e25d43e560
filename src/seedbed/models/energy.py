"""Predictions by descending an energy: the network judges a candidate beside the text, and its gradient improves it.

Shapes: B rows, L tokens, M = 2 L columns (the text's, then the candidates'), D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from seedbed.models.copies import who_sees
from seedbed.models.layers import twice_differentiable
from seedbed.models.rules import as_mask, places

if TYPE_CHECKING:
    from seedbed.models.transformer import Transformer

Tensor = torch.Tensor


def descend(
    network: Transformer, embedded_BLD: Tensor, segments_BL: Tensor | None, positions_BL: Tensor | None
) -> Tensor:
    """The candidates after `energy_steps` steps (B, L, D), from which logits are made; where gradients are recorded,
    they go through all steps.

    Token i's candidate stands at position i + 1, sees the text up to i and itself, and nobody else sees it. It begins
    as token i's embedding. Its energy is the product of its last state with `energy_head`; a step takes `energy_step`
    times the energy's gradient from it. In the type of the weights: bfloat16 is too coarse for gradients of gradients.
    """
    learns = torch.is_grad_enabled()
    assert network.energy_head is not None and network.energy_step is not None
    (rows, length), device = embedded_BLD.shape[:2], embedded_BLD.device
    positions_BL = places(positions_BL, rows, length, device)
    mask = _mask(network, segments_BL, positions_BL, embedded_BLD)
    text_BLD = embedded_BLD if learns else embedded_BLD.detach()
    with torch.enable_grad(), twice_differentiable():
        candidate_BLD = text_BLD.clone().requires_grad_()  # a node of its own, whose slope is not the text's
        for _ in range(network.energy_steps):
            states_BMD = network.states(
                torch.cat((text_BLD, candidate_BLD), 1),
                None,  # the mask knows
                torch.cat((positions_BL, positions_BL + 1), 1),
                dtype=embedded_BLD.dtype,
                kernel="products",
                mask=mask,
            )
            energy = (states_BMD[:, length:] @ network.energy_head).sum()
            (slope_BLD,) = torch.autograd.grad(energy, candidate_BLD, create_graph=learns)
            candidate_BLD = candidate_BLD - network.energy_step * slope_BLD
            if not learns:
                candidate_BLD = candidate_BLD.detach().requires_grad_()
    return candidate_BLD if learns else candidate_BLD.detach()


def _mask(network: Transformer, segments_BL: Tensor | None, positions_BL: Tensor, like_BLD: Tensor) -> Any:
    rows, length = positions_BL.shape
    rule = who_sees(network.architecture, length, segments_BL, positions_BL)
    return as_mask(rule, rows, 2 * length, like_BLD.device, like_BLD.dtype, "products")
