"""The small networks that a hypernetwork is trained on: of one kind, in many sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seedbed.core.counters import generator
from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Range = tuple[int, int]
_RATIOS = (1, 4)  # of the inner width to the width
_SIZES = ("layers", "width", "heads", "kv_heads", "feedforward")


def sample(like: Architecture, layers: Range, width: Range, number: int, seed: int) -> list[Architecture]:
    """So many different ones, drawn from all numbers of layers and all widths within the ranges, and all inner widths
    from one to four times the width; widths are multiples of a head's (of a group of heads that share keys). All
    else is as in `like`, the width of a head too. Raises InputError."""
    unit = like.head_width * (like.heads // like.kv_heads)
    for name, (low, high) in (("layers", layers), ("width", width)):
        if not 1 <= low <= high:
            raise InputError(name, "is no range of sizes", value=[low, high], allowed="[SMALLEST, LARGEST]")
    grid = [
        (depth, groups, inner)
        for depth in range(layers[0], layers[1] + 1)
        for groups in range(-(-width[0] // unit), width[1] // unit + 1)
        for inner in range(_RATIOS[0] * groups, _RATIOS[1] * groups + 1)
    ]
    if not 1 <= number <= len(grid):
        raise InputError(
            "configurations",
            f"there are {len(grid)} of these layers and widths (in steps of {unit}, the width of a head)",
            value=number,
            fix="wider ranges of layers and width, or fewer configurations",
        )
    drawn = generator(seed, "configurations").permutation(len(grid))[:number]
    return [_sized(like, unit, *grid[index]) for index in drawn]


def _sized(like: Architecture, unit: int, layers: int, groups: int, inner: int) -> Architecture:
    heads = groups * unit // like.head_width
    return replace(like, layers=layers, width=groups * unit, heads=heads, kv_heads=groups, feedforward=inner * unit)


def check_kind(like: Architecture, other: Architecture) -> None:
    """Raises InputError if more than sizes differ from the networks that a hypernetwork knows."""
    same = replace(other, **{name: getattr(like, name) for name in (*_SIZES, "head_width")})
    before, after = like.to_json(), same.to_json()
    differing = [name for name in before if before[name] != after[name]]
    if differing:
        raise InputError(
            "to",
            f"is of another kind than the hypernetwork's networks: {', '.join(differing)}",
            fix="a hypernetwork trained on networks of this kind",
        )
