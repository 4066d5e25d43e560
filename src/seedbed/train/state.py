"""What a checkpoint holds of a run, and back.

Tensors go into safetensors files, all else into JSON; in nested values a tensor's place is taken by a marker with
its name. Optimizer states are kept by the parameters' names, so that nothing depends on their order.

A checkpoint holds whole tensors however many processes there were. Those that lie in shards are gathered one at a time,
to the first process's memory, and each process takes its part of them again when it reads. torch's
`get_state_dict` would gather alike, but it knows its own optimizers and names only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core import distributed
from seedbed.core.errors import InputError

if TYPE_CHECKING:
    import torch

    from seedbed.train.checkpoint import Checkpoint
    from seedbed.train.intervention import Intervention
    from seedbed.train.run import Run

_TENSOR, _ARRAY = "__tensor__", "__array__"
_COUNTERS = ("step", "tokens", "positions", "pairs", "targets", "counts", "seconds", "cpu_seconds")


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor as it is; of one in shards, all of it on the CPU in the first process, and the shard in the others."""
    if not hasattr(tensor, "full_tensor"):
        return tensor
    full: torch.Tensor = tensor.full_tensor()
    return full.cpu() if distributed.rank() == 0 else tensor


def placed(tensor: torch.Tensor, like: Any) -> torch.Tensor:
    """A whole tensor as it is, or this process's part of it where `like`, of the same shape, is in shards."""
    if not hasattr(like, "full_tensor"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def pack(value: Any, prefix: str, tensors: dict[str, torch.Tensor]) -> Any:
    """A nested value as JSON; its tensors are put into `tensors` under dotted names."""
    import torch

    if isinstance(value, torch.Tensor):
        tensors[prefix] = whole(value)
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
    """The parts of a checkpoint, as `Checkpoints.save` takes them in the first process; a collective."""
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
    parts = {
        "model": {name: whole(tensor) for name, tensor in _weights(run).items()},
        "optimizer": optimizer,
        "interventions": interventions,
        "stream": stream,
    }
    return parts, state


def restore(run: Run, checkpoint: Checkpoint) -> dict[str, Any]:
    """Bring a run to where a checkpoint was; returns the checkpoint's state."""
    state = checkpoint.state()
    restore_network(run, checkpoint, state)
    for name in _COUNTERS:
        setattr(run, name, state.get(name, 0.0) if name == "cpu_seconds" else state[name])  # which came later
    run.stream.load_state_dict(unpack(state["stream"], checkpoint.tensors("stream")))
    _restore_interventions(run.interventions, state["interventions"], checkpoint)
    return state


def restore_network(run: Run, checkpoint: Checkpoint, state: dict[str, Any], *, settings: bool = True) -> None:
    """Weights and optimizer only. Without `settings` the optimizer keeps its own (rate, betas ...), and takes of the
    checkpoint the moments and the factor that the rate had."""
    import torch

    saved, current = checkpoint.tensors("model"), _weights(run)
    _same_names(saved, current, checkpoint)
    with torch.no_grad():
        for name, tensor in current.items():
            if tensor.shape != saved[name].shape:
                raise InputError(str(checkpoint.path), f"{name} has shape {tuple(saved[name].shape)}")
            tensor.copy_(placed(saved[name], tensor))
    state_of_group = ("params", "step")
    own = [{k: v for k, v in group.items() if k not in state_of_group} for group in run.optimizer.param_groups]
    _load_optimizer(run, unpack(state["optimizer"], checkpoint.tensors("optimizer")), checkpoint)
    if settings:
        return
    for group, mine in zip(run.optimizer.param_groups, own, strict=True):
        rate = mine["lr"] * group["lr"] / group["initial_lr"]
        group.update({**mine, "lr": rate, "initial_lr": rate})


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
        "kind": _kind(run.optimizer),
        "state": {order[index]: values for index, values in full["state"].items()},
        "groups": [{**group, "params": names} for group, names in zip(full["param_groups"], groups, strict=True)],
    }


def _kind(optimizer: torch.optim.Optimizer) -> str:
    return getattr(optimizer, "kind", type(optimizer).__name__)


def _load_optimizer(run: Run, saved: dict[str, Any], checkpoint: Checkpoint) -> None:
    groups = _names_in_order(run)
    if saved["kind"] != _kind(run.optimizer):
        raise InputError(
            "optimizer",
            "is another one than the checkpoint's",
            value=_kind(run.optimizer),
            allowed=saved["kind"],
        )
    if [group["params"] for group in saved["groups"]] != groups:
        raise InputError(str(checkpoint.path), "its optimizer has other parameters, or groups them otherwise")
    index = {name: number for number, name in enumerate(name for group in groups for name in group)}
    parameters = dict(run.network.named_parameters())
    options = [
        {name: tuple(value) if isinstance(value, list) else value for name, value in group.items() if name != "params"}
        for group in saved["groups"]
    ]  # JSON knows no tuples, and optimizers keep theirs (betas) so
    run.optimizer.load_state_dict(
        {
            "state": {index[name]: _placed_state(values, parameters[name]) for name, values in saved["state"].items()},
            "param_groups": [
                {**values, "params": [index[name] for name in names]}
                for values, names in zip(options, groups, strict=True)
            ],
        }
    )


def _placed_state(values: dict[str, Any], parameter: Any) -> dict[str, Any]:
    """Where a parameter is in shards, so are the states that have its shape; its optimizer works elementwise."""
    return {
        name: placed(value, parameter) if getattr(value, "shape", None) == parameter.shape else value
        for name, value in values.items()
    }


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
