"""How large activations are, and how heavy their tails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from seedbed.core import distributed
from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions
from seedbed.train.budget import Every, check_in_steps

if TYPE_CHECKING:
    import torch

    from seedbed.train.run import Run

_POWERS = (1, 2, 3, 4)


@interventions.register("activation_norms")
class ActivationNorms(Intervention):
    """Every so many steps the root mean square and the kurtosis of modules' outputs, over all positions (padding
    included) and channels of the step's batch: `activation_rms` and `activation_kurtosis` in the log, by module.

    Kurtosis is the fourth central moment by the squared variance: 3 for a normal distribution, and the larger the more
    a few activations stand out, which is what makes a network hard to quantize (Bondarenko et al., 2023). `modules` are
    names in the network, with `*` for one part of a name; the default is what each layer hands to the next. An
    intervention that computes with the network itself (`task_loss`, `spike_guard`) must stand behind this one.
    """

    def __init__(self, every: Every = Every(50, "steps"), modules: list[str] = ["layers.*"]) -> None:  # noqa: B006
        check_in_steps(never=False, every=every)
        self.every, self.patterns = every, modules
        self._measuring = False
        self._sums: dict[str, list[float]] = {}  # of each module: values, and the sums of their powers
        self._hooks: list[Any] = []

    def on_start(self, run: Run) -> None:
        """Look for the modules and listen to them."""
        patterns = [re.compile(re.escape(pattern).replace(r"\*", "[^.]+")) for pattern in self.patterns]
        self._hooks = []
        for name, module in run.network.named_modules():
            if any(pattern.fullmatch(name) for pattern in patterns):
                self._hooks.append(module.register_forward_hook(self._listener(name)))
        if not self._hooks:
            known = [name for name, _ in run.network.named_modules() if name]
            raise InputError("modules", "no module has such a name", value=self.patterns, allowed=known)

    def _listener(self, name: str) -> Any:
        def listen(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
            if self._measuring:
                values = output.detach().double()
                own = [float(values.numel()), *(float((values**power).sum()) for power in _POWERS)]
                self._sums[name] = [a + b for a, b in zip(self._sums.get(name, [0.0] * 5), own, strict=True)]

        return listen

    def before_step(self, run: Run) -> None:
        """Begin if it is time."""
        self._measuring, self._sums = self.every.due(run.step + 1, 0.0), {}

    def after_backward(self, run: Run) -> None:
        """Bring the processes' sums together."""
        if not self._measuring:
            return
        self._measuring = False
        names = distributed.from_first(list(self._sums))
        flat = distributed.total([value for name in names for value in self._sums.get(name, [0.0] * 5)])
        found = {name: moments(*flat[5 * index : 5 * index + 5]) for index, name in enumerate(names)}
        run.metrics["activation_rms"] = {name: rms for name, (rms, _) in found.items()}
        run.metrics["activation_kurtosis"] = {name: kurtosis for name, (_, kurtosis) in found.items()}

    def on_end(self, run: Run) -> None:
        """Stop listening."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []


def moments(number: float, first: float, second: float, third: float, fourth: float) -> tuple[float, float]:
    """Root mean square and kurtosis, from the number of values and the sums of their powers."""
    mean, square, cube, fourth = (value / number for value in (first, second, third, fourth))
    variance = square - mean**2
    central = fourth - 4 * mean * cube + 6 * mean**2 * square - 3 * mean**4
    return square**0.5, central / variance**2 if variance else float("nan")
