"""Parameters that want another rate than the optimizer's own."""

from __future__ import annotations

from typing import Any


def scale_rates(optimizer: Any, network: Any) -> Any:
    """The torch optimizer, before its first step, with every group split by what the network's `rate_scale` says.

    A network (as with width transfer) may have a method `rate_scale(name)`: how many times the optimizer's learning
    rate that of the parameter is to be. Weight decay is divided by it: what decays in a step is rate times decay, and
    stays the same. Groups at the full rate come first. Without any scale but 1 the optimizer is left as it is.
    """
    scale_of = getattr(network, "rate_scale", lambda name: 1.0)
    scales = {id(parameter): scale_of(name) for name, parameter in network.named_parameters()}
    found: list[dict[str, Any]] = []
    for group in optimizer.param_groups:
        parts: dict[float, list[Any]] = {}
        for parameter in group["params"]:
            parts.setdefault(scales.get(id(parameter), 1.0), []).append(parameter)
        for scale, parameters in parts.items():
            changed = {"lr": group["lr"] * scale, "weight_decay": group.get("weight_decay", 0.0) / scale}
            found.append({**group, "params": parameters, **(changed if scale != 1 else {}), "lr_scale": scale})
    if any(group["lr_scale"] != 1 for group in found):
        optimizer.param_groups = sorted(found, key=lambda group: -group["lr_scale"])
    return optimizer
