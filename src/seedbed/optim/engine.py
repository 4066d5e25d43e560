"""The torch optimizer around our own update rules: groups, states, matrices within matrices, saving and loading.

A rule is a function `update(group, items)`: it changes each item's weights in place, from its gradient and its state,
with the group's `lr`, `weight_decay` and `step` (1 at the first update). Gradients are whole in every process, so a
rule acts as in one process. A state of zeros is one that has not begun: whoever sets a parameter's state to zero makes
the rule begin anew for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim.adamw import adamw as torch_adamw

from seedbed.core.errors import InputError

Tensor = torch.Tensor
_NUMBERS = ("updates", "weight_sum")  # states that a rule reads as numbers: on a GPU it would have to wait for them
Update = Callable[[dict[str, Any], "list[Item]"], None]


class State(MutableMapping[str, Tensor]):
    """The state of one matrix within a parameter: that part of the parameter's own whose names begin with a prefix."""

    def __init__(self, whole: dict[str, Tensor], prefix: str) -> None:
        self.whole, self.prefix = whole, prefix

    def __getitem__(self, name: str) -> Tensor:
        return self.whole[self.prefix + name]

    def __setitem__(self, name: str, value: Tensor) -> None:
        self.whole[self.prefix + name] = value

    def __delitem__(self, name: str) -> None:
        del self.whole[self.prefix + name]

    def __iter__(self) -> Iterator[str]:
        return (name[len(self.prefix) :] for name in self.whole if name.startswith(self.prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True)
class Item:
    """Weights that a rule updates (a parameter, or one of several matrices in it), their gradient and state."""

    weights: Tensor
    gradient: Tensor
    state: MutableMapping[str, Tensor]
    number: int  # of the parameter among all of the optimizer's, however its groups are split

    def zeros(self, *names: str) -> tuple[Tensor, ...]:
        """States like the weights, made when they are first asked for."""
        for name in names:
            if name not in self.state:
                self.state[name] = torch.zeros_like(self.weights)
        return tuple(self.state[name] for name in names)

    def add(self, name: str, amount: float) -> float:
        """Add to a number of the state, kept in a tensor on the CPU; its new value."""
        assert name in _NUMBERS
        if name not in self.state:
            self.state[name] = torch.zeros((), dtype=torch.float64)
        return float(self.state[name].add_(amount))

    def count_update(self) -> int:
        """How many updates these weights have had, this one included."""
        return int(self.add("updates", 1))


class Engine(torch.optim.Optimizer):
    """Runs rules over groups; a group's `rule` names its own, and "adamw" is always there.

    `parts`: rows of the matrices that a parameter holds one below the other; each is an item of its own.
    `whole`: the rules need whole parameters; without it they work element by element, and so on shards too.
    `judged_at`: for a rule that is judged by other weights than it trains, those of an item (see `eval`).
    `sampled`, `sample_every`: for a rule that every so many steps wants the gradient of a loss whose targets are drawn
    from the network's own prediction: the function that takes it, with the number of targets in `group["count"]`.
    """

    # torch wraps these in what imports its compiler first, and that takes two seconds of every start
    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)

    def __init__(
        self,
        groups: list[dict[str, Any]],
        rules: Mapping[str, Update],
        *,
        lr: float,
        parts: Mapping[Tensor, tuple[int, ...]] | None = None,
        whole: bool = False,
        judged_at: Callable[[Item], Tensor] | None = None,
        sampled: Update | None = None,
        sample_every: int = 0,
    ) -> None:
        self.rules: dict[str, Update] = {"adamw": update_adamw, **rules}
        self.parts, self.judged_at = dict(parts or {}), judged_at
        self.sampled, self.sample_every = sampled, sample_every
        self._trained: list[tuple[Tensor, Tensor]] | None = None
        (own,) = rules
        self.kind = own  # what a checkpoint says that its states are of
        if whole and any(hasattr(parameter, "full_tensor") for group in groups for parameter in group["params"]):
            raise InputError("optimizer", "updates whole parameters, and these lie in shards", value=own, fix="adamw")
        super().__init__(groups, {"lr": lr, "weight_decay": 0.0, "rule": own, "step": 0})
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        self._numbers = {parameter: number for number, parameter in enumerate(parameters)}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        assert self._trained is None, "an update of weights that stand in for others: call train() first"
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            items = self._items(group)
            if items:
                group["step"] += 1
                self.rules[group["rule"]](group, items)
        return loss

    def _items(self, group: dict[str, Any]) -> list[Item]:
        found = []
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state, parts, number = self.state[parameter], self.parts.get(parameter), self._numbers[parameter]
            if parts is None or group["rule"] == "adamw":
                found.append(Item(parameter, parameter.grad, state, number))
                continue
            pieces = zip(parameter.split(parts), parameter.grad.split(parts), strict=True)
            found += [
                Item(weights, gradient, State(state, f"part{place}_"), number)
                for place, (weights, gradient) in enumerate(pieces)
            ]
        return found

    @property
    def wants_sampled_gradient(self) -> bool:
        """Whether the coming step should bring a gradient with sampled targets first (`take_sampled_gradient`)."""
        return self.sample_every > 0 and self.param_groups[0]["step"] % self.sample_every == 0

    @torch.no_grad()
    def take_sampled_gradient(self, count: float) -> None:
        """The parameters' gradients are those of the mean loss of `count` targets that the network has drawn itself."""
        assert self.sampled is not None
        for group in self.param_groups:
            self.sampled({**group, "count": count}, self._items(group))

    @torch.no_grad()
    def eval(self) -> None:
        """Put the weights in place that the rule is judged by."""
        if self.judged_at is None or self._trained is not None:
            return
        self._trained = []
        for group in self.param_groups:
            for parameter in group["params"]:
                if self.state.get(parameter):
                    self._trained.append((parameter, parameter.clone()))
                    item = Item(parameter, parameter, self.state[parameter], self._numbers[parameter])
                    parameter.copy_(self.judged_at(item))

    @torch.no_grad()
    def train(self) -> None:
        """Put the trained weights back."""
        for parameter, weights in self._trained or []:
            parameter.copy_(weights)
        self._trained = None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch does, but tensors keep their types, where torch casts all to the parameters' type."""
        inspect.unwrap(torch.optim.Optimizer.load_state_dict)(self, state_dict)
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            for parameter, index in zip(group["params"], saved["params"], strict=True):
                for name, value in state_dict["state"].get(index, {}).items():
                    device = value.device if name.endswith(_NUMBERS) else parameter.device
                    self.state[parameter][name] = value.detach().to(device, copy=True)


def update_adamw(group: dict[str, Any], items: list[Item]) -> None:
    """AdamW by torch, also for parameters that a matrix method leaves to it. The group has `betas` and `eps`."""
    moments = [item.zeros("exp_avg", "exp_avg_sq") for item in items]
    for item in items:
        if "step" not in item.state:
            item.state["step"] = torch.zeros((), dtype=torch.float32, device=item.weights.device)
    torch_adamw(
        [item.weights for item in items],
        [item.gradient for item in items],
        [first for first, _ in moments],
        [second for _, second in moments],
        [],
        [item.state["step"] for item in items],
        fused=group.get("fused", True),
        amsgrad=False,
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        lr=group["lr"],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
    )


def adam_direction(item: Item, gradient: Tensor, betas: tuple[float, float], eps: float, updates: int) -> Tensor:
    """m^ / (sqrt(v^) + eps) of a gradient that need not have the weights' shape; m and v are in the item's state."""
    for name in ("exp_avg", "exp_avg_sq"):
        if name not in item.state:
            item.state[name] = torch.zeros_like(gradient)
    first, second = item.state["exp_avg"], item.state["exp_avg_sq"]
    first.lerp_(gradient, 1 - betas[0])
    second.mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
    return normalized(first, second, betas, eps, updates)


def normalized(first: Tensor, second: Tensor, betas: tuple[float, float], eps: float, updates: int) -> Tensor:
    """m^ / (sqrt(v^) + eps), both moments corrected for their bias after so many updates."""
    root = (second / (1 - betas[1] ** updates)).sqrt_().add_(eps)
    return (first / (1 - betas[0] ** updates)).div_(root)
