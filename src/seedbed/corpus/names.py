"""What a component is called."""

from __future__ import annotations

import functools
from typing import Any

from seedbed.core.registry import Registry


def method_name(registry: Registry[Any], method: Any) -> str:
    """The name that a built component is registered under."""
    target = method.func if isinstance(method, functools.partial) else type(method)
    names = [entry.name for entry in registry if entry.target is target]
    return names[0] if names else str(getattr(target, "__name__", target))
