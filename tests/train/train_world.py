"""A small world for the tests of training: a tokenizer in name, a token stream with known order, tiny networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from seedbed.core import distributed
from seedbed.core.counters import integers, key, uniform
from seedbed.core.source import Source
from seedbed.data.artifact import TokenFile
from seedbed.data.batch import Batch
from seedbed.models import backbones
from seedbed.objectives import Examples, Loss, Objective, objectives
from seedbed.objectives.artifact import Lexicon
from seedbed.optim import optimizers, schedules
from seedbed.train.batchlog import BATCHES, BatchLog
from seedbed.train.budget import Budget, Every
from seedbed.train.checkpoint import Checkpoints
from seedbed.train.intervention import Intervention
from seedbed.train.loop import Loop
from seedbed.train.metrics import METRICS, MetricsLog
from seedbed.train.precision import Precision
from seedbed.train.run import Run
from seedbed.train.sources import Sources
from seedbed.vocabulary.artifact import Vocabulary

SIZE, LENGTH = 64, 16
SPECIALS = 5  # pad, unk, cls, sep, mask


def vocabulary(size: int = SIZE, sentinels: int = 0) -> Vocabulary:
    """Every third token begins a word; with sentinels, which stand behind all others, every fourth ends a sentence."""
    ids = np.arange(size + sentinels)
    special_V = (ids < SPECIALS) | (ids >= size)
    start_V = special_V | (ids % 3 == 0)
    ends = ["." if sentinels and index >= 19 and index % 4 == 3 else "" for index in range(size)]
    words = [f"t{index}{end}" for index, end in enumerate(ends)]
    tokens = [*words, *(f"<extra_id_{number}>" for number in range(sentinels))]
    return Vocabulary(len(ids), 0, 1, 2, 3, 4, 2, 3, tokens, special_V, start_V)


def batch_of(rows: list[list[list[int]]], length: int = LENGTH, first_row: int = 0) -> Batch:
    """A batch from rows of pieces of tokens, padded with 0."""
    tokens = np.zeros((len(rows), length), dtype=np.int64)
    segments = np.full((len(rows), length), -1)
    positions = np.zeros((len(rows), length), dtype=np.int64)
    pieces = []
    for row, parts in enumerate(rows):
        start = 0
        for number, part in enumerate(parts):
            stop = start + len(part)
            tokens[row, start:stop], segments[row, start:stop] = part, number
            positions[row, start:stop] = np.arange(len(part))
            pieces.append((row, start, len(part), 0, 100 * (first_row + row) + number, 0))
            start = stop
    numbers = np.arange(first_row, first_row + len(rows))
    return Batch(tokens, segments, positions, numbers, np.array(pieces, dtype=np.int64).reshape(-1, 6), ("made",))


class MadeStream:
    """Rows of two or three pieces with learnable text: each token is mostly the one before it plus one. With `pairs`
    it says of each row what the second is to the first; `joined` pieces are one segment."""

    def __init__(self, seed: int, *, pairs: bool = False, joined: bool = False) -> None:
        self.seed, self.row, self.pairs, self.joined = seed, 0, pairs, joined
        self.counts = {"tokens": {"made": 0}}

    def next(self, num_rows: int) -> Batch:
        rows = [self._row(self.row + index) for index in range(num_rows)]
        batch = batch_of(rows, first_row=self.row)
        if self.pairs:
            batch.kinds_B = np.array([0, 3, 4])[batch.rows_B % 3]
        if self.joined:
            batch.segments_BL = np.minimum(batch.segments_BL, 0)
            batch.positions_BL = np.where(batch.segments_BL == 0, np.arange(LENGTH), 0)
        self.row += num_rows
        self.counts["tokens"]["made"] += batch.num_tokens
        return batch

    def _row(self, number: int) -> list[list[int]]:
        cut = 4 + int(integers(key(self.seed, "cut"), LENGTH - 8, number))
        padding = int(integers(key(self.seed, "padding"), 4, number))
        return [self._piece(number, 0, cut), self._piece(number, 1, LENGTH - cut - padding)]

    def _piece(self, number: int, piece: int, length: int) -> list[int]:
        if length <= 0:
            return []
        ordinary = SIZE - SPECIALS
        start = int(integers(key(self.seed, "start", piece), ordinary, number))
        noise = uniform(key(self.seed, "noise", piece), number, np.arange(length)) < 0.1
        return [2, *(SPECIALS + (start + np.arange(length - 1) + noise[1:]) % ordinary).tolist()]

    def state_dict(self) -> dict[str, Any]:
        return {"row": self.row, "counts": self.counts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.row, self.counts = state["row"], state["counts"]


JOINED = {"cross_document_qa", "word_alignment"}  # objectives over texts that see each other


def stream_for(objective: Any, seed: int) -> MadeStream:
    """A stream with what an objective, or one of its name, learns from."""
    return MadeStream(seed, pairs=objective == "relation", joined=objective in JOINED)


# a tokenizer that writes every token as one letter
TOKENIZER: Any = SimpleNamespace(
    load=lambda: SimpleNamespace(decode=lambda ids: "".join(chr(ord("A") + index % 26) for index in ids))
)


def made_sources() -> Sources:
    """What the made stream is said to come from: one document."""
    file = TokenFile(np.arange(SPECIALS, SIZE), [0], [SIZE - SPECIALS], [SIZE - SPECIALS], ["d0"])  # type: ignore[arg-type]
    return Sources({"made": file}, {"made": 1.0}, {}, {"made": "made"}, {})


class MadeLexicon(Lexicon):
    """Phrases of the made stream; not what folders are opened as."""

    @classmethod
    def of(cls, reference: Any) -> MadeLexicon:
        """In the place of a reference to a folder."""
        return cls(reference.target)

    def phrases(self, vocabulary: Vocabulary) -> list[list[int]]:
        sizes = {9: 6, 12: 3, 15: 9, 30: 3, 39: 6, 54: 6}
        return [list(range(first, first + size)) for first, size in sizes.items()]


# what an objective cannot be created without
REQUIRED: dict[str, dict[str, Any]] = {
    "mixture": {"parts": {"few": {"mlm": {"rate": 0.1}}, "more": {"mlm": {"rate": 0.25}}}},
    "ul2": {"modes": False},
    "contrastive": {"contrast": {"triplet": {"margin": 3.0}}},
    "word_alignment": {"rate": 0.4, "replace": 0.5, "weight": 0.3},
    "socratic": {"modes": False, "hide": 0.5, "weights": {"reconstruct": 1.0, "ask": 1.0, "ask_and_answer": 1.0}},
    "in_context_regression": {"tasks": 1, "dimension": 2, "noise": 0.0, "pool": 1},  # learned in a few steps
    "ngram_mlm": {"lexicon": MadeLexicon("made"), "relations": True},
    "back_translation": {"languages": {"made": "t5", "other": "t6"}},
    "conditional_lm": {"good": "t5", "bad": "t6", "drop": 0.5},
    "text_and_graph": {"graph": Source(Path(__file__).with_name("triples.tsv")), "fused": 1},
}


def objective_of(name: str) -> Any:
    """A registered objective as it comes, not bound yet; where it wants a lexicon, with a made one."""
    return objectives.parse({name: REQUIRED.get(name, {})}).build(build_artifact=MadeLexicon.of)


def plain_objectives() -> list[str]:
    """Those whose examples are the batch's own rows, some tokens of them changed, and wanted tokens."""
    found = []
    for name in objectives.names():
        objective = objective_of(name)
        objective.bind(vocabulary_for(objective.attention))
        batch = MadeStream(0).next(8)
        examples = objective.corrupt(batch, seed=0, progress=0.5)
        if type(examples) is not Examples or not np.array_equal(examples.positions_BL, batch.positions_BL):
            continue
        if examples.decoder is None and examples.ranks is None:
            found.append(name)
    return found


class Marked(Objective):
    """An objective whose loss is changed where some rows of the run are in a micro-batch."""

    def __init__(self, objective: str, rows: set[int], change: Callable[[Loss], None]) -> None:
        self.inner: Any = objective_of(objective)
        self.attention = self.inner.attention  # type: ignore[misc]
        self.rows, self.change = rows, change

    def prepare(self, network: Any, seed: int) -> None:
        self.inner.prepare(network, seed)

    def bind(self, vocabulary: Any) -> None:
        self.inner.bind(vocabulary)

    def corrupt(self, batch: Any, *, seed: int, progress: float) -> Examples:
        examples = self.inner.corrupt(batch, seed=seed, progress=progress)
        marked, original = bool(self.rows & set(batch.rows_B.tolist())), examples.to

        def to(device: Any) -> Examples:
            moved = original(device)
            moved.marked = marked
            return moved

        examples.to = to
        return examples

    def loss(self, network: Any, examples: Any) -> Loss:
        loss = self.inner.loss(network, examples)
        if examples.marked:
            self.change(loss)
        return loss


class Watch(Intervention):
    """Keeps each step's batch, and its gradient as the interventions before this one have left it."""

    def __init__(self) -> None:
        self.gradients: list[torch.Tensor] = []
        self.batches: list[Batch] = []

    def after_backward(self, run: Run) -> None:
        assert run.gradients is not None and run.batch is not None
        self.gradients.append(run.gradients.flat.clone())
        self.batches.append(run.batch)


BACKBONES: dict[str, tuple[str, dict[str, Any]]] = {
    "bidirectional": ("encoder", {}),
    "causal": ("decoder", {}),
    "prefix": ("decoder", {"attention": "prefix"}),
    "encoder-decoder": ("encoder_decoder", {}),
}


def network_of(attention: str, seed: int) -> Any:
    """Two layers of width 32."""
    name, settings = BACKBONES[attention]
    sizes = {"layers": 2, "width": 32, "heads": 2, "max_length": 64, "kernel": "products"}
    return backbones.create(name, **sizes, **settings).network(vocabulary_for(attention).size, seed, pad=0)


def vocabulary_for(attention: str) -> Vocabulary:
    """With sentinels where a text is written."""
    return vocabulary(sentinels=8 if attention in ("prefix", "encoder-decoder") else 0)


def make_run(objective: str | Any = "mlm", *, steps: int = 12, rows: int = 8, seed: int = 3, **extra: Any) -> Run:
    """A run over the made stream with a network of `network_of`."""
    made = objective_of(objective) if isinstance(objective, str) else objective
    made.bind(vocabulary_for(made.attention))
    network = network_of(made.attention, seed)
    made.prepare(network, seed)
    stream = stream_for(objective, seed)
    for intervention in extra.get("interventions", []):
        intervention.on_data(made_sources(), TOKENIZER)
        intervention.prepare(network, seed)
    values: dict[str, Any] = {
        "network": network,
        "objective": made,
        "optimizer": optimizers.create("adamw", lr=3e-3).build(network),
        "schedule": schedules.create("wsd"),
        "stream": stream,
        "seed": seed,
        "batch_rows": rows,
        "row_tokens": LENGTH,
        "goal": Budget(steps, "steps").goal(0),
        "device": torch.device("cpu"),
        "describe": lambda batch, where: [
            f"made: d{piece[4]}" for piece in batch.pieces_N6[np.isin(batch.pieces_N6[:, 0], where)]
        ],
        **extra,
    }
    return Run(**values)


def make_loop(run: Run, folder: Path | None, **extra: Any) -> Loop:
    """A loop that saves every four steps into a folder."""
    place = folder if distributed.rank() == 0 else None
    values: dict[str, Any] = {
        "precision": Precision("fp32"),
        "log": MetricsLog(place / METRICS if place else None),
        "batches": BatchLog(place / BATCHES if place else None),
        "checkpoints": Checkpoints(folder / "checkpoints", run="made", say=run.say) if folder else None,
        "save_every": Every(4, "steps"),
        "micro_tokens": 3 * LENGTH,
        **extra,
    }
    return Loop(run, **values)


def train(folder: Path | None, objective: str | Any = "mlm", **extra: Any) -> Run:
    """Train a run to its end, or go on where the folder's checkpoints are."""
    of_loop = {name: extra.pop(name) for name in ("micro_tokens", "save_every", "clip", "precision") if name in extra}
    run = make_run(objective, **extra)
    loop = make_loop(run, folder, **of_loop)
    loop.train(loop.checkpoints.newest() if loop.checkpoints else None)
    return run


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in run.network.named_parameters()}


def assert_same_end(one: Run, other: Run) -> None:
    """Weights, optimizer, position: bit for bit."""
    for name, value in weights(one).items():
        assert torch.equal(value, weights(other)[name]), name
    ours, theirs = one.optimizer.state_dict(), other.optimizer.state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    for index, values in ours["state"].items():
        for name, value in values.items():
            assert torch.equal(value, theirs["state"][index][name]), (index, name)
    assert one.stream.state_dict() == other.stream.state_dict()
    counters = ("step", "tokens", "positions", "targets", "counts")
    assert [getattr(one, name) for name in counters] == [getattr(other, name) for name in counters]


def log_without_times(folder: Path) -> list[dict[str, Any]]:
    """The log's lines, without what a clock measured."""
    import json

    lines = (folder / METRICS).read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name != "time"} for line in lines]
