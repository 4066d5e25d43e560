"""Which token comes next: the likeliest, or one that is drawn.

Shapes: B rows, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from seedbed.core.checks import check_rate
from seedbed.core.counters import uniform
from seedbed.core.errors import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Choice:
    """The likeliest token, or at a `temperature` above 0 one that is drawn: with the softmax of logits over it.

    forbidden_V: tokens that are never written; so are rows of the network's table that it has none for. The others are
        as likely as among themselves.
    top_k: only the so many likeliest are drawn (Fan et al., 2018), and such as are as likely as the last of them.
    top_p: of those only the likeliest, as few as together have this share of the chances (nucleus sampling; Holtzman et
        al., 2020).
    stream: the key of the numbers that are drawn, a pure function of it, the row's counter and the place in its text:
        the same whatever stands beside it in a batch.
    noise: "one" number for a token, which falls on one of the chances in the vocabulary's order; or one for "each"
        token of the vocabulary, which is added to its logit (Gumbel noise), so that a chance which changes a little
        rarely changes what is drawn. Both draw by the same chances.
    """

    forbidden_V: np.ndarray
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    stream: int = 0
    noise: Literal["one", "each"] = "one"

    def __post_init__(self) -> None:
        check_draws(self.temperature, self.top_k, self.top_p)

    def tokens(self, logits_BV: torch.Tensor, counters_B: np.ndarray, place: int) -> list[int]:
        """A token for each row, from logits of any type."""
        import torch

        forbidden_V = torch.ones(logits_BV.shape[1], dtype=torch.bool, device=logits_BV.device)
        forbidden_V[: len(self.forbidden_V)] = torch.from_numpy(self.forbidden_V).to(forbidden_V)
        logits_BV = logits_BV.double().masked_fill(forbidden_V, -torch.inf)
        if not self.temperature:
            return [int(token) for token in logits_BV.argmax(1)]
        logits_BV = self._likely(logits_BV / self.temperature)
        if self.noise == "each":
            column_V = np.arange(len(self.forbidden_V))
            drawn_BV = uniform(self.stream, counters_B[:, None], place, column_V[None])
            gumbel_BV = torch.from_numpy(-np.log(-np.log(np.maximum(drawn_BV, 2.0**-54)))).to(logits_BV)
            return [int(token) for token in (logits_BV[:, : len(column_V)] + gumbel_BV).argmax(1)]
        sums_BV = logits_BV.softmax(-1).cumsum(-1)
        drawn_B = torch.from_numpy(uniform(self.stream, counters_B, place)).to(sums_BV)
        return torch.searchsorted(sums_BV, (drawn_B * sums_BV[:, -1])[:, None], right=True)[:, 0].tolist()

    def _likely(self, logits_BV: torch.Tensor) -> torch.Tensor:
        """Minus infinity at tokens that are not among the likeliest."""
        import torch

        if self.top_k is not None and self.top_k < logits_BV.shape[1]:
            least_B1 = logits_BV.topk(self.top_k, -1).values[:, -1:]
            logits_BV = logits_BV.masked_fill(logits_BV < least_B1, -torch.inf)
        if self.top_p is not None and self.top_p < 1:
            falling_BV, order_BV = logits_BV.sort(dim=-1, descending=True, stable=True)
            chances_BV = falling_BV.softmax(-1)
            out_BV = chances_BV.cumsum(-1) - chances_BV >= self.top_p  # those before it have the share without it
            logits_BV = logits_BV.masked_fill(out_BV.gather(-1, order_BV.argsort(-1)), -torch.inf)
        return logits_BV


def check_draws(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Raises InputError for what is no temperature, number of tokens or share."""
    check_rate("temperature", temperature)
    if top_k is not None and top_k < 1:
        raise InputError("top_k", "must be at least 1", value=top_k)
    if top_p is not None and not 0 < top_p <= 1:
        raise InputError("top_p", "must lie above 0 and not above 1", value=top_p)
