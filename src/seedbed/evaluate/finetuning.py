"""Training for tasks: a linear classifier on spans, the network with it or frozen; and pairs of texts (dual encoder).

The recipe is the usual one (Devlin et al., 2019; Mosbach et al., 2021): AdamW with bias correction, a warm-up over
a tenth of the steps, linear decay to zero, gradient norm 1. Not the pretraining loop: a task trains for seconds,
needs no checkpoint, and labels are no part of a token stream. The default rate, 5e-4, is for networks of some million
parameters; those of a hundred million want 5e-5.
Shapes: B rows, L tokens a row, S spans, D width, C classes, N examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.counters import generator, key
from seedbed.core.errors import InputError
from seedbed.models.encoding import Row, batches, pad, pool

from .networks import precision

if TYPE_CHECKING:
    import torch

    from seedbed.models.network import Network

MAX_TOKENS = 8192  # in one batch that is only read
TEMPERATURE = 0.05


@dataclass(frozen=True)
class Training:
    """How a task trains."""

    epochs: float = 3.0
    batch_size: int = 32
    lr: float = 5e-4
    weight_decay: float = 0.01
    warmup: float = 0.1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "lr"):
            if getattr(self, name) <= 0:
                raise InputError(name, "must be positive", value=getattr(self, name))

    def factor(self, step: int, steps: int) -> float:
        """What multiplies the learning rate in a step (from 0)."""
        warm = max(1, round(self.warmup * steps))
        return min((step + 1) / warm, (steps - step) / max(1, steps - warm + 1), 1.0)


@dataclass
class Classifier:
    """A network with a linear layer on its spans' hidden states."""

    network: Any  # Network and torch.nn.Module
    weight_CD: torch.Tensor
    bias_C: torch.Tensor
    pad: int

    def logits(self, rows: Sequence[Row]) -> torch.Tensor:
        states_SD = span_states(self.network, rows, self.pad)
        return states_SD @ self.weight_CD.T + self.bias_C

    def predict(self, rows: Sequence[Row], num_items: int) -> np.ndarray:
        """Logits (num_items, C) on the CPU; NaN for items without a span."""
        import torch

        found = np.full((num_items, len(self.bias_C)), np.nan, dtype=np.float32)
        self.network.eval()
        with torch.no_grad():
            for chosen in batches([len(row.ids) for row in rows], MAX_TOKENS):
                group = [rows[index] for index in chosen]
                found[np.concatenate([row.items_S for row in group])] = self.logits(group).cpu().numpy()
        return found


def span_states(network: Any, rows: Sequence[Row], pad_id: int) -> torch.Tensor:
    """The rows' spans' mean hidden states (S, D)."""
    device = next(network.parameters()).device
    tokens_BL, segments_BL = pad([row.ids for row in rows], pad_id, device)
    return pool(network.hidden(tokens_BL, segments_BL).float(), rows)


def features(network: Network, rows: Sequence[Row], num_items: int, pad_id: int) -> np.ndarray:
    """Frozen hidden states of all items (num_items, D) in float32; zeros for items without a span."""
    import torch

    found = np.zeros((num_items, network.width), dtype=np.float32)
    with torch.no_grad():
        for chosen in batches([len(row.ids) for row in rows], MAX_TOKENS):
            group = [rows[index] for index in chosen]
            states_SD = span_states(network, group, pad_id).float().cpu().numpy()
            found[np.concatenate([row.items_S for row in group])] = states_SD
    return found


def finetune(
    network: Network,
    rows: Sequence[Row],
    labels: np.ndarray,
    num_classes: int,
    *,
    training: Training,
    seed: int,
    pad: int,
    read: Callable[[Classifier, Sequence[Row]], torch.Tensor] | None = None,
) -> Classifier:
    """Train the whole network and a new linear layer on labeled spans; `labels` by item. `read` gives the logits of a
    batch's spans and is called once a step; without it they are the classifier's."""
    import torch
    import torch.nn.functional as F

    device = next(network.parameters()).device  # type: ignore[attr-defined]
    random = torch.Generator().manual_seed(key(seed, "head") % 2**63)
    weight_CD = (torch.randn(num_classes, network.width, generator=random) * 0.02).to(device).requires_grad_()
    bias_C = torch.zeros(num_classes, device=device, requires_grad=True)
    classifier = Classifier(network, weight_CD, bias_C, pad)

    def loss(chosen: np.ndarray) -> torch.Tensor:
        group = [rows[index] for index in chosen]
        targets_S = torch.from_numpy(labels[np.concatenate([row.items_S for row in group])]).to(device)
        return F.cross_entropy((read or Classifier.logits)(classifier, group), targets_S)

    lengths = np.array([len(row.ids) for row in rows])
    train(network, [weight_CD, bias_C], loss, lengths, training=training, seed=seed)
    return classifier


def finetune_pairs(
    network: Network, first: Sequence[Row], second: Sequence[Row], *, training: Training, seed: int, pad: int
) -> None:
    """Train a network so that first[n] is nearest to second[n] among its batch's others, in both directions
    (InfoNCE with cosine similarity; van den Oord et al., 2018; Gao et al., 2021, for the temperature 0.05)."""
    import torch
    import torch.nn.functional as F

    def loss(chosen: np.ndarray) -> torch.Tensor:
        sides = [
            F.normalize(span_states(network, [side[index] for index in chosen], pad).float(), dim=-1)
            for side in (first, second)
        ]
        scores_BB = sides[0] @ sides[1].T / TEMPERATURE
        targets_B = torch.arange(len(chosen), device=scores_BB.device)
        return (F.cross_entropy(scores_BB, targets_B) + F.cross_entropy(scores_BB.T, targets_B)) / 2

    lengths = np.array([len(row.ids) for row in second])
    train(network, [], loss, lengths, training=training, seed=seed)


def train(
    network: Any,
    extra: list[torch.Tensor],
    loss: Callable[[np.ndarray], torch.Tensor],
    lengths: np.ndarray,
    *,
    training: Training,
    seed: int,
) -> None:
    """Minimize `loss(indices of a batch's rows)` in place; the order of rows is a function of the seed."""
    import torch

    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad] + extra
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=training.lr, betas=(0.9, 0.98), fused=True)
    per_epoch = -(-len(lengths) // training.batch_size)
    steps = max(1, round(per_epoch * training.epochs))
    device = next(network.parameters()).device
    arithmetic = precision(device)
    network.train()
    for step in range(steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0:
            order = epoch_batches(lengths, training.batch_size, seed, epoch)
        for group in optimizer.param_groups:
            group["lr"] = training.lr * training.factor(step, steps)
        with arithmetic.applied(), arithmetic.autocast(device):
            value = loss(order[place])
        if not torch.isfinite(value):
            raise InputError("lr", f"the loss of step {step} is not finite", value=training.lr, fix="a smaller lr")
        optimizer.zero_grad(set_to_none=True)
        with arithmetic.applied():
            value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    network.eval()


def epoch_batches(lengths: np.ndarray, size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """One epoch's rows in batches of `size`: shuffled, sorted by length within stretches of 50 batches (which
    leaves little padding and keeps the order random), the batches shuffled again."""
    random = generator(seed, "epoch", epoch)
    order = random.permutation(len(lengths))
    found = []
    for start in range(0, len(order), 50 * size):
        stretch = order[start : start + 50 * size]
        stretch = stretch[np.argsort(lengths[stretch], kind="stable")]
        found += [stretch[place : place + size] for place in range(0, len(stretch), size)]
    return [found[index] for index in random.permutation(len(found))]
