"""Weights, gradients and optimizer states in shards: of each, every process keeps its part of the rows.

This is `fully_shard` of torch (FSDP2, after Zhao et al., 2023, PyTorch FSDP, and Rajbhandari et al., 2020, ZeRO,
stage 3). The layers are one group each, gathered when a pass comes to it and dropped behind it; the rest (embeddings,
last norm, head) is the outermost group, gathered once a pass. Gradients are reduced at every micro-batch, so that
whole ones never exist beside each other for more than a layer and the outermost group.

- **What is gathered when.** torch gathers a group at its module's `forward`. Objectives call what they like of a
  network (`hidden`, `head`, `output`, the embedding's own weights), so the outermost module is not the network but the
  whole of a pass (`_Pass`): its forward is the objective's loss. Within it every weight is there, without as well.
- **Sums, not means**: the loop divides once by the global number of targets.
- **Arithmetic** is that of one process: weights are gathered in float32 and cast where they are used, as the network
  does by itself. Gathering them in bf16 would halve the traffic, and round norms and the sums of gradients.
- **The same collectives in all processes**: each must make the same number of passes through the same layers, so the
  loop pads with idle passes, and parameters that a pass has not used get a gradient of zeros.

Not here: hybrid sharding, offload to the CPU, prefetching further than torch does by itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from seedbed.core import distributed
from seedbed.objectives.base import Loss
from seedbed.train.gradients import Gradients, trainable
from seedbed.train.state import whole

if TYPE_CHECKING:
    from seedbed.objectives.base import Examples, Objective

Tensor = torch.Tensor


class Sharding:
    """Puts a network into shards, in place, and makes passes through it.

    The network stays on the CPU until then; its parameters are other objects afterwards, and an optimizer is built on
    those. Outside of `loss` they are all in shards (DTensors): elementwise work on them needs no communication.
    """

    def __init__(self, network: Any, objective: Objective, device: torch.device) -> None:
        distributed.setup()
        marks = {name: dict(vars(parameter)) for name, parameter in network.named_parameters()}
        mesh = init_device_mesh(device.type, (distributed.world_size(),))
        shared = getattr(getattr(network, "architecture", None), "shared", False)
        layers = [] if shared else list(dict.fromkeys(getattr(network, "layers", ())))
        self._plain = [(layer, type(layer), [set(hooks) for hooks in _hooks(layer)]) for layer in layers]
        for layer in layers:
            fully_shard(layer, mesh=mesh)
        self.network, self._pass = network, _Pass(network, objective, layers)
        fully_shard(self._pass, mesh=mesh)
        for module in self._pass.modules():
            if isinstance(module, FSDPModule):
                module.set_gradient_divide_factor(1.0)
                module.set_force_sum_reduction_for_comms(True)  # gloo knows no other; NCCL's sum is as fast
        for name, parameter in network.named_parameters():
            vars(parameter).update(marks[name])  # such as `lr_scale`

    def loss(self, examples: Examples) -> Loss:
        """The objective's loss. All processes must call it equally often."""
        found = Loss(*self._pass(examples))
        if not torch.is_grad_enabled():
            self._outermost.reshard()  # a backward pass would have done it; weights may change before the next one
        return found

    def gradients(self) -> Gradients:
        return ShardedGradients(self.network)

    @property
    def _outermost(self) -> FSDPModule:
        assert isinstance(self._pass, FSDPModule)
        return self._pass

    def gather(self) -> torch.device:
        """For good: in the first process the network becomes a plain one on the CPU, whose device is returned. A
        collective, and the last one: a pass through the network there asks no other process."""
        whole_ones: dict[Tensor, torch.nn.Parameter] = {}
        for module in self.network.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                if parameter not in whole_ones:
                    full = whole(parameter.detach())
                    whole_ones[parameter] = torch.nn.Parameter(full, requires_grad=parameter.requires_grad)
                if distributed.rank() == 0:
                    module.register_parameter(name, whole_ones[parameter])
        for layer, kind, before in self._plain:
            layer.__class__ = kind
            for hooks, known in zip(_hooks(layer), before, strict=True):
                for number in set(hooks) - known:
                    del hooks[number]
        return torch.device("cpu")


def _hooks(module: torch.nn.Module) -> list[dict[int, Any]]:
    """What torch calls around a module's forward, `fully_shard`'s own among it."""
    return [module._forward_pre_hooks, module._forward_hooks]


class _Pass(torch.nn.Module):
    """A pass through a network, as a module: from examples to the fields of a `Loss`."""

    def __init__(self, network: torch.nn.Module, objective: Objective, layers: list[torch.nn.Module]) -> None:
        super().__init__()
        self.network, self.objective = network, objective
        inside = {module for layer in layers for module in layer.modules()}
        self._outside = [module for module in network.modules() if module not in inside]

    def forward(self, examples: Examples) -> tuple[Tensor, int, dict[str, Tensor], dict[str, Loss]]:
        loss = self.objective.loss(self.network, examples)  # type: ignore[arg-type]
        outer = [p for module in self._outside for p in module.parameters(recurse=False) if p.requires_grad]
        used: Tensor = _Use.apply(loss.sum, *outer)
        return used, loss.count, loss.sums, loss.detached().parts


class _Use(torch.autograd.Function):
    """A loss as it is, with a gradient of zeros for parameters: where a process has not used one (the head, in a batch
    without targets), torch would leave it out of the sum that the others wait in."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, *parameters: Tensor) -> Tensor:
        ctx.parameters = [(p.shape, p.dtype) for p in parameters]
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:
        (grad,) = grads
        return grad, *(grad.new_zeros((), dtype=dtype).expand(shape) for shape, dtype in ctx.parameters)


class ShardedGradients(Gradients):
    """The gradients of this process's shards; they are summed over processes as the backward pass goes."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.parameters = trainable(network)
        self._parts: list[Tensor] = []

    def clear(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def add_processes(self) -> None:
        """They are sums already; a parameter that no loss has reached gets zeros, as in `Gradients`."""
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self._parts = [grad.to_local() for p in self.parameters if isinstance(grad := p.grad, DTensor)]

    def scale(self, factor: float) -> None:
        torch._foreach_mul_(self._parts, factor)

    def norm(self) -> float:
        squares = sum(float(torch.linalg.vector_norm(part)) ** 2 for part in self._parts)
        return math.sqrt(distributed.total([squares])[0])
