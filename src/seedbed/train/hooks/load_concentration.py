"""A loss under which few experts do the work."""

from __future__ import annotations

from typing import Any

from seedbed.core.checks import check_positive
from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions


@interventions.register("load_concentration", papers=["197"])
class LoadConcentration(Intervention):
    """Concentrates the load while a network of experts is trained on for one purpose (ModuleFormer; Shen et al., 2023):
    in the place of the loss that keeps all experts in use one that is small where few of them are, so that the others
    can be taken out afterwards (step `prune_modules`).

    The loss is the entropy of the routers' mean probabilities, - sum of P log P, of each row, added for each target and
    over layers. weight: of that loss, in the place of the network's own. It is logged as `concentration`.

    The paper has a loss of this purpose at fine-tuning; its formula we could not look up, and the authors' published
    code does not have it. The entropy is our reading, as are rows in the place of a batch. The saved network has its
    own loss and weight again.
    """

    def __init__(self, weight: float = 0.01) -> None:
        check_positive(weight=weight)
        self.weight = weight

    def prepare(self, network: Any, seed: int) -> None:
        """Another loss in all routers. Raises InputError for a network without any."""
        from seedbed.models.sequence.experts import Routed

        routed = [module for module in network.modules() if isinstance(module, Routed)]
        if not routed:
            raise InputError("load_concentration", "is for networks with experts", allowed="stick_breaking, experts")
        for module in routed:
            module.balance, module.weight = "concentration", self.weight
