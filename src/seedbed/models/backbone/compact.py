"""Encoders of BERT's kind in the sizes of papers about small ones."""

from __future__ import annotations

from typing import Literal

from seedbed.models import backbones
from seedbed.models.backbone.encoder import Encoder

Size = Literal["tiny", "mini", "small", "medium", "bioformer-8l", "bioformer-16l", "electra-small"]

# layers, width, heads, width of the tables
_SIZES: dict[str, tuple[int, int, int, int | None]] = {
    "tiny": (2, 128, 2, None),
    "mini": (4, 256, 4, None),
    "small": (4, 512, 8, None),
    "medium": (8, 512, 8, None),
    "bioformer-8l": (8, 512, 8, None),
    "bioformer-16l": (16, 384, 6, None),
    "electra-small": (12, 256, 4, 128),
}


@backbones.register("compact", papers=["161", "231"])
class Compact(Encoder):
    """BERT's architecture in a small size by name: the miniatures `tiny`, `mini`, `small` and `medium` (Turc et al.,
    2019), Bioformer's two (Fang et al., 2023) and ELECTRA-small (Clark et al., 2020). Heads are 64 wide, the inner
    width is 4 times the width; everything else as in BERT, or for ELECTRA-small
    in ELECTRA. The other sizes of the miniatures' grid (2 to 12 layers, widths 128 to 768) are settings of `encoder`.

    Widths of Bioformer-16L are from memory; they fit the number of its weights, 60% fewer than BERT-base has.
    """

    def __init__(
        self,
        *,
        size: Size = "mini",
        max_length: int = 512,
        kernel: Literal["auto", "products", "sdpa", "flex"] = "auto",
    ) -> None:
        layers, width, heads, tables = _SIZES[size]
        super().__init__(
            layers=layers,
            width=width,
            heads=heads,
            embedding_width=tables,
            max_length=max_length,
            norm="post",
            positions="learned",
            gated=False,
            bias=True,
            norm_eps=1e-12,
            kernel=kernel,
        )
        self.configuration = {"size": size, "max_length": max_length, "kernel": kernel}
