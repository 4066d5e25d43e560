"""Sharpness-aware minimization: the gradient of the worst weights nearby, in place of the weights' own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from seedbed.core.checks import check_positive
from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions
from seedbed.train.hooks.private import Private

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("sharpness_aware", papers=["167"])
class SharpnessAware(Intervention):
    """Sharpness-aware minimization (SAM: Foret et al., 2021, algorithm 1): the weights w climb by e = `radius` g / |g|,
    g their gradient over the whole batch; the gradient there, of the same inputs, is what the optimizer gets at w.

    adaptive: e = radius * w^2 g / | |w| g |, element by element, so that rescaled weights climb as far (ASAM: Kwon et
    al., 2021, algorithm 1, without its eta: a weight of zero stays). The log has as `sharpness` how much higher the
    loss is at w + e, in nats a target. Every step takes two passes over its batch, which FLOPs count. Clipping sees the
    second gradient. g is the gradient of all processes' rows together (in the paper each climbs by its own rows').

    Interventions that change gradients must stand behind this one, which replaces them; `private` and it exclude each
    other. It looks at whole gradients, so `sharding: full` refuses it.
    """

    passes: ClassVar[int] = 2  # over the batch, in every step

    def __init__(self, radius: float = 0.05, adaptive: bool = False) -> None:
        check_positive(radius=radius)
        self.radius, self.adaptive = radius, adaptive

    def on_start(self, run: Run) -> None:
        """Not beside what must see each row's gradient once."""
        if any(isinstance(other, Private) for other in run.interventions):
            raise InputError(
                "interventions", "sharpness_aware takes a second gradient, which private does not account for"
            )

    def after_backward(self, run: Run) -> None:
        """Climb, take the gradient there, and come back to the very same weights."""
        import torch

        gradients, norm = run.gradients, run.metrics["grad_norm"]
        assert gradients is not None
        if not run.metrics["targets"] or not math.isfinite(norm):
            return
        scales = [parameter.detach().square() if self.adaptive else 1.0 for parameter in gradients.parameters]
        if self.adaptive:
            pairs = zip(gradients.parameters, gradients.views, strict=True)
            norm = math.sqrt(sum(float((parameter.detach() * view).square().sum()) for parameter, view in pairs))
        if norm == 0:
            return
        before = [parameter.detach().clone() for parameter in gradients.parameters]
        with torch.no_grad():
            for parameter, view, scale in zip(gradients.parameters, gradients.views, scales, strict=True):
                parameter.add_(view * scale, alpha=self.radius / norm)
        totals = run.gradient_again()
        with torch.no_grad():
            for parameter, value in zip(gradients.parameters, before, strict=True):
                parameter.copy_(value)
        run.metrics["sharpness"] = totals.loss / totals.count - run.metrics["loss"]
        run.measure_gradients()
