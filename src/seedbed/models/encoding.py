"""Texts as rows of tokens with labeled spans, and batches of them with little padding.

All that a network is asked about here is a span of one row: a whole text, a sentence, a word's first sub-token.
Shapes: B rows, L tokens a row, S spans, D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    import torch

    from seedbed.vocabulary.artifact import Tokenizer

Span = tuple[int, int]


@dataclass
class Row:
    """One row for the network. `spans_S2` are [start, end) columns, `items_S` what each is in the task's list."""

    ids: list[int]
    spans_S2: np.ndarray
    items_S: np.ndarray


@dataclass
class Coder:
    """A model's tokenizer, without truncation and padding, and what it puts around a text."""

    tokenizer: Any  # tokenizers.Tokenizer
    prefix: list[int]
    suffix: list[int]
    max_length: int
    truncated: int = field(default=0)  # tokens that did not fit, over all calls of `text_rows`

    @classmethod
    def of(cls, artifact: Tokenizer, max_length: int) -> Coder:
        tokenizer = artifact.load()
        tokenizer.no_truncation()
        tokenizer.no_padding()
        bare = tokenizer.encode("a", add_special_tokens=False).ids
        whole = tokenizer.encode("a").ids
        start = next((i for i in range(len(whole) - len(bare) + 1) if whole[i : i + len(bare)] == bare), 0)
        coder = cls(tokenizer, whole[:start], whole[start + len(bare) :], max_length)
        if coder.room < 1:
            raise InputError("max_length", "leaves no room for text", value=max_length)
        return coder

    @property
    def room(self) -> int:
        """Tokens of text that fit into a row."""
        return self.max_length - len(self.prefix) - len(self.suffix)

    def encode(self, texts: Sequence[str]) -> list[Any]:
        """`tokenizers.Encoding`s without special tokens."""
        return list(self.tokenizer.encode_batch(list(texts), add_special_tokens=False))

    def wrap(self, ids: list[int]) -> list[int]:
        return [*self.prefix, *ids, *self.suffix]

    def text_rows(self, texts: Sequence[str], pooling: str = "mean") -> list[Row]:
        """One row a text, cut at the end where it is too long (counted in `truncated`); its span are all tokens
        (mean), or the first or the last, as `pooling` says."""
        rows = []
        for index, encoding in enumerate(self.encode(texts)):
            self.truncated += max(0, len(encoding.ids) - self.room)
            rows.append(self.whole_row(encoding.ids[: self.room], index, pooling, texts[index]))
        return rows

    def whole_row(self, ids: list[int], item: int, pooling: str, text: str) -> Row:
        """A row that is one item, and what the tokenizer puts around it; its span is what `pooling` says."""
        ids = self.wrap(ids)
        spans = {"mean": (0, len(ids)), "first": (0, 1), "last": (len(ids) - 1, len(ids))}
        if not ids:
            raise InputError("text", "holds no token of the model's vocabulary", value=text)
        return Row(ids, np.array([spans[pooling]]), np.array([item]))

    def word_rows(self, texts: Sequence[str], words: Sequence[Sequence[Span]], *, last: bool = False) -> list[Row]:
        """Rows in which each word's first (or last) sub-token is a span; `words` are [start, end) characters.

        A text that is too long becomes several rows, cut without overlap. Items number the words through all
        texts; a word that the tokenizer leaves nothing of has no span.
        """
        rows, before = [], 0
        for encoding, places in zip(self.encode(texts), words, strict=True):
            tokens_W = _sub_tokens(encoding.offsets, places, last=last)
            for start in range(0, len(encoding.ids), self.room):
                inside = np.flatnonzero((tokens_W >= start) & (tokens_W < start + self.room))
                if len(inside):
                    columns = tokens_W[inside] - start + len(self.prefix)
                    ids = self.wrap(encoding.ids[start : start + self.room])
                    rows.append(Row(ids, np.stack([columns, columns + 1], 1), inside + before))
            before += len(places)
        return rows


def _sub_tokens(offsets: Sequence[Span], words: Sequence[Span], *, last: bool) -> np.ndarray:
    """The first (or last) token that overlaps each word, -1 for none. Both are sorted by place (one pass)."""
    found_W = np.full(len(words), -1)
    token = 0
    for index, (start, end) in enumerate(words):
        while token < len(offsets) and offsets[token][1] <= start:
            token += 1
        stop = token
        while stop < len(offsets) and offsets[stop][0] < end:
            if offsets[stop][1] > max(start, offsets[stop][0]):  # not an empty piece
                found_W[index] = stop
                if not last:
                    break
            stop += 1
    return found_W


def batches(lengths: Sequence[int], max_tokens: int) -> Iterator[np.ndarray]:
    """Indices in groups of at most `max_tokens` tokens with padding, in which no row is shorter than three quarters of
    the longest; longest first, so that what does not fit into memory fails at once."""
    order = np.lexsort((np.arange(len(lengths)), -np.asarray(lengths)))
    falling = -np.asarray(lengths)[order]
    start = 0
    while start < len(order):
        longest = -falling[start]
        stop = int(np.searchsorted(falling, -0.75 * longest, side="right"))
        stop = min(stop, start + max(1, max_tokens // max(1, longest)))
        yield order[start:stop]
        start = stop


def pad(rows: Sequence[list[int]], pad_id: int, device: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Tokens (B, L), and segments (B, L) with -1 at padding, or None if nothing is padded."""
    import torch

    length = max(map(len, rows))
    tokens_BL = np.full((len(rows), length), pad_id, dtype=np.int64)
    segments_BL = np.full((len(rows), length), -1, dtype=np.int64)
    for index, ids in enumerate(rows):
        tokens_BL[index, : len(ids)] = ids
        segments_BL[index, : len(ids)] = 0
    segments = None if (segments_BL == 0).all() else torch.from_numpy(segments_BL).to(device)
    return torch.from_numpy(tokens_BL).to(device), segments


def pool(hidden_BLD: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """The mean hidden state of every span of the rows, row by row (S, D)."""
    import torch

    length = hidden_BLD.shape[1]
    spans_S2 = np.concatenate([row.spans_S2 + index * length for index, row in enumerate(rows)])
    sizes_S = spans_S2[:, 1] - spans_S2[:, 0]
    if (sizes_S == 1).all():
        where = torch.from_numpy(spans_S2[:, 0].copy()).to(hidden_BLD.device)
        return hidden_BLD.flatten(0, 1)[where]
    span_P = np.repeat(np.arange(len(sizes_S)), sizes_S)  # P places in all spans
    offset_P = np.arange(len(span_P)) - np.repeat(np.cumsum(sizes_S) - sizes_S, sizes_S)
    where_P = torch.from_numpy(spans_S2[span_P, 0] + offset_P).to(hidden_BLD.device)
    sums_SD = hidden_BLD.new_zeros(len(sizes_S), hidden_BLD.shape[2])
    sums_SD = sums_SD.index_add(0, torch.from_numpy(span_P).to(hidden_BLD.device), hidden_BLD.flatten(0, 1)[where_P])
    return sums_SD / torch.from_numpy(sizes_S).to(hidden_BLD.device, hidden_BLD.dtype)[:, None]
