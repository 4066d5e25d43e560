"""What of an architecture's options goes together: embeddings of another width, block-sparse attention, copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.core.errors import InputError, unknown_key

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

SPARSE = {"block": 1, "window": 0, "global": 0, "random": 0}  # sizes of block-sparse attention, and their least


def check_variants(architecture: Architecture) -> None:
    """Raises InputError for an option that is out of its bounds, or not for this network."""
    a = architecture
    if a.shared not in (False, True, "all"):
        raise InputError("shared", "must be true, false or all", value=a.shared)
    if a.embedding_width is not None:
        _at_least("embedding_width", a.embedding_width, 1)
        if a.attention != "bidirectional" or a.base_width is not None:
            raise InputError("embedding_width", "is for encoders without width_transfer", value=a.embedding_width)
    if a.primitives is not None:
        _at_least("primitives", a.primitives, 1)
    if a.sparse is not None:
        _check_sparse(a, a.sparse)
    if a.copies != 1:
        _check_copies(a)
    if a.energy_steps != 0:
        _check_energy(a)


def _check_sparse(architecture: Architecture, sizes: dict[str, int]) -> None:
    a = architecture
    for name in sizes:
        if name not in SPARSE:
            raise unknown_key("sparse", name, SPARSE)
    for name, least in SPARSE.items():
        _at_least(f"sparse.{name}", sizes.get(name), least)
    if a.attention != "bidirectional" or a.positions in ("alibi", "relative") or any(a.windows) or a.mixers:
        fix = "an encoder of attention without a window, with rotary, learned or no positions"
        raise InputError("sparse", "is not for this network", value=sizes, fix=fix)


def _check_copies(architecture: Architecture) -> None:
    a = architecture
    _at_least("copies", a.copies, 1)
    _at_least("copy_window", a.copy_window, 0)
    if a.copy_chunk is not None:
        _at_least("copy_chunk", a.copy_chunk, 1)
    if a.attention != "causal" or a.composed or a.positions not in ("rope", "none") or any(a.windows):
        fix = "a causal network of attention, with rotary positions or none"
        raise InputError("copies", "are not for this network", value=a.copies, fix=fix)


def _check_energy(architecture: Architecture) -> None:
    a = architecture
    _at_least("energy_steps", a.energy_steps, 0)
    if not a.energy_step > 0:
        raise InputError("energy_step", "must be above 0", value=a.energy_step)
    plain = a.positions in ("rope", "none") and a.base_width is None and not a.composed
    if a.attention != "causal" or a.copies != 1 or any(a.windows) or not plain:
        fix = "a causal network of attention, with rotary positions or none, without copies or width_transfer"
        raise InputError("energy_steps", "is not for this network", value=a.energy_steps, fix=fix)


def _at_least(name: str, value: int | None, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise InputError(name, f"must be at least {least}", value=value)
