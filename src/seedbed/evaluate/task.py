"""What a task is: it runs systems (the model and its baselines) on one test set and scores them all the same way.

Shapes: U units of the test set that are independent of each other (documents, sentences, queries), K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    import torch

    from seedbed.models.artifact import Model
    from seedbed.models.encoding import Coder
    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary


@dataclass
class Measure:
    """A metric's parts for every unit, so that units can be drawn again: value = mean over k of the ratio
    sum over u of numerators_UK / sum over u of denominators_UK, over the k whose denominator is not zero.

    Accuracy, bits per byte, mean reciprocal rank and F1 (2 tp / (predicted + true)) have one column; macro F1 has
    one for each class.
    """

    numerators_UK: np.ndarray
    denominators_UK: np.ndarray

    def __post_init__(self) -> None:
        self.numerators_UK = _columns(self.numerators_UK)
        self.denominators_UK = np.broadcast_to(_columns(self.denominators_UK), self.numerators_UK.shape)

    @property
    def value(self) -> float:
        return float(ratio(self.numerators_UK.sum(0), self.denominators_UK.sum(0)))


def ratio(numerators_XK: np.ndarray, denominators_XK: np.ndarray) -> np.ndarray:
    """The mean over the classes that occur of numerator / denominator; 0 where none occurs. Any leading shape."""
    present_XK = denominators_XK > 0
    parts_XK = np.where(present_XK, numerators_XK / np.where(present_XK, denominators_XK, 1.0), 0.0)
    return np.asarray(parts_XK.sum(-1) / np.maximum(present_XK.sum(-1), 1))


@dataclass
class Items:
    """Predictions one by one: what was asked, what is true, what was said, and a score (each task says which)."""

    item: Sequence[str] = ()
    truth: Sequence[str] = ()
    prediction: Sequence[str] = ()
    score: Sequence[float] | np.ndarray = ()

    def __post_init__(self) -> None:
        assert len(self.item) == len(self.truth) == len(self.prediction) == len(self.score)


@dataclass
class SystemRun:
    """One system's results with one seed; `seed` is None for a system in which nothing is random."""

    system: str
    seed: int | None
    measures: dict[str, Measure]
    items: Items = field(default_factory=Items)


@dataclass
class TaskResult:
    """What a task gives. `test_texts` are (item id, text) pairs, for the contamination report."""

    runs: list[SystemRun]
    higher_is_better: dict[str, bool]
    test_texts: list[tuple[str, str]]
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class EvaluationContext:
    """What a running task has: the model, the seeds, and whether the baselines run too."""

    model: Model
    seeds: int = 3
    seed: int = 0
    baselines: bool = True
    say: Callable[[str], None] = lambda line: None

    @property
    def seed_list(self) -> list[int]:
        return [self.seed + index for index in range(self.seeds)]

    @cached_property
    def device(self) -> torch.device:
        import torch

        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def trained(self) -> Network:
        """The model's network, not to be changed."""
        from seedbed.models.scoring import settled

        network: Any = settled(self.model.network(device=self.device))
        network.eval()
        return network

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return self.model.tokenizer().vocabulary()

    def coder(self, max_length: int) -> Coder:
        """The model's tokenizer, for rows no longer than both this and what the model takes."""
        from seedbed.models.encoding import Coder

        self.model.check_fit(self.trained)
        return Coder.of(self.model.tokenizer(), min(max_length, self.trained.max_length))

    def network(self, system: str, seed: int) -> Network:
        """A network of its own to train: the model's weights, or for `untrained` fresh ones from the seed."""
        import copy

        from .networks import untrained

        if system == "untrained":
            return untrained(self.trained, seed)
        assert system == "model", system
        return copy.deepcopy(self.trained)

    def frozen(self, system: str, seed: int) -> Network:
        """A network to be read only."""
        if system == "model":
            return self.trained
        network: Any = self.network(system, seed)
        network.eval()
        return network

    def systems(self, *, trains: bool) -> list[tuple[str, int | None]]:
        """The network systems with their seeds. Untrained weights are drawn for every seed; the model's own runs
        differ between seeds only where the task trains something at random."""
        runs: list[tuple[str, int | None]] = (
            [("model", seed) for seed in self.seed_list] if trains else [("model", None)]
        )
        if self.baselines:
            runs += [("untrained", seed) for seed in self.seed_list]
        return runs

    def require(self, attention: str, task: str, instead: str) -> None:
        """An InputError if the model is of the other kind."""
        own = self.trained.attention
        if own != attention and not (attention == "causal" and self.trained.causal):  # as one without a prefix
            raise InputError(
                task,
                f"needs a {attention} model; this one is {own}",
                value=str(self.model.path),
                fix=f"use the task {instead}",
            )


class Task(Protocol):
    """A class registered in `tasks`; its configuration is what `__init__` takes."""

    name: str  # what its scores are called; the user may choose it

    def run(self, context: EvaluationContext) -> TaskResult:
        """Run all systems."""


def _columns(values: Any) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    return array[:, None] if array.ndim == 1 else array
