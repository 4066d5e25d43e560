"""Optimizers and schedules. They know of parameters and of progress, not of models or data."""

from typing import Any

from seedbed.core.registry import Registry
from seedbed.optim.base import Optimizer, Schedule

optimizers: Registry[Any] = Registry(
    "optimizer", "seedbed.optim.rules", about="update rules, as configurations that build a torch optimizer"
)
schedules: Registry[Any] = Registry(
    "schedule", "seedbed.optim.curves", about="numbers that change as training progresses: rates of any kind"
)

__all__ = ["Optimizer", "Schedule", "optimizers", "schedules"]
