"""Multinomial logistic regression: the classifier of probes and of bag-of-words baselines. Deterministic.

Minimizes mean cross-entropy + penalty / (2 N) * |W|^2 (the bias is free) by full-batch L-BFGS, as scikit-learn's
`LogisticRegression(C=1 / penalty)` does. Shapes: N examples, F features, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from .bag_of_words import Sparse


@dataclass
class Linear:
    """A fitted classifier: scores are x @ weights + bias."""

    weights_FC: torch.Tensor
    bias_C: torch.Tensor

    def scores(self, x: np.ndarray | Sparse) -> np.ndarray:
        """Logits (N, C)."""
        return np.asarray((_product(_tensor(x), self.weights_FC) + self.bias_C).numpy())


def fit(
    x: np.ndarray | Sparse, labels_N: np.ndarray, num_classes: int, *, penalty: float = 1.0, max_steps: int = 200
) -> Linear:
    """Fit by L-BFGS in float64 (float32 for sparse features, which are many)."""
    import torch
    import torch.nn.functional as F

    features = _tensor(x)
    targets_N = torch.from_numpy(np.asarray(labels_N, dtype=np.int64))
    weights_FC = torch.zeros(features.shape[1], num_classes, dtype=features.dtype, requires_grad=True)
    bias_C = torch.zeros(num_classes, dtype=features.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weights_FC, bias_C], max_iter=max_steps, history_size=10, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(_product(features, weights_FC) + bias_C, targets_N)
        loss = loss + penalty / (2 * len(targets_N)) * weights_FC.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return Linear(weights_FC.detach(), bias_C.detach())


def standardize(train_NF: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """All features shifted and scaled to mean 0 and deviation 1 over the training part, in float64."""
    mean_F, scale_F = train_NF.mean(0, dtype=np.float64), train_NF.std(0, dtype=np.float64)
    scale_F[scale_F < 1e-8] = 1.0
    return [(part - mean_F) / scale_F for part in (train_NF, *others)]


def _tensor(x: np.ndarray | Sparse) -> torch.Tensor:
    import torch

    if isinstance(x, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64))
    rows = np.repeat(np.arange(len(x.starts) - 1), np.diff(x.starts))
    places = torch.from_numpy(np.stack([rows, x.columns]))
    values = torch.from_numpy(x.values.astype(np.float32))
    return torch.sparse_coo_tensor(places, values, (len(x.starts) - 1, x.width), check_invariants=False).coalesce()


def _product(features: Any, weights_FC: torch.Tensor) -> torch.Tensor:
    import torch

    product: torch.Tensor = torch.sparse.mm(features, weights_FC) if features.is_sparse else features @ weights_FC
    return product
