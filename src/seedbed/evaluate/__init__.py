"""Scores of a model and of its baselines, with seeds, intervals and item-level predictions."""

import sys
from types import ModuleType
from typing import Any

from seedbed.core.registry import Registry
from seedbed.evaluate.task import Task

tasks: Registry[type[Task]] = Registry(
    "task", "seedbed.evaluate.suite", about="what a model is measured on, beside the baselines that it has to beat"
)


class _Room(ModuleType):
    """This package, which can be called: `seedbed.evaluate(...)` is a step, and Python puts the package in its place
    as soon as anything in here is imported."""

    def __call__(self, **parameters: Any) -> Any:
        from .step import evaluate

        return evaluate(**parameters)


sys.modules[__name__].__class__ = _Room

__all__ = ["Task", "tasks"]
