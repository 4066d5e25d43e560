"""Checks that several methods share."""

from __future__ import annotations

from seedbed.core.errors import InputError


def check_share(name: str, value: float) -> None:
    """A share of the run or of a whole, in [0, 1]."""
    if not 0 <= value <= 1:
        raise InputError(name, "must lie between 0 and 1", value=value)


def check_parts(**shares: float) -> None:
    """Parts of a run, one after the other: shares that together are not more than all of it."""
    for name, share in shares.items():
        check_share(name, share)
    if sum(shares.values()) > 1 + 1e-9:
        *others, last = shares
        problem = f"{', '.join(others)} and {last} together exceed the run"
        raise InputError(last, problem, value=list(shares.values()))


def check_rate(name: str, value: float) -> None:
    """A factor or rate: finite, not negative."""
    if not 0 <= value < float("inf"):
        raise InputError(name, "must be a number that is not negative", value=value)


def check_positive(**values: float) -> None:
    """Finite numbers above 0."""
    for name, value in values.items():
        if not 0 < value < float("inf"):
            raise InputError(name, "must be above 0", value=value)


def check_counts(**values: int) -> None:
    """Whole numbers from 1 on."""
    for name, value in values.items():
        if value < 1:
            raise InputError(name, "must be at least 1", value=value)


def check_betas(betas: tuple[float, float]) -> None:
    """Weights of the past in two moving averages."""
    if not all(0 <= beta < 1 for beta in betas):
        raise InputError("betas", "must lie in [0, 1)", value=betas)


def check_adam(lr: float, betas: tuple[float, float], eps: float, weight_decay: float) -> None:
    """What rules have that divide moving averages as Adam does, and decay weights."""
    check_positive(lr=lr, eps=eps)
    check_betas(betas)
    check_decay(weight_decay)


def check_decay(weight_decay: float) -> None:
    """A weight decay: finite, not negative."""
    if not 0 <= weight_decay < float("inf"):
        raise InputError("weight_decay", "must not be negative", value=weight_decay)
