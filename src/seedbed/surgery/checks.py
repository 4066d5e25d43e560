"""Checks that growth methods share."""

from __future__ import annotations

from seedbed.core.errors import InputError


def check_steps(steps: int) -> None:
    """How long an operator is learned."""
    if steps < 0:
        raise InputError("steps", "must not be negative", value=steps)
