"""Points and values as a network of tokens reads them, and its answer.

A vector stands where a token's embedding would: a point is the sum of the embeddings of tokens 0 to D - 1, times its
coordinates, and of token D + 1; a value is the embedding of token D, times the value, and that of token D + 2. What the
network says of the next value is its logit of token D. So nothing has to be put beside the network, and what is saved
with it is all that was learned.

Shapes: B sequences, N points, D dimension, L = 2 N places, T predictions, E width of the network, F = D + 3 features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def features(x_BND: np.ndarray, y_BN: np.ndarray) -> np.ndarray:
    """Points and values in turn (B, L, F), in float32."""
    rows, points, dimension = x_BND.shape
    found_BLF = np.zeros((rows, 2 * points, dimension + 3), np.float32)
    found_BLF[:, ::2, :dimension] = x_BND
    found_BLF[:, 1::2, dimension] = y_BN
    found_BLF[:, ::2, dimension + 1] = 1.0
    found_BLF[:, 1::2, dimension + 2] = 1.0
    return found_BLF


def answers(
    network: Any,
    features_BLF: torch.Tensor,
    segments_BL: torch.Tensor | None,
    positions_BL: torch.Tensor | None,
    where_T: torch.Tensor,
) -> torch.Tensor:
    """What the network says at flat positions (T), in float32."""
    import torch

    size = features_BLF.shape[-1]
    with torch.autocast(features_BLF.device.type, enabled=False):
        table_FE = network.embedding(torch.arange(size, device=features_BLF.device))
        embedded_BLE = features_BLF @ table_FE.to(features_BLF.dtype)
    hidden_BLE = network.read(embedded_BLE, segments_BL, positions_BL)
    hidden_TE = network.head(hidden_BLE.flatten(0, 1).index_select(0, where_T)).float()
    weight_VE, bias_V = network.output()
    with torch.autocast(features_BLF.device.type, enabled=False):
        found_T: torch.Tensor = hidden_TE @ weight_VE[size - 3].float()
        return found_T if bias_V is None else found_T + bias_V[size - 3].float()
