"""Contrasts: which texts of a row are to be near each other, and what it costs if they are not. One file each; they
know nothing of how texts become vectors."""

from typing import Any

from seedbed.core.registry import Registry
from seedbed.objectives.contrasting.contrast import Contrast, Vectors

contrasts: Registry[Any] = Registry(
    "contrast", "seedbed.objectives.contrasting", about="contrasts: which texts' vectors are to be near each other"
)

__all__ = ["Contrast", "Vectors", "contrasts"]
