"""What a plan expects of the model that a surgery will leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture


def expected_counts(
    known: dict[str, Any], change: Callable[[Architecture], Architecture] = lambda given: given
) -> dict[str, Any]:
    """The counts of a model that is another one with a changed architecture, from what is known of that one."""
    if known.get("architecture") is None:
        return {"parameters": known.get("parameters")}
    changed = change(known["architecture"])
    return {"architecture": changed, "parameters": changed.num_parameters()}
