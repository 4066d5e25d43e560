"""Several pretext tasks in one run.

Shapes: B rows, P parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np

from seedbed.core.checks import check_rate
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError, unknown_key
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective, moved
from seedbed.objectives.joining import joined
from seedbed.objectives.prediction import TokenPrediction, cross_entropy, target_states
from seedbed.objectives.shares import Share, shares_at

if TYPE_CHECKING:
    import torch

    from seedbed.data.batch import Batch
    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary


@dataclass
class Part:
    """Rows that go through the network at once: one task's, or those of all that predict tokens (`names`, with
    `task_T` saying whose each target is). An idle part has no rows, and goes through with the first one for nothing:
    all processes make the same passes, and each step logs the same names."""

    names: list[str]
    rows: np.ndarray  # their numbers in the batch
    examples: Any
    task_T: Any = None
    idle: bool = False


class Mixed(list[Part]):
    """The examples of a mixture."""

    def to(self, device: torch.device | str) -> Self:
        """As torch tensors on a device."""
        return type(self)(moved(part, device) for part in self)

    def passes(self, batch: Batch) -> Iterator[tuple[Batch, Examples]]:
        """What goes through the network at once, each with its rows of the batch."""
        for part in self:
            yield from part.examples.passes(batch.select(part.rows))

    @property
    def num_targets(self) -> int:
        return sum(part.examples.num_targets for part in self if not part.idle)


@objectives.register("mixture")
class Mixture(Objective):
    """Several pretext tasks in one run: each row of a batch is one task's, drawn by weight.

    `parts` names the tasks: `{spans: {span_corruption: {rate: 0.15}}, next: prefix_lm}`; `weights` are the shares of
    rows (1 for all without them), numbers or schedules of the run's progress, in any unit. The loss is the mean over
    the targets of all rows, whichever task they are of, so a task with more targets a row weighs more; `scale`
    multiplies a task's losses in that sum. The log has each task's own loss, unscaled and over its own targets, as
    `name.loss`. Tasks that train the same kind of network go together: `causal` ones also with `prefix` ones. Rows of
    all tasks that predict tokens go through the network at once, in rows as wide as the widest; those of another task
    in a pass of its own.

    Ours in this generality. What papers mix so: UL2 (Tay et al., 2022) denoisers of several kinds.
    """

    def __init__(
        self,
        parts: dict[str, Annotated[Objective, objectives]],
        weights: dict[str, Share] = {},  # noqa: B006
        scale: dict[str, float] = {},  # noqa: B006
    ) -> None:
        if not parts:
            raise InputError("parts", "is empty", fix="parts: {NAME: OBJECTIVE, ...}")
        for given, values in (("weights", weights), ("scale", scale)):
            for name in values:
                if name not in parts:
                    raise unknown_key(given, name, parts, "part")
        for name in parts:
            if not name.isidentifier():
                raise InputError("parts", "has a name that is not of letters, digits and _", value=name)
        for name, value in [*weights.items(), *scale.items()]:
            if isinstance(value, int | float):
                check_rate(name, value)
        self.parts, self.weights, self.scale = dict(parts), weights, scale
        predicts = not all(part.headless for part in self.parts.values())
        known = dict[type, str]()
        for name, part in self.parts.items():
            part.beside_prediction = predicts
            if isinstance(part, TokenPrediction):
                continue
            if type(part) in known:
                problem = f"{known[type(part)]} and {name} are of one kind, and have modules of the same names"
                raise InputError("parts", problem, value=type(part).__name__, fix="one of them")
            known[type(part)] = name
        kinds = {part.attention for part in self.parts.values()}
        if kinds == {"causal", "prefix"}:
            kinds = {"prefix"}
        if len(kinds) > 1:
            found = {name: part.attention for name, part in self.parts.items()}
            raise InputError("parts", "train networks of different kinds", value=found)
        (self.attention,) = kinds  # type: ignore[misc]

    def shares(self, progress: float) -> np.ndarray:
        """Of the rows (P), at this progress."""
        given = [self.weights.get(name, 1.0) for name in self.parts]
        return shares_at("objective.mixture.weights", given, progress)

    @property
    def memory(self) -> bool:  # type: ignore[override]
        return any(part.memory for part in self.parts.values())

    @property
    def reshapes(self) -> bool:  # type: ignore[override]
        return any(part.reshapes for part in self.parts.values())

    def wanted_tokens(self) -> list[str]:
        """Those of all parts."""
        return list(dict.fromkeys(token for part in self.parts.values() for token in part.wanted_tokens()))

    def wanted_sources(self) -> list[str]:
        """Those of all parts."""
        return list(dict.fromkeys(source for part in self.parts.values() for source in part.wanted_sources()))

    def flops_per_token(self, architecture: Any, length: int, targets: float) -> float:
        """The mean over the run of what its parts take, by their shares."""
        share_P = np.mean([self.shares((step + 0.5) / 16) for step in range(16)], axis=0)
        flops_P = [part.flops_per_token(architecture, length, targets) for part in self.parts.values()]
        return float(share_P @ flops_P)

    def bind(self, vocabulary: Vocabulary) -> None:
        """All parts take what they need."""
        for part in self.parts.values():
            part.bind(vocabulary)

    def prepare(self, network: Any, seed: int) -> None:
        """Each part's modules, drawn by its name."""
        for name, part in self.parts.items():
            part.prepare(network, key(seed, "mixture", name) >> 1)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Mixed:
        """Each row to its task, and each task's rows as it corrupts them."""
        bounds_P = np.cumsum(self.shares(progress))
        part_B = np.searchsorted(bounds_P[:-1], uniform(key(seed, "mixture"), batch.rows_B), side="right")
        predictions = [name for name, part in self.parts.items() if isinstance(part, TokenPrediction)]
        rows_of = {name: np.flatnonzero(part_B == number) for number, name in enumerate(self.parts)}
        first = np.arange(len(batch.rows_B))[:1]
        idle = {name for name in self.parts if name not in predictions and not len(rows_of[name])}
        if predictions and not any(len(rows_of[name]) for name in predictions):
            idle.add(predictions[0])
        made: dict[str, Part] = {}
        for name, part in self.parts.items():
            rows = first if name in idle else rows_of[name]
            own = key(seed, "mixture", name) >> 1
            examples = part.corrupt(batch.select(rows), seed=own, progress=progress)
            made[name] = Part([name], rows, examples, idle=name in idle)
        found = Mixed(part for name, part in made.items() if name not in predictions)
        if predictions:
            parts = [made[name] for name in predictions]
            rows, examples, task_T = joined(
                [part.rows for part in parts],
                [part.examples for part in parts],
                causal=self.attention != "bidirectional",
            )
            found.append(Part(predictions, rows, examples, task_T, idle=predictions[0] in idle))
        return found

    def loss(self, network: Network, examples: Mixed) -> Loss:
        """The sum over tasks, each times its scale; their own under `parts`."""
        found = dict[str, Loss]()
        for part in examples:
            if part.task_T is None:
                (name,) = part.names
                loss = self.parts[name].loss(network, part.examples)
                found[name] = loss.of_nothing() if part.idle else loss
                continue
            hidden_TD = target_states(network, part.examples)
            for number, name in enumerate(part.names):
                own_T = (part.task_T == number).nonzero()[:, 0]
                loss = cross_entropy(network, hidden_TD[own_T], part.examples.targets_T[own_T])
                found[name] = loss.of_nothing() if part.idle else loss
        total: Any = sum(loss.sum * self.scale.get(name, 1.0) for name, loss in found.items())
        parts = {name: found[name].detached() for name in self.parts}
        return Loss(total, sum(loss.count for loss in found.values()), {}, parts)

    def export(self, network: Any) -> None:
        """Each part takes its modules away."""
        for part in self.parts.values():
            part.export(network)

    def save(self, folder: Path) -> None:
        """Each part's files, in a folder of its name."""
        for name, part in self.parts.items():
            part.save(folder / name)
