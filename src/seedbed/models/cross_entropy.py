"""Cross-entropy of a linear output layer, without ever holding all logits.

Rows are taken in chunks; each chunk's logits, loss and gradients are computed in one go in the forward pass, and the
backward only scales what is there (the idea of Liger Kernel's fused linear cross-entropy, Hsu et al., 2024, written
with plain products for any device). Products run in the type of the hidden states, log-sum-exp and sums in float32
(or float64 for float64). The gradient of the loss's sum with respect to each logit is softmax minus one-hot.

Shapes: T targets, D width, V vocabulary, C rows of a chunk.
"""

from __future__ import annotations

from typing import Any

import torch

Tensor = torch.Tensor

_CHUNK_VALUES = 1 << 24  # logits held at a time


def linear_cross_entropy(
    hidden_TD: Tensor, weight_VD: Tensor, bias_V: Tensor | None, targets_T: Tensor, factors_T: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The sum of the targets' losses in nats (a float32 scalar with gradient), each times its factor where there are
    such, and how many were predicted right.

    Under autocast float32 hidden states are cast to its type. A logit that ties with the target's counts as right
    only if its id is the larger one, as in argmax.
    """
    kind = hidden_TD.device.type
    if torch.is_autocast_enabled(kind) and hidden_TD.dtype == torch.float32:
        hidden_TD = hidden_TD.to(torch.get_autocast_dtype(kind))
    with torch.autocast(kind, enabled=False):
        loss, correct = _LinearCrossEntropy.apply(hidden_TD, weight_VD, bias_V, targets_T, factors_T)
    return loss, correct


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, factors: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        exact = torch.float64 if hidden.dtype == torch.float64 else torch.float32
        matrix = weight.to(hidden.dtype)
        column = None if bias is None else bias.to(hidden.dtype)
        wanted = any(ctx.needs_input_grad[:3])
        loss = torch.zeros((), dtype=exact, device=hidden.device)
        correct = torch.zeros((), dtype=torch.int64, device=hidden.device)
        sums = _Gradients(hidden, weight, bias) if wanted else None
        size = max(1, _CHUNK_VALUES // weight.shape[0])
        for start in range(0, hidden.shape[0], size):
            rows, wish = hidden[start : start + size], targets[start : start + size]
            logits = torch.nn.functional.linear(rows, matrix, column)
            correct += _count_correct(logits, wish)
            log_probabilities = torch.log_softmax(logits, -1, dtype=exact)
            factor = None if factors is None else factors[start : start + size, None].to(exact)
            log_chances = log_probabilities.gather(1, wish[:, None])
            loss -= (log_chances if factor is None else log_chances * factor).sum()
            if sums is not None:
                grad = log_probabilities.exp_()
                grad.scatter_add_(1, wish[:, None], grad.new_full((len(wish), 1), -1.0))
                grad = grad if factor is None else grad.mul_(factor)
                sums.add(start, rows, matrix, grad.to(hidden.dtype))
        ctx.mark_non_differentiable(correct)
        if sums is not None:
            ctx.save_for_backward(*sums.tensors())
        return loss, correct

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        scale = grads[0]
        if bool(scale == 1):
            return grad_hidden, grad_weight, grad_bias, None, None
        bias = None if grad_bias is None else grad_bias * scale.to(grad_bias.dtype)
        return grad_hidden * scale.to(grad_hidden.dtype), grad_weight * scale.to(grad_weight.dtype), bias, None, None


class _Gradients:
    """Gradients of the loss's sum; those of the weights add up over chunks in the weights' own type."""

    def __init__(self, hidden: Tensor, weight: Tensor, bias: Tensor | None) -> None:
        self.hidden = torch.empty_like(hidden)
        self.weight: Tensor | None = None
        self.like = weight
        self.bias = None if bias is None else torch.zeros_like(bias)

    def add(self, start: int, rows: Tensor, matrix: Tensor, grad_logits: Tensor) -> None:
        torch.mm(grad_logits, matrix, out=self.hidden[start : start + len(rows)])
        part = (grad_logits.t() @ rows).to(self.like.dtype)
        self.weight = part if self.weight is None else self.weight.add_(part)
        if self.bias is not None:
            self.bias += (grad_logits.new_ones(1, len(rows)) @ grad_logits).view(-1).to(self.bias.dtype)

    def tensors(self) -> tuple[Tensor, Tensor, Tensor | None]:
        weight = torch.zeros_like(self.like) if self.weight is None else self.weight
        return self.hidden, weight, self.bias


def _count_correct(logits_CV: Tensor, targets_C: Tensor) -> Tensor:
    """Rows whose first largest logit is the target's. The search for the place of a maximum is slow, that for its
    value is fast: so places are sought only in rows where the target's value is the largest."""
    largest = logits_CV.amax(-1)
    candidates = (logits_CV.gather(1, targets_C[:, None]).squeeze(1) == largest).nonzero().squeeze(1)
    if candidates.numel() == 0:
        return torch.zeros((), dtype=torch.int64, device=logits_CV.device)
    places = logits_CV[candidates].max(-1).indices
    return (places == targets_C[candidates]).sum()
