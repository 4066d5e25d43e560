"""Token files, and batches of them: packed or padded, mixed, ordered, with the position as state."""

from typing import Any

from seedbed.core.registry import Registry

from .stream import Sampler

# The package is not called as the registry is: importing it would put the module in the registry's place.
samplers: Registry[Any] = Registry(
    "sampler", "seedbed.data.sampling", about="from token files to batches: order, mixture, packing"
)

__all__ = ["Sampler", "samplers"]
