"""The operator that keeps a network's weights as a part of a larger one's, and what may grow so: numbers of blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from seedbed.models.architecture import Architecture

_ROLES = ("mixers", "feedforwards")


class Padded:
    """Weights whose first rows and columns are the small network's; the others are a new network's, or zeros where a
    name has one of these endings."""

    def __init__(
        self, small: dict[str, torch.Tensor], after: Architecture, seed: int, zeros: tuple[str, ...] = ()
    ) -> None:
        self.small, self.after, self.seed, self.zeros = small, after, seed, zeros

    def parameters(self) -> list[torch.Tensor]:
        """None: all is fixed."""
        return []

    def weights(self) -> dict[str, torch.Tensor]:
        """The large network's weights."""
        import torch

        from seedbed.models.initialize import initialize

        found = dict[str, torch.Tensor]()
        for name, shape in self.after.shapes().items():
            old = self.small[name]
            made = torch.zeros(shape, dtype=old.dtype, device=old.device)
            if not name.endswith(self.zeros):
                initialize(name, made, self.seed, self.after)
            made[tuple(slice(size) for size in old.shape)] = old
            found[name] = made
        return found


def growing(
    before: Architecture, after: Architecture, blocks: tuple[str, ...], number: str
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Of all mixers and feedforwards of these kinds the role, the small network's settings and the large one's. Raises
    InputError if more differs than settings of such blocks."""
    plain = replace(after, mixers=before.mixers, feedforwards=before.feedforwards, special=before.special).to_json()
    differing = [name for name, value in before.to_json().items() if plain[name] != value]
    if differing:
        kinds = ", ".join(blocks)
        raise InputError("to", f"only `{number}` of {kinds} may differ, and so do: {', '.join(differing)}")
    for role in _ROLES:
        old, new = getattr(before, role), getattr(after, role)
        if [_name(block) for block in old] != [_name(block) for block in new]:
            raise InputError(f"to.{role}", "are others than the small network's", value=new, allowed=str(old))
        for one, other in zip(old, new, strict=True):
            if one is not None and _name(one) in blocks:
                yield role, one[_name(one)] or {}, other[_name(one)] or {}
            elif one != other:
                raise InputError(f"to.{role}", "is other than the small network's", value=other, allowed=str(one))


def check_number(role: str, number: str, had: int, has: int) -> bool:
    """Whether a number has grown; raises InputError if it is smaller than before."""
    if has < had:
        raise InputError(f"to.{role}.{number}", "is smaller than before", value=has, allowed=f"{had} or more")
    return has > had


def _name(block: dict[str, Any] | None) -> Any:
    return None if block is None else next(iter(block))
