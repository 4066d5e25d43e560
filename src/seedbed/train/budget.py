"""How long to train, and how often to do something: "20M tokens", "500 steps", "2 epochs"; "10 minutes", "never"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic_core import core_schema

from seedbed.core.errors import InputError

_AMOUNT = re.compile(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?(?:[eE][+]?[0-9]+)?)\s*([kKMGBT]?)\s*([a-z]+)\s*")
_SCALE = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}


@dataclass(frozen=True)
class Budget:
    """An amount of tokens (that are not padding), of steps, or of epochs (tokens of all sources together)."""

    amount: float
    unit: Literal["tokens", "steps", "epochs"]

    @classmethod
    def parse(cls, value: Any) -> Budget:
        """From text; raises InputError."""
        if isinstance(value, Budget):
            return value
        amount, unit = _read(value, ("tokens", "steps", "epochs"), "20M tokens, 500 steps, 2 epochs")
        if amount <= 0 or (unit != "epochs" and amount != int(amount)):
            raise InputError("", "a budget is a positive whole number (of epochs also a fraction)", value=value)
        return cls(amount, unit)  # type: ignore[arg-type]

    def canonical(self) -> str:
        return f"{_plain(self.amount)} {self.unit}"

    def goal(self, epoch_tokens: int) -> tuple[int, str]:
        """The number to reach, and of what ("tokens" or "steps")."""
        if self.unit == "epochs":
            return max(1, math.ceil(self.amount * epoch_tokens)), "tokens"
        return int(self.amount), self.unit

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.parse)

    def __str__(self) -> str:
        return self.canonical()


@dataclass(frozen=True)
class Every:
    """A rhythm in steps or in minutes; 0 is never. A bare number counts steps."""

    amount: float
    unit: Literal["steps", "minutes"]

    @classmethod
    def parse(cls, value: Any) -> Every:
        """From text or a number of steps; raises InputError."""
        if isinstance(value, Every):
            return value
        if value == "never":
            return cls(0, "steps")
        if isinstance(value, int) and not isinstance(value, bool):
            value = f"{value} steps" if value >= 0 else value
        amount, unit = _read(value, ("steps", "minutes"), "500 steps, 10 minutes, never")
        if unit == "steps" and amount != int(amount):
            raise InputError("", "a number of steps is whole", value=value)
        return cls(amount, unit)  # type: ignore[arg-type]

    def canonical(self) -> str:
        return f"{_plain(self.amount)} {self.unit}" if self.amount else "never"

    def due(self, step: int, seconds: float) -> bool:
        """Whether it is time, after `step` steps in all, `seconds` after the last time."""
        if not self.amount:
            return False
        return step % int(self.amount) == 0 if self.unit == "steps" else seconds >= 60 * self.amount

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.parse)


def check_in_steps(*, never: bool = True, **rhythms: Every) -> None:
    """Rhythms that may not depend on a clock, so that a resumed run keeps them; without `never` there must be one."""
    for name, rhythm in rhythms.items():
        if rhythm.unit != "steps" or not (never or rhythm.amount):
            raise InputError(name, "goes by steps", value=rhythm.canonical(), fix="100 steps")


def _read(value: Any, units: tuple[str, ...], allowed: str) -> tuple[float, str]:
    match = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InputError("", "expected a number and a unit", value=value, allowed=allowed)
    number, scale, word = match.groups()
    unit = next((unit for unit in units if word in (unit, unit.removesuffix("s"))), None)
    if unit is None:
        raise InputError("", f"unknown unit '{word}'", value=value, allowed=allowed)
    amount = float(re.sub("[_,]", "", number)) * _SCALE[scale]
    return (round(amount) if abs(amount - round(amount)) < 1e-6 else amount), unit


def _plain(amount: float) -> str:
    return str(int(amount)) if amount == int(amount) else repr(float(amount))
