"""RWKV-7's time mixing: a recurrence with a delta rule in place of attention."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seedbed.core.errors import InputError
from seedbed.models import mixers
from seedbed.models.block import Block, Shapes
from seedbed.models.sequence.sizes import DELTA_CHUNK

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.rwkv7 import TimeMixing


@mixers.register("rwkv7", papers=["058"])
class RWKV7(Block):
    """RWKV-7's time mixing (Peng et al., 2025): causal, for decoders with positions="none".

        S_t = S_{t-1} diag(w_t) - (S_{t-1} k'_t) (a_t k'_t)^T + v_t k_t^T,   y_t = S_t r_t

    for each head, with r, k, v, the decay w, the learning rate a and the gate g from mixtures of a token and the one
    before it, k' the normalized key, and v mixed with the first layer's values. Then a norm of each head, a bonus
    (r . (u k)) v, the gate, and the output projection. Computed in chunks of 16 tokens, exactly, in float32: within one
    by products and a triangular system, over chunks by one product each.

    Formulas, sizes of the low-rank parts and first values are those of the authors' training code, but for three: its
    matrices that begin at zero (the output, and the first of each low-rank pair) begin here as all of this network's
    do, so that every parameter has a gradient from the first step on; and heads are the backbone's.

    rank: of all low-rank parts; by default each one's as theirs, which grows with the square root of the width.
    """

    serves: ClassVar[tuple[str, ...]] = ("causal",)

    def __init__(self, *, rank: int | None = None) -> None:
        if rank is not None and rank < 1:
            raise InputError("rank", "must be at least 1", value=rank)
        self.configuration = {"rank": rank}
        self.rank = rank

    def ranks(self, architecture: Architecture, layer: int) -> dict[str, int]:
        factors = {"decay": 2.5, "rate": 2.5, **({"value": 1.7} if layer else {}), "gate": 5.0}
        root = math.sqrt(architecture.width)
        return {name: self.rank or max(32, round(factor * root / 32) * 32) for name, factor in factors.items()}

    def check(self, architecture: Architecture) -> None:
        if architecture.head_width < 2:
            raise InputError("heads", "RWKV-7 needs heads of width 2 or more", value=architecture.heads)

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        width = architecture.width
        found: Shapes = {"shifts": (6, width)}
        found |= {f"{name}.weight": (width, width) for name in ("receptance", "key", "values")}
        for name, rank in self.ranks(architecture, layer).items():
            found |= {f"{name}_down.weight": (rank, width), f"{name}_up.weight": (width, rank)}
            found |= {} if name == "gate" else {f"{name}_base": (width,)}
        found |= {"key_norming": (width,), "key_rate": (width,), "bonus": (width,)}
        return found | {"heads_gain": (width,), "heads_shift": (width,), "out.weight": (width, width)}

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        width, head, chunk = architecture.width, architecture.head_width, DELTA_CHUNK
        weights = 4 * width**2 + 2 * width * sum(self.ranks(architecture, layer).values())
        # For a token and head: eight products among a chunk's tokens, four with states, and the step between chunks.
        within = 8 * chunk * head + 4 * head**2 + head**3 / chunk
        return 6.0 * (weights + architecture.heads * within) + self.uncounted(architecture, layer, length)

    def uncounted(self, architecture: Architecture, layer: int, length: int) -> float:
        """Triangular systems."""
        return 6.0 * architecture.width * DELTA_CHUNK

    def initial(
        self, name: str, architecture: Architecture, layer: int, draw: np.random.Generator
    ) -> np.ndarray | float | None:
        width, head = architecture.width, architecture.head_width
        place = np.arange(width)
        depth, rest = layer / max(1, architecture.layers - 1), 1.0 - layer / architecture.layers
        linear = place / (width - 1) - 0.5
        zigzag = (place % head - (head - 1) / 2) / ((head - 1) / 2)
        zigzag = zigzag * np.abs(zigzag)
        if name == "shifts":  # of receptance, decay, key, value, rate, gate
            powers = np.array([0.2, 0.9, 0.7, 0.7, 0.9, 0.2])[:, None]
            return 1.0 - (place / width) ** (powers * rest)
        if name in ("receptance.weight", "key.weight", "values.weight"):
            bound = (0.05 if name == "key.weight" else 0.5) / math.sqrt(width)
            return draw.uniform(-bound, bound, (width, width))
        if name.endswith("_up.weight"):
            return _orthogonal(draw, self.shapes(architecture, layer)[name], 0.1)
        known: dict[str, np.ndarray | float] = {
            "decay_base": -6 + 6 * (place / (width - 1)) ** (1 + depth**0.3) + 0.5 + 2.5 * zigzag,
            "rate_base": -0.19 + 0.3 * zigzag + 0.4 * linear,
            "value_base": 0.73 - 0.4 * linear,
            "key_norming": 0.71 - 0.1 * linear,
            "key_rate": 1.02,
            "bonus": -0.04,
            "heads_gain": 1.0,
            "heads_shift": 0.0,
        }
        return known.get(name)

    def module(self, architecture: Architecture, layer: int) -> TimeMixing:
        from seedbed.models.sequence.rwkv7 import TimeMixing

        return TimeMixing(self, architecture, layer)


def _orthogonal(draw: np.random.Generator, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """Rows or columns, whichever are fewer, that are orthogonal, times the gain; a tall map of the other side has the
    root of its sides' ratio for gain besides."""
    rows, columns = shape
    q, r = np.linalg.qr(draw.normal(size=(max(shape), min(shape))))
    q = q * np.sign(np.diag(r))
    # The authors' matrix is this one's transpose: inputs by outputs.
    return gain * (q if rows >= columns else q.T) * max(1.0, math.sqrt(columns / rows))
