"""What networks make of rows of tokens: scores of targets.

Shapes: B rows, L tokens, T targets, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.models.encoding import batches, pad

if TYPE_CHECKING:
    import torch

    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary

MAX_TOKENS = 8192  # in one batch
MAX_LOGITS = 1 << 24  # numbers in one block of logits


def settled(network: Any) -> Any:
    """The network with a fixed attention kernel: one that a stopwatch chooses may round otherwise the next time."""
    if hasattr(network, "use_kernel"):
        network.use_kernel("products" if next(network.parameters()).device.type == "cpu" else "sdpa")
    return network


def score_targets(
    network: Network,
    rows: Sequence[list[int]],
    columns: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
    pad_id: int,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the network makes of `targets[n]` at the columns `columns[n]` of row n: their nats (float64), and the
    most likely tokens there. In float32; rows are batched by length, which changes nothing but rounding."""
    import torch

    nats = [np.zeros(len(part)) for part in targets]
    best = [np.zeros(len(part), dtype=np.int64) for part in targets]
    block = max(1, MAX_LOGITS // network.vocabulary_size)
    with torch.no_grad():
        for chosen, hidden_TD in states_at(network, rows, columns, pad_id):
            wanted_T = torch.from_numpy(np.concatenate([targets[index] for index in chosen])).to(hidden_TD.device)
            nats_T, best_T = _score(network, hidden_TD, wanted_T, block)
            ends = np.cumsum([len(targets[index]) for index in chosen])[:-1]
            for index, part, said in zip(chosen, np.split(nats_T, ends), np.split(best_T, ends), strict=True):
                nats[index], best[index] = part, said
    return nats, best


def states_at(
    network: Network, rows: Sequence[list[int]], columns: Sequence[np.ndarray], pad_id: int
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Some rows' numbers and the last states (T, D) at their columns, row after row, until all rows were read."""
    import torch

    device = next(network.parameters()).device  # type: ignore[attr-defined]
    for chosen in batches([len(row) for row in rows], MAX_TOKENS):
        tokens_BL, segments_BL = pad([rows[index] for index in chosen], pad_id, device)
        hidden_XD = network.hidden(tokens_BL, segments_BL).flatten(0, 1)
        length = tokens_BL.shape[1]
        where_T = np.concatenate([columns[index] + line * length for line, index in enumerate(chosen)])
        yield chosen, hidden_XD[torch.from_numpy(where_T).to(device)]


def _score(
    network: Network, hidden_TD: torch.Tensor, wanted_T: torch.Tensor, block: int
) -> tuple[np.ndarray, np.ndarray]:
    import torch

    nats, best = [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(wanted_T), block):
        logits_TV = network.logits(hidden_TD[start : start + block]).float()
        losses_T = torch.nn.functional.cross_entropy(logits_TV, wanted_T[start : start + block], reduction="none")
        nats.append(losses_T.double().cpu().numpy())
        best.append(logits_TV.argmax(-1).cpu().numpy())
    return np.concatenate(nats), np.concatenate(best)


def pad_id(vocabulary: Vocabulary) -> int:
    """The padding token's id; any will do for a vocabulary without one, since padding is masked."""
    return vocabulary.pad if vocabulary.pad is not None else 0
