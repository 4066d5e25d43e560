"""What optimizers and schedules are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from seedbed.models.network import Network


class Schedule(Protocol):
    """A pure function of progress in [0, 1].

    As a learning-rate schedule it multiplies the optimizer's rate; as a masking-rate schedule it is the rate. One that
    depends on the run's size has also `bind(*, tokens, batch_tokens, lr)`, which a run calls before it begins.
    """

    def __call__(self, progress: float) -> float: ...


class Optimizer(Protocol):
    """The configuration of an update rule."""

    lr: float  # the peak rate, which the schedule multiplies

    def build(self, network: Network) -> torch.optim.Optimizer:
        """A torch optimizer for the network's trainable parameters. Each group's `lr` is the peak; a group that
        wants another rate than `self.lr` keeps its ratio to it throughout the schedule.

        It may have `eval()` and `train()`, where it is judged by other weights than it trains, and
        `wants_sampled_gradient` with `take_sampled_gradient(count)`, where it needs the gradient of a loss whose
        targets the network has drawn."""
