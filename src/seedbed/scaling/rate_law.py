"""A law of rate and batch from the optima of several sweeps: LR = c N^a D^b and B = d D^e, the form of Step Law (Li et
al., 2025, section 3.4).

Each sweep of another size gives one optimum (the bowl's). Their logarithms are fitted by least squares, as in the
paper, and Student's t gives the intervals, so that they hold the noise of the optima as well as what the form does not
fit. An exponent whose size is the same in all sweeps is left out: then the law holds at this size only.

Shapes: S sweeps, U unknowns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seedbed.core.errors import InputError
from seedbed.evaluate.statistics import t_quantile

from .bowl import Sweep, fit_bowl
from .step_law import PowerLaw

_FIX = "seedbed suggest RECIPE --sweep FILE for other sizes and budgets, with grids that hold the best arm"


@dataclass(frozen=True)
class FittedPowerLaw:
    """A law, and what its least squares in logarithms tell: the unknowns (log factor, exponents of what varied), their
    covariance, and how many points more there are than unknowns."""

    law: PowerLaw
    varied: tuple[bool, ...]
    covariance_UU: np.ndarray
    freedom: int

    def interval(self, row_U: Sequence[float], value: float) -> tuple[float, float] | None:
        """95% of a linear form of the unknowns with this value; None where no point is left over to tell."""
        if not self.freedom:
            return None
        half = t_quantile(0.975, self.freedom) * math.sqrt(max(float(row_U @ self.covariance_UU @ np.array(row_U)), 0))
        return value - half, value + half

    def exponent_intervals(self) -> list[tuple[float, float] | None]:
        """By exponent; None for those that are not fitted, or that the points determine without any to spare."""
        places = np.cumsum(self.varied)
        rows_UU = np.eye(len(self.covariance_UU))
        return [
            self.interval(rows_UU[place], exponent) if varied else None
            for varied, place, exponent in zip(self.varied, places, self.law.exponents, strict=True)
        ]

    def predicted(self, *sizes: float) -> tuple[float, tuple[float, float] | None]:
        """The law's value, and the interval of its mean."""
        value = self.law(*sizes)
        row = [1.0, *(math.log(size) for size, varied in zip(sizes, self.varied, strict=True) if varied)]
        span = self.interval(row, math.log(value))
        return value, None if span is None else (math.exp(span[0]), math.exp(span[1]))


@dataclass(frozen=True)
class RateLaw:
    """Rate by parameters and tokens; batch by tokens, None where no sweep tried several. `sweeps` were used, `left_out`
    show no optimum."""

    rate: FittedPowerLaw
    batch: FittedPowerLaw | None
    sweeps: tuple[str, ...]
    left_out: tuple[str, ...]


def fit_rate_law(sweeps: Sequence[Sweep]) -> RateLaw:
    """The law of several sweeps' optima. Raises InputError where they do not determine it."""
    rows, left_out = [], []
    for sweep in sweeps:
        bowl = fit_bowl(sweep, sweep.loss_AS.mean(1))
        if sweep.parameters is None or sweep.tokens is None:
            raise InputError(sweep.name, "does not say what its runs cost", fix="seedbed compare writes such results")
        if bowl.problem:
            left_out.append(sweep.name)
        else:
            batch = bowl.batch if len(np.unique(sweep.batch_A)) > 1 else math.nan
            rows.append((sweep.name, sweep.parameters, sweep.tokens, bowl.lr, batch))
    if len(rows) < 2:
        raise InputError("--fit", f"{len(rows)} of {len(sweeps)} sweeps show an optimum", allowed="2 or more", fix=_FIX)
    names, parameters, tokens, rates, batches = zip(*rows, strict=True)
    rate = _fit({"parameters": parameters, "tokens": tokens}, rates)
    told = [place for place, value in enumerate(batches) if not math.isnan(value)]
    of_tokens = [tokens[place] for place in told]
    batch_law = _fit({"tokens": of_tokens}, [batches[place] for place in told]) if len(set(of_tokens)) > 1 else None
    return RateLaw(rate, batch_law, names, tuple(left_out))


def _fit(sizes: dict[str, Sequence[float]], values: Sequence[float]) -> FittedPowerLaw:
    """Least squares in logarithms."""
    logs = {name: np.log(np.array(column)) for name, column in sizes.items()}
    varied = tuple(bool(np.ptp(log_S) > 1e-6) for log_S in logs.values())
    used = [log_S for log_S, varies in zip(logs.values(), varied, strict=True) if varies]
    design_SU = np.stack([np.ones(len(values)), *used], 1)
    found_U, _, rank, _ = np.linalg.lstsq(design_SU, np.log(np.array(values)), rcond=1e-9)
    if not used or rank < design_SU.shape[1]:
        among = " and ".join(name for name, varies in zip(sizes, varied, strict=True) if varies) or "no size"
        raise InputError(
            "--fit", f"{len(values)} optima do not tell {design_SU.shape[1]} unknowns: {among} vary", fix=_FIX
        )
    exponents = iter(found_U[1:].tolist())
    law = PowerLaw(math.exp(found_U[0]), tuple(next(exponents) if varies else 0.0 for varies in varied))
    freedom = len(values) - len(found_U)
    residual_S = np.log(np.array(values)) - design_SU @ found_U
    variance = float(residual_S @ residual_S) / max(freedom, 1)
    return FittedPowerLaw(law, varied, variance * np.linalg.inv(design_SU.T @ design_SU), freedom)
