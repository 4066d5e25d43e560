"""Training: a thin loop, checkpoints, metrics; all that steps into the loop is an intervention."""

from typing import Any

from seedbed.core.registry import Registry
from seedbed.train.intervention import Intervention

interventions: Registry[Any] = Registry(
    "intervention", "seedbed.train.hooks", about="what steps into the training loop: guards, evaluation, steering"
)

__all__ = ["Intervention", "interventions"]
