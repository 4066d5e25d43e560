"""bert2BERT: wider by copying neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.surgery import growth

if TYPE_CHECKING:
    from seedbed.surgery.method import Operator


@growth.register("bert2bert", papers=["103"])
class Bert2Bert:
    """Copies neurons so that the wider network computes what the narrow one did (Chen et al., 2022, section 3.3, after
    Net2Net), and stacks layers for depth.

    Function-preserving: rows repeat, and columns that read repeated values are divided by how often they are repeated;
    exact where the width grows by a whole factor and the depth stays. Copies have equal gradients for ever, though. So
    `advanced` (section 3.4) takes the repeating rows from the layer above, which breaks the symmetry and preserves the
    function roughly.

    Neurons are repeated in turn, where the paper draws them at random. Not here: its two-stage training of some layers
    first.
    """

    steps, lr = 0, 0.0

    def __init__(self, advanced: bool = True) -> None:
        self.advanced = advanced

    def operator(self, small: dict[str, Any], before: Any, after: Any, seed: int) -> Operator:
        """The fixed operator."""
        from seedbed.surgery.operators import WidthDepth

        return WidthDepth(small, before, after, advanced=self.advanced)
