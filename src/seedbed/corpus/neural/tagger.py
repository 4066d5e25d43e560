"""The network: bags of hashed words and marks and some numbers make a vector of each segment; a small transformer over
the segments of a document puts each into its context; one logit for each label and segment, and for the document.

Xu et al. (2024, NeuScraper; sizes as in their code) encode the first 50 tokens of a text node by one layer of XLM-R,
and the sequence of nodes by three layers of BERT with sinusoidal positions, 384 nodes at a time. Here the text's
encoder is a bag of hashed words, since some hundred documents cannot train more; marks and numbers say what else is
known.

Shapes: B documents, S segments, T = all segments of the batch, D width, K labels; W words, M marks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seedbed.core.counters import generator
from seedbed.core.files import read_json, storage_errors, write_json

from .segments import MARK_BUCKETS, WORD_BUCKETS, Segments

CHUNK = 384  # segments that see each other
WEIGHTS, SIZES = "tagger.safetensors", "tagger.json"


@dataclass(frozen=True)
class Sizes:
    """Of a tagger: numbers of a segment, labels of a segment and of a document, and the network's own."""

    numbers: int
    labels: int
    document_labels: int = 0
    width: int = 64
    layers: int = 2
    heads: int = 4


@dataclass(frozen=True)
class Batch:
    """Documents side by side: where each segment of all of them stands in the padded (B, S)."""

    words_W: Tensor
    word_weights_W: Tensor  # one over the number of the segment's words, 0 for those left out
    word_starts_T: Tensor
    marks_M: Tensor
    mark_weights_M: Tensor
    mark_starts_T: Tensor
    numbers_TF: Tensor
    is_real_BS: Tensor


def batch_of(documents: Sequence[Segments], kept: Sequence[tuple[np.ndarray, np.ndarray]] | None = None) -> Batch:
    """A batch; `kept` says for each document which of its words and marks count (dropout)."""
    word_counts_T = np.concatenate([one.word_counts_N for one in documents])
    mark_counts_T = np.concatenate([one.mark_counts_N for one in documents])
    lengths_B = np.array([len(one) for one in documents])
    is_real_BS = np.arange(lengths_B.max())[None, :] < lengths_B[:, None]
    words = None if kept is None else np.concatenate([one for one, _ in kept])
    marks = None if kept is None else np.concatenate([one for _, one in kept])
    return Batch(
        torch.from_numpy(np.concatenate([one.words_W for one in documents])),
        torch.from_numpy(_weights(word_counts_T, words)),
        torch.from_numpy(np.cumsum(word_counts_T) - word_counts_T),
        torch.from_numpy(np.concatenate([one.marks_M for one in documents])),
        torch.from_numpy(_weights(mark_counts_T, marks)),
        torch.from_numpy(np.cumsum(mark_counts_T) - mark_counts_T),
        torch.from_numpy(np.concatenate([one.numbers_NF for one in documents])),
        torch.from_numpy(is_real_BS),
    )


def _weights(counts_T: np.ndarray, kept: np.ndarray | None) -> np.ndarray:
    """For a mean over what is kept of each segment's."""
    weights = np.ones(counts_T.sum(), np.float32) if kept is None else kept.astype(np.float32)
    owners = np.repeat(np.arange(len(counts_T)), counts_T)
    totals_T = np.bincount(owners, weights, minlength=len(counts_T))
    return (weights / np.maximum(totals_T, 1)[owners]).astype(np.float32)


class Tagger(nn.Module):
    """Logits (B, S, K) of segments, and (B, K) of documents from the mean over their segments."""

    def __init__(self, sizes: Sizes, seed: int = 0) -> None:
        super().__init__()
        self.sizes = sizes
        width = sizes.width
        self.words = nn.EmbeddingBag(WORD_BUCKETS, width, mode="sum", include_last_offset=False)
        self.marks = nn.EmbeddingBag(MARK_BUCKETS, width, mode="sum", include_last_offset=False)
        self.numbers = nn.Linear(sizes.numbers, width)
        self.join = nn.Linear(width, width)
        self.blocks = nn.ModuleList(_Block(width, sizes.heads) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(width)
        self.segment = nn.Linear(width, sizes.labels)
        self.document = nn.Linear(width, sizes.document_labels) if sizes.document_labels else None
        self._initialize(seed)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        x_TD = self.words(batch.words_W, batch.word_starts_T, per_sample_weights=batch.word_weights_W)
        x_TD = x_TD + self.marks(batch.marks_M, batch.mark_starts_T, per_sample_weights=batch.mark_weights_M)
        x_TD = self.join(F.gelu(x_TD + self.numbers(batch.numbers_TF)))
        is_real_BS = batch.is_real_BS
        x_BSD = x_TD.new_zeros(*is_real_BS.shape, x_TD.shape[1])
        x_BSD[is_real_BS] = x_TD
        x_BSD = x_BSD + _positions(is_real_BS.shape[1], x_TD.shape[1])
        for block in self.blocks:
            x_BSD = block(x_BSD, is_real_BS)
        x_BSD = self.norm(x_BSD)
        mean_BD = (x_BSD * is_real_BS[:, :, None]).sum(1) / is_real_BS.sum(1, keepdim=True)
        document_BK = x_BSD.new_zeros(len(x_BSD), 0) if self.document is None else self.document(mean_BD)
        return self.segment(x_BSD), document_BK

    def tag(self, segments: Segments) -> tuple[np.ndarray, np.ndarray]:
        """The probabilities (N, K) of one document's segments, CHUNK at a time, and (K,) of the document from the
        first of these chunks. They depend on this document alone, to the last bit.
        """
        with torch.inference_mode():
            found = [self(batch_of([part])) for part in segments.parts(CHUNK)]
            if not found:
                return np.zeros((0, self.sizes.labels)), np.zeros(self.sizes.document_labels)
            labels_NK = torch.cat([labels_1SK[0] for labels_1SK, _ in found]).sigmoid()
            return labels_NK.numpy(), found[0][1][0].sigmoid().numpy()

    def write(self, folder: Path) -> None:
        from safetensors.torch import save_file

        with storage_errors(folder):
            save_file(dict(self.state_dict()), folder / WEIGHTS)
            write_json(folder / SIZES, asdict(self.sizes))

    @classmethod
    def read(cls, folder: Path) -> Tagger:
        from safetensors.torch import load_file

        tagger = cls(Sizes(**read_json(folder / SIZES)))
        tagger.load_state_dict(load_file(folder / WEIGHTS))
        return tagger.eval()

    def _initialize(self, seed: int) -> None:
        """Normal weights, their deviation one over the root of the inputs; biases 0; what is added begins small."""
        for name, weights in self.named_parameters():
            if weights.dim() == 1:
                continue  # as torch made them: norms' weights 1
            scale = 0.1 if "words" in name or "marks" in name else weights.shape[1] ** -0.5
            if name.endswith(("out.weight", "down.weight")):
                scale *= 0.5
            values = generator(seed, "tagger", name).standard_normal(tuple(weights.shape), np.float32)
            weights.data = torch.from_numpy(values * np.float32(scale))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)


class _Block(nn.Module):
    """A pre-norm transformer layer over segments; padding is not attended to."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x_BSD: Tensor, is_real_BS: Tensor) -> Tensor:
        B, S, D = x_BSD.shape
        q, k, v = self.qkv(self.norm1(x_BSD)).view(B, S, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        mask: Any = None if bool(is_real_BS.all()) else is_real_BS[:, None, None, :]
        mixed_BSD = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(B, S, D)
        x_BSD = x_BSD + self.out(mixed_BSD)
        x_BSD = x_BSD + self.down(F.gelu(self.up(self.norm2(x_BSD))))
        return x_BSD


def _positions(length: int, width: int) -> Tensor:
    """Sinusoids (Vaswani et al., 2017, section 3.5), at a quarter of their amplitude."""
    angles_SD = torch.arange(length)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    return 0.25 * torch.stack([angles_SD.sin(), angles_SD.cos()], dim=2).reshape(length, width)
