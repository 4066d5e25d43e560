"""Surgery: from a trained model to another one. So far growth: a larger network out of a smaller one's weights."""

from typing import Any

from seedbed.core.registry import Registry
from seedbed.surgery.method import GrowthMethod

growth: Registry[Any] = Registry(
    "growth", "seedbed.surgery.methods", about="how a larger network's first weights follow from a smaller one's"
)

__all__ = ["GrowthMethod", "growth"]
