"""Noises: ways to damage a text that is then to be restored. One file each; they know nothing of what becomes of the
texts."""

from typing import Any

from seedbed.core.registry import Registry
from seedbed.objectives.noising.noise import Noise

noises: Registry[Any] = Registry(
    "noise", "seedbed.objectives.noising", about="ways to damage a text that is to be restored"
)

__all__ = ["Noise", "noises"]
