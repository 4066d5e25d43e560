"""Checks that growth methods share."""

from __future__ import annotations

from seedbed.core.checks import check_positive, check_rate
from seedbed.core.errors import InputError


def check_learning(steps: int, lr: float, noise: float) -> None:
    """How long and at what rate an operator is learned, and the noise that it begins with."""
    if steps < 0:
        raise InputError("steps", "must not be negative", value=steps)
    check_positive(lr=lr)
    check_rate("noise", noise)
