"""Embeddings that begin anew, again and again, so that the rest of the network learns to work with new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from seedbed.core.checks import check_counts
from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.optim import Schedule, schedules
from seedbed.train import Intervention, interventions
from seedbed.train.optimizer_state import clear

if TYPE_CHECKING:
    from seedbed.train.run import Run


@interventions.register("active_forgetting", papers=["005"])
class ActiveForgetting(Intervention):
    """Draws the token embeddings anew every `every` steps while the body of the network trains on, so that new
    embeddings, such as another language's, are learned faster later (Chen et al., 2023, algorithm 1).

    With the embeddings everything that belongs to them begins anew: what the optimizer remembers of them, the number of
    updates that corrects its moments' bias included, and their learning rate, which runs through all of `schedule` in
    each of these episodes. By default that is the run's own schedule, run through so much faster, as in the authors'
    code. Give the run a multiple of `every` as its budget in steps, else the last episode ends in the middle of the
    schedule.

    Embeddings are those of the input and, where the head is not tied to them as the paper's is, those of the output;
    its bias stays, as in the authors' code. They are drawn as those of a new network are: a normal distribution of
    deviation 0.02 as in the paper, here cut at three deviations. Where they are coordinates over primitives, these are
    drawn anew too. The embeddings at the end of an episode are those of
    its checkpoint and its validation, as they are forgotten when the next step begins; and the last ones stay, where
    the authors' forget those of the last step too.

    Every optimizer goes: a state of zeros is one that has not begun. (Sophia has no curvature then until it measures it
    again, and until then moves by the momentum's sign.) A branch counts its own steps, and begins with an episode.
    """

    def __init__(
        self,
        every: int = 1000,
        schedule: Annotated[Schedule, schedules] | None = None,
    ) -> None:
        check_counts(every=every)
        self.every, self.schedule = every, schedule
        self._tables: dict[str, Any] = {}
        self._rate = 0.0

    def prepare(self, network: Any, seed: int) -> None:
        """Find the tables."""
        wanted = {id(network.embedding.weight), id(network.output()[0])}
        self._tables = {
            name: p
            for name, p in network.named_parameters()
            if id(p) in wanted or name.endswith("embedding.primitives")
        }
        frozen = [name for name, parameter in self._tables.items() if not parameter.requires_grad]
        if frozen:
            raise InputError("trainable", "leaves embeddings out that active_forgetting draws anew", value=frozen)

    def on_start(self, run: Run) -> None:
        """A rate of their own needs a group of their own while the optimizer makes its step."""
        if hasattr(self.schedule or run.schedule, "bind"):
            problem = "is one for whole runs: it depends on their size, and an episode is short"
            raise InputError("active_forgetting.schedule", problem, allowed="linear, cosine, wsd, constant, phases")
        self._schedule = self.schedule or run.schedule
        groups = run.optimizer.param_groups
        self._peak = next(group["initial_lr"] for group in groups if self._of_group(group))
        run.optimizer.register_step_pre_hook(self._part)
        run.optimizer.register_step_post_hook(self._join)

    def before_step(self, run: Run) -> None:
        """Forget, if it is time; and the rate of the embeddings."""
        if run.step and run.step % self.every == 0:
            from seedbed.models.initialize import initialize

            seed = key(run.seed, "active_forgetting", run.step)
            for name, table in self._tables.items():
                initialize(name, table, seed, run.network.architecture)
            clear(run.optimizer, self._tables.values())
            run.count("forgettings")
        self._rate = self._schedule((run.step % self.every + 0.5) / self.every)

    def after_step(self, run: Run) -> None:
        """In the log `lr` is the body's rate."""
        run.metrics["embedding_lr"] = self._peak * self._rate

    def _of_group(self, group: dict[str, Any]) -> list[Any]:
        return [p for p in group["params"] if any(p is table for table in self._tables.values())]

    def _part(self, optimizer: Any, *_: Any) -> None:
        """Groups of the embeddings beside those that they are in. Checkpoints do not know of them: a run with
        forgetting can be branched into one without, and the other way round."""
        self._whole = [(group, group["params"]) for group in optimizer.param_groups]
        for group, parameters in self._whole:
            own = self._of_group(group)
            if own:
                group["params"] = [p for p in parameters if all(p is not table for table in own)]
                optimizer.param_groups.append({**group, "params": own, "lr": group["initial_lr"] * self._rate})

    def _join(self, optimizer: Any, *_: Any) -> None:
        """As before, but for the number of updates that a group has had, where it counts them."""
        added = iter(optimizer.param_groups[len(self._whole) :])
        for group, parameters in self._whole:
            if len(group["params"]) < len(parameters):
                group.update({**next(added), "params": parameters, "lr": group["lr"]})
        del optimizer.param_groups[len(self._whole) :]
