"""Keys and values that are kept of tokens that were read, so that what follows them is read alone.

A token stands in the column of its position: rows of unequal lengths go on side by side, and what fills up a short row
lies in columns that its next tokens take. So who is where says who sees whom, how far they are apart, and what nobody
sees: columns behind a token's own.

Shapes: B rows, M tokens that are read now, N columns, K key-value heads, G query heads to each, H = K * G heads, E
width of a head, R = 2 N - 1 distances between columns.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Tensor = torch.Tensor
_SPARE = 32  # columns that a full table gets besides half of its own


class Kept:
    """What one stack keeps of some rows. Give the same one to each pass: the first reads rows from their beginnings,
    without packing, each later one as many tokens behind every row. Nothing is differentiated through it."""

    def __init__(self) -> None:
        self.lengths_B: Tensor | None = None  # tokens that were read of each row; None before the first pass
        self.place_BM: Tensor | None = None  # where the tokens stand of a later pass that is under way
        self.columns = 0  # up to the last one that is in use then
        self.layers: dict[int, KeptLayer] = {}

    @property
    def goes_on(self) -> bool:
        """Whether something was read before the pass that comes now, or is under way."""
        return self.lengths_B is not None

    def layer(self, index: int) -> KeptLayer:
        return self.layers.setdefault(index, KeptLayer(self))

    def places(self, number: int) -> Tensor:
        """The positions (B, M) of so many tokens behind each row, for which there are columns from now on."""
        assert self.lengths_B is not None
        self.place_BM = self.lengths_B[:, None] + torch.arange(number, device=self.lengths_B.device)
        self.columns = int(self.place_BM.max()) + 1
        return self.place_BM

    def advance(self, tokens_BM: Tensor, segments_BM: Tensor | None) -> None:
        """A pass over so many tokens is over; in the first one padding, of segment -1, may stand behind them."""
        rows, number = tokens_BM.shape[:2]
        if self.lengths_B is not None:
            self.lengths_B = self.lengths_B + number
        elif segments_BM is None:
            self.lengths_B = torch.full((rows,), number, device=tokens_BM.device)
        else:
            self.lengths_B = (segments_BM >= 0).sum(1)

    def select(self, row_B: Tensor) -> None:
        """Only these rows go on."""
        assert self.lengths_B is not None
        self.lengths_B = self.lengths_B[row_B]
        for layer in self.layers.values():
            layer.select(row_B)

    def mask(self, window: int | None, bias_HR: Tensor | None, dtype: torch.dtype) -> Tensor:
        """What is added to the scores of a later pass, (B, M, N), or with a bias (B, H, M, N): a token sees the columns
        up to its own, or of them those within a window."""
        assert self.place_BM is not None
        behind_BMN = self.place_BM[:, :, None] - torch.arange(self.columns, device=self.place_BM.device)
        seen_BMN = behind_BMN >= 0 if window is None else (behind_BMN >= 0) & (behind_BMN <= window)
        mask_BMN = torch.zeros(seen_BMN.shape, dtype=dtype, device=seen_BMN.device)
        mask_BMN.masked_fill_(~seen_BMN, float("-inf"))
        if bias_HR is None:
            return mask_BMN
        bias_HBMN = bias_HR[:, behind_BMN + self.columns - 1]
        return bias_HBMN.transpose(0, 1) + mask_BMN[:, None]


class KeptLayer:
    """One layer's keys and values; of a decoder that attends over an encoder also those of the encoder's states."""

    def __init__(self, owner: Kept) -> None:
        self.owner = owner
        self.tables: tuple[Tensor, Tensor] | None = None  # keys and values (K, B, N and what is spare, E)
        self.across: tuple[Tensor, Tensor] | None = None

    def extended(self, k_KBME: Tensor, v_KBME: Tensor) -> tuple[Tensor, Tensor]:
        """Takes the keys and values of what is read now, and gives those of all columns that are in use."""
        if self.tables is None:
            self.tables = k_KBME, v_KBME
            return k_KBME, v_KBME
        place_BM, used = self.owner.place_BM, self.owner.columns
        assert place_BM is not None
        spare = used - self.tables[0].shape[2]
        if spare > 0:
            spare += used // 2 + _SPARE
            keys, values = (torch.nn.functional.pad(table, (0, 0, 0, spare)) for table in self.tables)
            self.tables = keys, values
        row_B1 = torch.arange(len(place_BM), device=place_BM.device)[:, None]
        for table, new in zip(self.tables, (k_KBME, v_KBME), strict=True):
            table[:, row_B1, place_BM] = new
        return self.tables[0][:, :, :used], self.tables[1][:, :, :used]

    def once(self, read: Callable[[Tensor], tuple[Tensor, Tensor]], states_BLD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of an encoder's states, which are made in the first pass."""
        if self.across is None:
            self.across = read(states_BLD)
        return self.across

    def select(self, row_B: Tensor) -> None:
        if self.tables is not None:
            self.tables = self.tables[0].index_select(1, row_B), self.tables[1].index_select(1, row_B)
        if self.across is not None:
            self.across = self.across[0].index_select(1, row_B), self.across[1].index_select(1, row_B)
