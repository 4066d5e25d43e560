"""How noisy the gradient is, and so how large a batch is worth its tokens.

With G the true gradient and S the trace of the covariance of a single target's gradient, the mean gradient of B targets
has E|G_B|^2 = |G|^2 + S / B; and the simple noise scale is S / |G|^2 (McCandlish et al., 2018, section 2.2). Two sizes
of batches give both unknowns (their appendix A.1). Here the small batches are a step's micro-batches, of n_1 ... n_k
targets, and the large one is the whole step, of N targets. Micro-batches need not be of one size:

    S     = (mean_i |G_i|^2 - |G_N|^2) / (mean_i 1/n_i - 1/N)
    |G|^2 = |G_N|^2 - S / N

which for equal sizes are the paper's two formulas. Either estimate is noisy and their ratio biased, so each is averaged
over steps first, and then divided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.core import distributed
from seedbed.core.checks import check_share
from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions
from seedbed.train.budget import Every, check_in_steps

if TYPE_CHECKING:
    import torch

    from seedbed.train.run import Run


def unbiased(mean_square: float, mean_inverse: float, whole_square: float, targets: float) -> tuple[float, float]:
    """|G|^2 and S, from the mean of the small batches' |G_i|^2 and of 1 / n_i, the large one's |G_N|^2, and N."""
    variance = (mean_square - whole_square) / (mean_inverse - 1 / targets)
    return whole_square - variance / targets, variance


@interventions.register("gradient_noise")
class GradientNoise(Intervention):
    """The gradient noise scale of McCandlish et al. (2018), in tokens, as `noise_scale` in the log: batches far below
    it can grow and save steps at hardly any cost in tokens, batches far above it waste tokens.

    Every so many steps the gradient of each micro-batch is told from their sum (a copy of the gradient, two passes over
    it), and where a step is a single micro-batch it is halved, which costs nothing but speed. The two estimates behind
    the ratio are averaged with weights that fall by `smoothing` a measurement; where either is not yet above zero, the
    log has null. Targets become tokens by the step's ratio of the two: with 15% of tokens masked, a target stands for
    6.7 tokens. The paper's other noise scale, with the Hessian, is not implemented.

    An intervention that changes gradients must stand behind this one.
    """

    def __init__(self, every: Every = Every(10, "steps"), smoothing: float = 0.9) -> None:
        check_in_steps(never=False, every=every)
        check_share("smoothing", smoothing)
        if smoothing == 1:
            raise InputError("smoothing", "must be below 1, or nothing is ever taken up", value=smoothing)
        self.every, self.smoothing = every, smoothing
        self._signal: float | None = None  # |G|^2
        self._variance: float | None = None  # S
        self._before: torch.Tensor | None = None  # the gradient without the newest micro-batch
        self._sums = [0.0, 0.0, 0.0]  # of this process: micro-batches, their |G_i|^2, their 1 / n_i

    def on_start(self, run: Run) -> None:
        """A step must have two parts."""
        if run.batch_rows < 2:
            raise InputError("batch_tokens", "gradient_noise needs two rows a step", value=run.batch_rows)

    def before_step(self, run: Run) -> None:
        """Begin a measurement if it is time."""
        self._before = None
        if self.every.due(run.step + 1, 0.0):
            import torch

            assert run.gradients is not None
            run.micro_batches = max(run.micro_batches, 2)
            self._before = torch.zeros_like(run.gradients.flat)
            self._sums = [0.0, 0.0, 0.0]

    def after_micro_batch(self, run: Run, targets: int) -> None:
        """What this one has added is its own gradient, of the sum over its targets."""
        if self._before is None or not targets:
            return
        import torch

        assert run.gradients is not None
        norm = float(torch.linalg.vector_norm(run.gradients.flat - self._before)) / targets
        self._before.copy_(run.gradients.flat)
        self._sums = [old + new for old, new in zip(self._sums, (1.0, norm**2, 1 / targets), strict=True)]

    def after_backward(self, run: Run) -> None:
        """Take up what was measured, the same in all processes."""
        if self._before is None:
            return
        self._before = None
        number, squares, inverses = distributed.total(self._sums)
        targets, whole = float(run.metrics["targets"]), run.metrics["grad_norm"] ** 2
        if number < 2 or not abs(whole) + squares < float("inf"):
            return
        signal, variance = unbiased(squares / number, inverses / number, whole, targets)
        keep = 0.0 if self._signal is None or self._variance is None else self.smoothing
        self._signal = keep * (self._signal or 0.0) + (1 - keep) * signal
        self._variance = keep * (self._variance or 0.0) + (1 - keep) * variance
        assert run.batch is not None
        tokens = run.batch.num_tokens / targets
        known = self._signal > 0 and self._variance > 0
        run.metrics["noise_scale"] = self._variance / self._signal * tokens if known else None

    def state_dict(self) -> dict[str, Any]:
        return {"signal": self._signal, "variance": self._variance}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._signal, self._variance = state["signal"], state["variance"]
