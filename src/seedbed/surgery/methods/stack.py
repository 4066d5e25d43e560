"""Stacking: deeper by repeating layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.surgery import growth

if TYPE_CHECKING:
    from seedbed.surgery.method import Operator


@growth.register("stack", papers=["103"])
class Stack:
    """Puts copies of all layers on top of each other (StackBERT, Gong et al., 2019): layer l is layer l mod L of the
    small network. Depth only; for width see `bert2bert`, which stacks as well. Growing by halves again and again, as
    the paper does, is several `grow` steps with training between them."""

    steps, lr = 0, 0.0

    def operator(self, small: dict[str, Any], before: Any, after: Any, seed: int) -> Operator:
        """The fixed operator."""
        from seedbed.surgery.operators import WidthDepth

        if (after.width, after.feedforward) != (before.width, before.feedforward):
            raise InputError("to.width", "stacking grows depth alone", value=after.width, fix="method: bert2bert")
        return WidthDepth(small, before, after)
