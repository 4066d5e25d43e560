"""Growth of networks of experts, by more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.surgery import growth

if TYPE_CHECKING:
    from seedbed.surgery.method import Operator


@growth.register("modules", papers=["197"])
class Modules:
    """Gives routers more experts to choose from (ModuleFormer; Shen et al., 2023), for text that the network has not
    seen: new experts, and their rows of the router, are drawn as in a new network; all others stay.

    Only `experts` of mixers `stick_breaking` and feedforwards `experts` may differ. What the large network computes is
    near what the small one did, not equal: a new expert takes tokens, and probability, from the others. Not here: the
    paper's freezing of the old experts, and its penalty that keeps the router near what it was.
    """

    steps, lr = 0, 0.0

    def operator(self, small: dict[str, Any], before: Any, after: Any, seed: int) -> Operator:
        """The fixed operator."""
        from seedbed.surgery.padding import Padded, check_number, growing

        grows = False
        for role, had, has in growing(before, after, ("experts", "stick_breaking"), "experts"):
            grows |= check_number(role, "experts", had["experts"], has["experts"])
            if {**has, "experts": had["experts"]} != had:
                raise InputError(f"to.{role}", "differs in more than `experts`", value=has, allowed=str(had))
        if not grows:
            raise InputError("to", "has no router with more experts than before")
        return Padded(small, after, seed)
