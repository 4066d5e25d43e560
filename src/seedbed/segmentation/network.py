"""The network: a vector for each unit, and a few layers of attention that look a limited number of units ahead.

Each layer sees `behind` units before a unit and lookahead / layers after it, with a learned bias for each distance, so
that what is said of a unit depends on `layers * behind` units before it and `lookahead` after it, and on nothing else.

Shapes: B rows, L units a row, N units of a text, F features, D width, H heads, R distances, K outputs: that a sentence
ends here, and which mark follows (0 is none).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seedbed.core.counters import generator
from seedbed.core.files import read_json, storage_errors, write_json
from seedbed.segmentation.units import BUCKETS, MARKS, Units

WEIGHTS, SIZES = "segmenter.safetensors", "segmenter.json"
_FAR = -1e4  # of what is not seen; finite, so that a row of padding has a softmax
_STRIDE = 1024  # units that are judged at a time


@dataclass(frozen=True)
class Sizes:
    """Of a network."""

    width: int = 64
    layers: int = 3
    heads: int = 4
    behind: int = 32  # units that a layer sees before one
    lookahead: int = 48  # units after it, all layers together

    @property
    def ahead(self) -> int:
        return self.lookahead // self.layers


class SentenceEnds(nn.Module):
    """Logits (B, L, K)."""

    def __init__(self, sizes: Sizes, seed: int = 0) -> None:
        super().__init__()
        self.sizes = sizes
        self.features = nn.Embedding(BUCKETS, sizes.width)
        self.layers = nn.ModuleList(_Layer(sizes) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.width)
        self.head = nn.Linear(sizes.width, 2 + len(MARKS))
        for name, weights in self.named_parameters():
            if weights.dim() == 2:
                scale = {"features.weight": 0.1}.get(name, weights.shape[1] ** -0.5)
                values = generator(seed, "segmenter", name).standard_normal(tuple(weights.shape), np.float32)
                weights.data = torch.from_numpy(values * np.float32(0.0 if name.endswith("bias_HR") else scale))
            elif name.endswith("bias"):
                nn.init.zeros_(weights)

    def forward(self, features_BLF: Tensor, is_real_BL: Tensor | None = None) -> Tensor:
        x_BLD = self.features(features_BLF).sum(2)
        distance_LL = torch.arange(x_BLD.shape[1])[None, :] - torch.arange(x_BLD.shape[1])[:, None]
        is_seen_LL = (distance_LL >= -self.sizes.behind) & (distance_LL <= self.sizes.ahead)
        place_LL = (distance_LL + self.sizes.behind).clamp(0, self.sizes.behind + self.sizes.ahead)
        hidden: Tensor = ~is_seen_LL[None, None]
        if is_real_BL is not None:
            hidden = hidden | ~is_real_BL[:, None, None, :]
        for layer in self.layers:
            x_BLD = layer(x_BLD, place_LL, hidden)
        logits: Tensor = self.head(self.norm(x_BLD))
        return logits

    @torch.inference_mode()
    def probabilities(self, units: Units) -> np.ndarray:
        """That a sentence ends after each unit, float32 (N,): so many units at a time as memory likes, each with all
        that it depends on around it."""
        reach, found = self.sizes.layers * self.sizes.behind, []
        for start in range(0, len(units), _STRIDE):
            first, end = max(0, start - reach), min(len(units), start + _STRIDE)
            part = units.part(first, end + self.sizes.lookahead)
            logits_LK = self(torch.from_numpy(part.features_NF)[None])[0]
            found.append(logits_LK[start - first : end - first, 0].sigmoid().numpy())
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def write(self, folder: Path, **others: float) -> None:
        """The weights, the sizes, and other numbers beside them."""
        from safetensors.torch import save_file

        with storage_errors(folder):
            save_file(dict(self.state_dict()), folder / WEIGHTS)
            write_json(folder / SIZES, {"sizes": asdict(self.sizes), **others})

    @classmethod
    def read(cls, folder: Path) -> SentenceEnds:
        from safetensors.torch import load_file

        network = cls(Sizes(**read_json(folder / SIZES)["sizes"]))
        network.load_state_dict(load_file(folder / WEIGHTS))
        return network.eval()


class _Layer(nn.Module):
    """Pre-norm attention within the window, and a feedforward."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width, self.heads = sizes.width, sizes.heads
        self.bias_HR = nn.Parameter(torch.zeros(sizes.heads, sizes.behind + sizes.ahead + 1))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x_BLD: Tensor, place_LL: Tensor, hidden: Tensor) -> Tensor:
        B, L, D = x_BLD.shape
        q, k, v = self.qkv(self.norm1(x_BLD)).view(B, L, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        mask = self.bias_HR[:, place_LL][None].masked_fill(hidden, _FAR)
        mixed_BLD = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(B, L, D)
        x_BLD = x_BLD + self.out(mixed_BLD)
        return x_BLD + self.down(F.gelu(self.up(self.norm2(x_BLD))))
