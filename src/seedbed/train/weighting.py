"""Weights of sources by their sizes: by a power of it, or equal with a limit on how often a source is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic_core import core_schema

from seedbed.core.errors import InputError
from seedbed.train.budget import Budget

if TYPE_CHECKING:
    from seedbed.data.artifact import Tokens

_ALLOWED = "a number, {alpha: 0.3}, or {unimax: 4 epochs}"
Name = TypeVar("Name")


@dataclass(frozen=True)
class Weighting:
    """A source's weight as a rule.

    `alpha`: the number of its tokens to this power, so 1 is in proportion to size and 0 the same for all; its inverse
    is called the temperature (Parmar et al., 2024, section 5, compare both with UniMax).
    `unimax`: UniMax (Chung et al., 2023): the budget is parted evenly, but no source is to be repeated for more than
    this number of epochs; what it cannot take goes to those that are larger.
    """

    rule: Literal["alpha", "unimax"]
    amount: float

    @classmethod
    def parse(cls, value: Any) -> Weighting:
        """From `{alpha: 0.3}` or `{unimax: 4 epochs}`; raises InputError."""
        if isinstance(value, Weighting):
            return value
        if not isinstance(value, dict) or len(value) != 1:
            raise InputError("", "is no weight", value=value, allowed=_ALLOWED)
        ((rule, amount),) = value.items()
        if rule == "unimax":
            budget = Budget.parse(f"{amount} epochs" if isinstance(amount, int | float) else amount)
            if budget.unit != "epochs":
                raise InputError(rule, "is a number of epochs", value=amount)
            return cls(rule, budget.amount)
        if rule != "alpha" or isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= 10:
            raise InputError("", "is no weight", value=value, allowed=_ALLOWED)
        return cls(rule, float(amount))

    def canonical(self) -> dict[str, float]:
        return {self.rule: self.amount}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(cls.parse)


def weighed(data: Mapping[Tokens, float | Weighting], budget: Budget, step_tokens: int) -> dict[Tokens, float]:
    """The weights as numbers; `step_tokens` are those of one step.

    Raises InputError if sources are weighted in different ways, since the numbers could not be compared.
    """
    rules = {weight.rule if isinstance(weight, Weighting) else "number" for weight in data.values()}
    if rules <= {"number"}:
        return dict(data)  # type: ignore[arg-type]
    if len(rules) > 1:
        raise InputError("data", "weights sources in different ways", value=sorted(rules), fix="one rule for all")
    given = {tokens: weight for tokens, weight in data.items() if isinstance(weight, Weighting)}
    sizes = {tokens: int(tokens.facts["splits"].get("train", {}).get("tokens", 0)) for tokens in given}
    if rules == {"alpha"}:
        return {tokens: float(size) ** given[tokens].amount for tokens, size in sizes.items()}
    goal, unit = budget.goal(sum(sizes.values()))
    caps = {tokens: size * given[tokens].amount for tokens, size in sizes.items()}
    return unimax(caps, goal * (step_tokens if unit == "steps" else 1))


def unimax(caps: Mapping[Name, float], budget: float) -> dict[Name, float]:
    """How much of a budget each source gets: the same, up to its cap; what remains is parted among the larger ones.
    (Chung et al., 2023, algorithm 1.) Where all caps together are less than the budget, each source gets its cap.
    """
    amounts = {}
    for place, (name, cap) in enumerate(sorted(caps.items(), key=lambda item: item[1])):
        amounts[name] = min(cap, budget / (len(caps) - place))
        budget -= amounts[name]
    return amounts
