"""What a checkpoint holds of a run, and back.

Tensors go into safetensors files, all else into JSON; in nested values a tensor's place is taken by a marker with
its name. Optimizer states are kept by the parameters' names, so that nothing depends on their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    import torch

    from seedbed.train.checkpoint import Checkpoint
    from seedbed.train.intervention import Intervention
    from seedbed.train.run import Run

_TENSOR, _ARRAY = "__tensor__", "__array__"
_COUNTERS = ("step", "tokens", "positions", "targets", "counts", "seconds")


def pack(value: Any, prefix: str, tensors: dict[str, torch.Tensor]) -> Any:
    """A nested value as JSON; its tensors are put into `tensors` under dotted names."""
    import torch

    if isinstance(value, torch.Tensor):
        tensors[prefix] = value
        return {_TENSOR: prefix}
    if isinstance(value, np.ndarray):
        return {_ARRAY: value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        assert all(isinstance(name, str) for name in value), f"{prefix}: names of a state are text"
        return {name: pack(item, f"{prefix}.{name}".strip("."), tensors) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [pack(item, f"{prefix}.{index}", tensors) for index, item in enumerate(value)]
    assert value is None or isinstance(value, str | int | float | bool), f"{prefix}: {value!r} cannot be saved"
    return value


def unpack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """The opposite of `pack`, but for tuples, which come back as lists."""
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        if _ARRAY in value:
            return np.asarray(value[_ARRAY], dtype=value["dtype"])
        return {name: unpack(item, tensors) for name, item in value.items()}
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    return value


def capture(run: Run, extra: dict[str, Any]) -> tuple[dict[str, dict[str, torch.Tensor]], dict[str, Any]]:
    """The parts of a checkpoint, as `Checkpoints.save` takes them."""
    optimizer: dict[str, torch.Tensor] = {}
    interventions: dict[str, torch.Tensor] = {}
    stream: dict[str, torch.Tensor] = {}
    state = {
        **{name: getattr(run, name) for name in _COUNTERS},
        "stream": pack(run.stream.state_dict(), "", stream),
        "optimizer": pack(_optimizer_state(run), "", optimizer),
        "interventions": [
            {"name": type(item).__name__, "state": pack(item.state_dict(), str(index), interventions)}
            for index, item in enumerate(run.interventions)
        ],
        **extra,
    }
    parts = {"model": _weights(run), "optimizer": optimizer, "interventions": interventions, "stream": stream}
    return parts, state


def restore(run: Run, checkpoint: Checkpoint) -> dict[str, Any]:
    """Bring a run to where a checkpoint was; returns the checkpoint's state."""
    state = checkpoint.state()
    restore_network(run, checkpoint, state)
    for name in _COUNTERS:
        setattr(run, name, state[name])
    run.stream.load_state_dict(unpack(state["stream"], checkpoint.tensors("stream")))
    _restore_interventions(run.interventions, state["interventions"], checkpoint)
    return state


def restore_network(run: Run, checkpoint: Checkpoint, state: dict[str, Any]) -> None:
    """Weights and optimizer only."""
    import torch

    saved, current = checkpoint.tensors("model"), _weights(run)
    _same_names(saved, current, checkpoint)
    with torch.no_grad():
        for name, tensor in current.items():
            if tensor.shape != saved[name].shape:
                raise InputError(str(checkpoint.path), f"{name} has shape {tuple(saved[name].shape)}")
            tensor.copy_(saved[name])
    _load_optimizer(run, unpack(state["optimizer"], checkpoint.tensors("optimizer")), checkpoint)


def _weights(run: Run) -> dict[str, torch.Tensor]:
    """Parameters (a shared one once) and the buffers that a state dict has."""
    kept = run.network.state_dict().keys()
    buffers = {name: buffer for name, buffer in run.network.named_buffers() if name in kept}
    return {**{name: p.detach() for name, p in run.network.named_parameters()}, **buffers}


def _names_in_order(run: Run) -> list[list[str]]:
    """For each group of the optimizer the names of its parameters."""
    names = {id(parameter): name for name, parameter in run.network.named_parameters()}
    return [[names[id(p)] for p in group["params"]] for group in run.optimizer.param_groups]


def _optimizer_state(run: Run) -> dict[str, Any]:
    groups = _names_in_order(run)
    order = [name for group in groups for name in group]
    full = run.optimizer.state_dict()
    return {
        "state": {order[index]: values for index, values in full["state"].items()},
        "groups": [{**group, "params": names} for group, names in zip(full["param_groups"], groups, strict=True)],
    }


def _load_optimizer(run: Run, saved: dict[str, Any], checkpoint: Checkpoint) -> None:
    groups = _names_in_order(run)
    if [group["params"] for group in saved["groups"]] != groups:
        raise InputError(str(checkpoint.path), "its optimizer has other parameters, or groups them otherwise")
    index = {name: number for number, name in enumerate(name for group in groups for name in group)}
    options = [
        {name: tuple(value) if isinstance(value, list) else value for name, value in group.items() if name != "params"}
        for group in saved["groups"]
    ]  # JSON knows no tuples, and optimizers keep theirs (betas) so
    run.optimizer.load_state_dict(
        {
            "state": {index[name]: values for name, values in saved["state"].items()},
            "param_groups": [
                {**values, "params": [index[name] for name in names]}
                for values, names in zip(options, groups, strict=True)
            ],
        }
    )


def _restore_interventions(
    interventions: Sequence[Intervention], saved: list[dict[str, Any]], checkpoint: Checkpoint
) -> None:
    names = [type(item).__name__ for item in interventions]
    if names != [item["name"] for item in saved]:
        raise InputError(str(checkpoint.path), "was written with other interventions", value=names)
    tensors = checkpoint.tensors("interventions")
    for item, values in zip(interventions, saved, strict=True):
        item.load_state_dict(unpack(values["state"], tensors))


def _same_names(saved: Any, current: Any, checkpoint: Checkpoint) -> None:
    missing, unknown = sorted(set(current) - set(saved)), sorted(set(saved) - set(current))
    if missing or unknown:
        raise InputError(str(checkpoint.path), f"holds another network: lacks {missing[:3]}, has besides {unknown[:3]}")
