"""What a network thinks comes next behind rows of tokens: by a pass over what is new, or over all.

Shapes: B rows, L tokens a row, M of a decoder, D width, V vocabulary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from seedbed.models.encoding import pad
from seedbed.models.flops import decoder_flops, memory_flops
from seedbed.models.kept import Kept
from seedbed.models.network import Ranks

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Tensor = torch.Tensor
Rows = Sequence[list[int]]


class Reader:
    """Base: asked for the logits behind rows that grow, all of those that are still written in the same order."""

    def logits(self, rows: Rows) -> Tensor:
        """Of the token behind each row (B, V)."""
        raise NotImplementedError

    def select(self, row_B: np.ndarray) -> None:
        """Only these of the rows go on."""


class Outputs(NamedTuple):
    """What a decoder of an encoder's states reads."""

    tokens_BM: Tensor
    segments_BM: Tensor | None
    positions_BM: None = None


class NetworkReader(Reader):
    """Reads by a network: a row, with what is put around it.

    before, behind: tokens around every row; behind may be a mask and what ends a text, and then it is the first of them
        that says what comes next (for encoders). room: the row's last so many tokens are what is seen of it.
    sources: for an encoder-decoder what its encoder reads for each row. It is read once.
    prefix: what is there of a row at first is seen whole, by a network with prefix attention.
    keep: tokens that were read are not read again, where the network allows that (`Architecture.goes_on`): keys and
        values of theirs are kept, and a pass is over one new token of every row. Elsewhere, with something behind the
        rows, or when a row's beginning moves out of its room, each token costs a pass over all that is there. Logits
        are the same but for rounding.

    `flops` are those of matrix products so far, without padding.
    """

    def __init__(
        self,
        network: Any,
        *,
        before: Sequence[int] = (),
        behind: Sequence[int] = (),
        room: int | None = None,
        sources: Rows | None = None,
        prefix: bool = False,
        keep: bool = True,
        pad: int = 0,
    ) -> None:
        self.network, self.pad, self.room, self.flops = network, pad, room, 0.0
        self.before, self.behind, self.prefix = [*before], [*behind], prefix
        self.device = next(network.parameters()).device
        self.architecture: Architecture | None = getattr(network, "architecture", None)
        self.keep = keep and not behind and self.architecture is not None and self.architecture.goes_on
        self.kept: Kept | None = None
        self.lengths_B = np.zeros(0, np.int64)  # of the rows as they were read last
        self.first_B: np.ndarray | None = None  # and at first
        self.memory: tuple[Tensor, Tensor | None] | None = None  # an encoder's states and their segments
        self.read_B = np.zeros(0, np.int64)  # how many of them each row has
        if sources is not None:
            self._read_sources(sources)

    @torch.no_grad()
    def logits(self, rows: Rows) -> Tensor:
        """Of the token behind each row, (B, V), in the type of the computation."""
        room = len(max(rows, key=len)) if self.room is None else self.room
        seen = [[*self.before, *row[len(row) - min(room, len(row)) :], *self.behind] for row in rows]
        lengths_B = np.array([len(row) for row in seen])
        if self.first_B is None:
            self.first_B = lengths_B
        grown = self.kept is not None and np.array_equal(lengths_B, self.lengths_B + 1)
        self.lengths_B = lengths_B
        self._count(goes_on=grown)
        hidden_BD = self._go_on([row[-1] for row in seen]) if grown else self._read(seen)
        return self.network.logits(hidden_BD)  # type: ignore[no-any-return]

    def select(self, row_B: np.ndarray) -> None:
        """Only these of the rows go on."""
        self.lengths_B = self.lengths_B[row_B]
        self.first_B = None if self.first_B is None else self.first_B[row_B]
        index_B = torch.from_numpy(row_B).to(self.device)
        if self.kept is not None:
            self.kept.select(index_B)
        if self.memory is not None:
            states_BLD, segments_BL = self.memory
            self.memory = states_BLD[index_B], None if segments_BL is None else segments_BL[index_B]
            self.read_B = self.read_B[row_B]

    @torch.no_grad()
    def _read_sources(self, sources: Rows) -> None:
        tokens_BL, segments_BL = pad(sources, self.pad, self.device)
        self.memory = self.network.hidden(tokens_BL, segments_BL), segments_BL
        self.read_B = np.array([len(row) for row in sources])
        assert self.architecture is not None
        for length in self.read_B.tolist():
            self.flops += self.architecture.flops_per_token(length, 0.0) * length / 3
            self.flops -= 0 if self.keep else memory_flops(self.architecture) * length / 3  # which come with each pass

    def _read(self, seen: Rows) -> Tensor:
        """The last states of whole rows (B, D)."""
        tokens_BL, segments_BL = pad(seen, self.pad, self.device)
        self.kept = Kept() if self.keep else None
        more: dict[str, Any] = {} if self.kept is None else {"kept": self.kept}
        if self.prefix:
            assert self.first_B is not None
            ranks = Ranks.of_prefix(np.arange(tokens_BL.shape[1]) < self.first_B[:, None])
            more["ranks"] = Ranks(*(torch.from_numpy(part).to(self.device) for part in (ranks.shown_BL, ranks.sees_BL)))
        if self.memory is None:
            hidden_BLD = self.network.hidden(tokens_BL, segments_BL, **more)
        else:
            hidden_BLD = self.network.decode(*self.memory, Outputs(tokens_BL, segments_BL), **more)
        column_B = torch.from_numpy(self.lengths_B - max(len(self.behind), 1)).to(self.device)
        return hidden_BLD[torch.arange(len(seen), device=self.device), column_B]  # type: ignore[no-any-return]

    def _go_on(self, tokens: list[int]) -> Tensor:
        """The states (B, D) of one more token of each row."""
        tokens_B1 = torch.tensor(tokens, device=self.device)[:, None]
        if self.memory is None:
            return self.network.hidden(tokens_B1, kept=self.kept)[:, 0]  # type: ignore[no-any-return]
        return self.network.decode(*self.memory, Outputs(tokens_B1, None), kept=self.kept)[:, 0]  # type: ignore[no-any-return]

    def _count(self, *, goes_on: bool) -> None:
        """Of the pass that comes: forward, with logits at one place of each row."""
        a = self.architecture
        if a is None:
            return
        read_B = self.read_B if self.memory is not None else np.zeros_like(self.lengths_B)
        for (length, read), rows in Counter(zip(self.lengths_B.tolist(), read_B.tolist(), strict=True)).items():
            tokens = 1 if goes_on else length
            if self.memory is None:
                self.flops += rows * a.flops_per_token(length, 1 / tokens) * tokens / 3
                continue
            logits = a.flops_per_token(1, 1.0, 0.0) - a.flops_per_token(1, 0.0, 0.0)
            again = 0.0 if self.keep else memory_flops(a) * read
            self.flops += rows * (decoder_flops(a, length, read) * tokens + logits + again) / 3
