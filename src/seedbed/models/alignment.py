"""Which token of one text says the same as which of another, by optimal transport between their states.

Shapes: B rows, L tokens a row, D width.
"""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

Tensor = torch.Tensor
_NEVER = -1e4  # the logarithm of a share of nothing, with a gradient of zero


def transport(states_BLD: Tensor, side_BL: Tensor, sharpness: float, rounds: int) -> Tensor:
    """The logarithm of what goes from each token of a row's first text to each of its second (B, L, L): the plan that
    moves the same mass from all tokens of the one to the same mass at all of the other where cosines are high, with an
    entropy of 1 / `sharpness` for the sum of cosines (Cuturi, 2013), after so many rounds of Sinkhorn's alternation.
    `side_BL` is 0 for the first text, 1 for the second, else -1; pairs of other tokens have -1e4 or less."""
    unit_BLD = normalize(states_BLD.float(), dim=-1)
    first_BL, second_BL = side_BL == 0, side_BL == 1
    both_BLL = first_BL[:, :, None] & second_BL[:, None, :]
    score_BLL = (sharpness * unit_BLD @ unit_BLD.transpose(1, 2)).masked_fill(~both_BLL, _NEVER)
    from_BL1 = _share(first_BL)[:, :, None]
    to_B1L = _share(second_BL)[:, None, :]
    column_B1L = torch.zeros_like(to_B1L)
    row_BL1 = torch.zeros_like(from_BL1)
    for _ in range(rounds):
        row_BL1 = from_BL1 - (score_BLL + column_B1L).logsumexp(2, keepdim=True)
        column_B1L = to_B1L - (score_BLL + row_BL1).logsumexp(1, keepdim=True)
    return (score_BLL + row_BL1 + column_B1L).masked_fill(~both_BLL, _NEVER)


def agreed(plan_BLL: Tensor, side_BL: Tensor) -> tuple[Tensor, Tensor]:
    """For each token the column of the token of the other text that gets most from it, if that also gets most from this
    one, or -1 (B, L): the intersection of both directions. Beside it by how much of its share that is ahead of the
    second best, the less of both directions (B, L): from 0, where the two are equal, to 1."""
    best_BL, back_BL = plan_BLL.argmax(2), plan_BLL.argmax(1)
    columns_L = torch.arange(side_BL.shape[1], device=side_BL.device)
    is_first_BL = side_BL == 0
    other_BL = torch.where(is_first_BL, best_BL, back_BL)
    returned_BL = torch.where(is_first_BL, back_BL.gather(1, best_BL), best_BL.gather(1, back_BL))
    has_BL = (side_BL >= 0) & (side_BL.gather(1, other_BL) == 1 - side_BL) & (returned_BL == columns_L)
    lead_BL = torch.where(is_first_BL, _lead(plan_BLL, 2), _lead(plan_BLL, 1))
    lead_BL = torch.minimum(lead_BL, lead_BL.gather(1, other_BL))
    return torch.where(has_BL, other_BL, -1), torch.where(has_BL, lead_BL, 0.0)


def _lead(plan_BLL: Tensor, dimension: int) -> Tensor:
    """1 - the second best as a share of the best, along a dimension."""
    first, second = plan_BLL.topk(2, dimension).values.unbind(dimension)
    return 1 - (second - first).exp()


def _share(chosen_BL: Tensor) -> Tensor:
    """The logarithm of equal shares of 1."""
    number_B1 = chosen_BL.sum(1, keepdim=True).clamp(min=1).float()
    return torch.where(chosen_BL, -number_B1.log(), torch.full_like(number_B1, _NEVER))
