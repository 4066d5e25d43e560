"""Growth of networks whose layers look up parameters, by more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.surgery import growth

if TYPE_CHECKING:
    from seedbed.surgery.method import Operator


@growth.register("pairs", papers=["144"])
class Pairs:
    """Gives every lookup of a TokenFormer more pairs of a key and a value (Wang et al., 2024), of which the keys are
    zeros and the values drawn as in a new network. The large network computes what the small one did, as gelu(0) = 0
    and a score of zero changes no norm, and learns at once, as gelu'(0) = 1/2.

    Only `tokens` of mixers and feedforwards `pattention` may differ. The large network's `scale` must be the small
    one's, which is its `tokens` where it was not said.
    """

    steps, lr = 0, 0.0

    def operator(self, small: dict[str, Any], before: Any, after: Any, seed: int) -> Operator:
        """The fixed operator."""
        from seedbed.surgery.padding import Padded, check_number, growing

        sizes = {"mixers": before.width, "feedforwards": before.feedforward}
        grows = False
        for role, *settings in growing(before, after, ("pattention",), "tokens"):
            had, has = (one.get("tokens") or sizes[role] for one in settings)
            scale, scaled = (one.get("scale") or one.get("tokens") or sizes[role] for one in settings)
            grows |= check_number(role, "tokens", had, has)
            if scaled != scale:
                fix = f"scale: {scale}"
                raise InputError(f"to.{role}.scale", "must stay, or the scores would change", value=scaled, fix=fix)
        if not grows:
            raise InputError("to", "has no pattention with more tokens than before")
        return Padded(small, after, seed, zeros=("keys.weight",))
