"""The power schedule."""

from __future__ import annotations

from seedbed.core.checks import check_parts, check_positive
from seedbed.core.errors import InputError
from seedbed.optim import schedules
from seedbed.optim.warmup import Shape, left, rising, share_of_last

ROW_TOKENS = 4096  # the paper counts a batch in rows of so many tokens


@schedules.register("power", papers=["136"])
class Power:
    """A learning rate that falls with the tokens seen and rises with the batch, whatever the run's length (Shen et al.,
    2024, equations 7 and 8): lr(n) = min(lr_max, B a n^b), n tokens into the run; B is the batch in rows of 4,096
    tokens, whatever the run's own length of row; lr_max is the optimizer's `lr`.

    Over the first `warmup` of the run it rises in a straight line to lr(warmup); over the last `decay` it falls from
    lr(1 - decay) to 0 as `shape` says (`wsd` has the formulas). a = 4, b = -0.51 are the paper's, found with width
    transfer (a backbone's `width_transfer`) on 36 million parameters and 2 to 128 billion tokens, with lr_max = 0.02;
    for other data and sizes fit a at a small budget. In the paper the warmup is a billion tokens, and the decay
    exponential, of a form that it does not give.
    """

    def __init__(
        self, a: float = 4.0, b: float = -0.51, warmup: float = 0.05, decay: float = 0.1, shape: Shape = "sqrt"
    ) -> None:
        check_positive(a=a)
        if not -1 <= b <= 0:
            raise InputError("b", "must lie between -1 and 0", value=b)
        check_parts(warmup=warmup, decay=decay)
        self.a, self.b, self.warmup, self.decay, self.shape = a, b, warmup, decay, shape
        self.tokens = self.scale = 0.0

    def bind(self, *, tokens: float, batch_tokens: int, lr: float) -> None:
        """Take in the run's length and batch in tokens, and the optimizer's rate, by which this is a factor."""
        self.tokens, self.scale = tokens, batch_tokens / ROW_TOKENS * self.a / lr

    def __call__(self, progress: float) -> float:
        if not self.tokens:
            raise InputError("power", "is a learning-rate schedule: it needs a run's tokens and batch", fix="wsd")
        rise = rising(progress, self.warmup, self._stable(self.warmup))
        if rise is not None:
            return rise
        share = share_of_last(progress, self.decay)
        return self._stable(progress) if share is None else left(share, self.shape) * self._stable(1 - self.decay)

    def _stable(self, progress: float) -> float:
        """Without warmup and decay; the first token counts as one, so that the power is finite."""
        return float(min(1.0, self.scale * max(1.0, progress * self.tokens) ** self.b))
