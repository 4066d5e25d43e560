"""Checks that several methods share."""

from __future__ import annotations

from seedbed.core.errors import InputError


def check_share(name: str, value: float) -> None:
    """A share of the run or of a whole, in [0, 1]."""
    if not 0 <= value <= 1:
        raise InputError(name, "must lie between 0 and 1", value=value)


def check_rate(name: str, value: float) -> None:
    """A factor or rate: finite, not negative."""
    if not 0 <= value < float("inf"):
        raise InputError(name, "must be a number that is not negative", value=value)
