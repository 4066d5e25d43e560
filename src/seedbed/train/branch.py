"""Branching off: a new run that begins where another one stood, with that run's optimizer and place in the data.

A cooldown is such a run: the trunk is trained at a constant rate (`wsd` without its decay, `infinite` without its
anneal), and a branch with a falling schedule is what is released (Haegele et al., 2024; Singh et al.,
2025). The branch counts its own steps, tokens and progress from zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.errors import InputError
from seedbed.train.checkpoint import Checkpoints
from seedbed.train.state import restore_network, unpack

if TYPE_CHECKING:
    from seedbed.models.artifact import Model
    from seedbed.train.checkpoint import Checkpoint
    from seedbed.train.run import Run

Where = int | Literal["last"]


def find(model: Model, where: Where) -> Checkpoint:
    """The checkpoint of a finished run that a branch begins at. Raises InputError if it has not been kept."""
    checkpoints = Checkpoints(model.path / "checkpoints", run=model.fingerprint)
    steps = checkpoints.steps()
    if not steps:
        raise InputError(
            "branch", f"{model.path} has no checkpoints: it was not trained here", fix="continue it without"
        )
    step = steps[-1] if where == "last" else where
    if step not in steps:
        raise InputError(
            "branch",
            f"{model.path} has no checkpoint of that step",
            value=step,
            allowed=", ".join(map(str, steps)),
            fix="train it with `interventions: [{keep_checkpoints: ...}]`",
        )
    checkpoint = checkpoints.at(step)
    problem = checkpoints.problem(checkpoint)
    if problem:
        raise InputError(str(checkpoint.path), f"cannot branch off: {problem}")
    return checkpoint


def begin(run: Run, checkpoint: Checkpoint) -> dict[str, int]:
    """Take up weights, the optimizer's state and the place in the data; where it was, for the counts.

    The optimizer keeps the branch's own settings, and of the trunk its moments and the factor that its schedule had
    reached: the branch's schedule goes on from the rate at that step. With other sources the data begin anew.
    """
    state = checkpoint.state()
    restore_network(run, checkpoint, state, settings=False)
    place = unpack(state["stream"], checkpoint.tensors("stream"))
    if _same_data(run, place):
        weights = dict(run.stream.weights)
        run.stream.load_state_dict(place)
        run.stream.weights = weights
        run.stream.restart_counts()
    else:
        run.say("the trunk had other data: the branch's begin anew")
    return {name: int(state[name]) for name in ("step", "tokens")}


def _same_data(run: Run, place: dict[str, Any]) -> bool:
    own = run.stream.state_dict()
    return all(own[name] == place.get(name) for name in ("length", "seed")) and set(own["mixer"]) == set(place["mixer"])
