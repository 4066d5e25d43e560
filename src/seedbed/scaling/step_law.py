"""Learning rate and batch for a size and a number of tokens, by Step Law (Li et al., 2025).

LR = 1.79 N^-0.713 D^0.307 and B = 0.58 D^0.571 (equation 1): N parameters without embeddings, D tokens of training, LR
the peak rate of AdamW, B tokens of a batch. It was fitted to about 60 million to 1 billion parameters and 2 to 100
billion tokens (section 3.4.1), on decoders whose rate falls along a cosine to 1e-5. (In that section the text has the
optimal rate rise with N; the formula, the table and the published runs have it fall, and so has this.)
"""

from __future__ import annotations

from dataclasses import dataclass

from seedbed.core.errors import InputError


@dataclass(frozen=True)
class PowerLaw:
    """`factor` times the sizes, each to the power of its exponent."""

    factor: float
    exponents: tuple[float, ...]

    def __call__(self, *sizes: float) -> float:
        found = self.factor
        for size, exponent in zip(sizes, self.exponents, strict=True):
            found *= size**exponent
        return float(found)


SOURCE = "Step Law (Li et al., 2025, equation 1; paper 298)"
PARAMETERS, TOKENS = (60e6, 1.07e9), (2e9, 100e9)  # of the runs behind the law
RATE = PowerLaw(1.79, (-0.713, 0.307))  # the best peak rate, by parameters and tokens
BATCH = PowerLaw(0.58, (0.571,))  # the best batch in tokens, by tokens


@dataclass(frozen=True)
class Suggestion:
    """What the law says of one run; `batch_tokens` is whole rows, and one at least."""

    parameters: float
    tokens: float
    length: int
    lr: float
    batch: float

    @property
    def batch_tokens(self) -> int:
        return max(1, round(self.batch / self.length)) * self.length

    @property
    def outside(self) -> list[str]:
        """How far the run lies outside the law's data; empty within."""
        named = (("parameters", self.parameters, PARAMETERS), ("tokens", self.tokens, TOKENS))
        return [text for name, value, span in named if (text := _distance(name, value, span))]


def suggest(parameters: float, tokens: float, length: int) -> Suggestion:
    """Step Law's rate and batch. Raises InputError for what is no size."""
    for name, value in (("parameters", parameters), ("tokens", tokens), ("length", length)):
        if not 1 <= value < float("inf"):
            raise InputError(f"--{name}", "must be at least 1", value=value)
    return Suggestion(parameters, tokens, length, RATE(parameters, tokens), BATCH(tokens))


def _distance(name: str, value: float, span: tuple[float, float]) -> str:
    low, high = span
    if low <= value <= high:
        return ""
    factor, side = (low / value, "below") if value < low else (value / high, "above")
    return f"{name} {factor:.3g} times {side} the law's {low:.3g} to {high:.3g}"
