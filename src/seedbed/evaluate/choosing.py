"""Fine-tuning a network to choose an answer, with or without a graph beside it.

Shapes: Q questions, C choices of each, R = Q C rows, L tokens a row, N nodes, D width, G width of the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.data.knowledge import PADDING, Subgraphs
from seedbed.models.encoding import Coder, pad
from seedbed.models.graph import EXTRA, GraphSide
from seedbed.models.scoring import pad_id
from seedbed.objectives.base import moved

from .finetuning import Training, train
from .records import Record
from .task import EvaluationContext, Items, Measure, SystemRun, TaskResult

_ASKED = 32  # questions that are read at once where nothing is learned


class Choices(Protocol):
    """The settings of a task whose records are questions."""

    text: str
    choices: str
    label: str
    hops: str
    training: Training
    max_length: int

    def identity(self, record: Record) -> str: ...


@dataclass
class Questions:
    """The tokens of questions with each of their choices, question after question, what these mention, and the place of
    the right one."""

    rows: list[list[int]]
    mentioned: list[list[int]]
    label_Q: np.ndarray
    num_choices: int


class Chooser(torch.nn.Module):
    """A number for each row, from the first token's state, and with a graph from its nodes' too."""

    def __init__(self, width: int, graph_width: int, seed: int) -> None:
        super().__init__()
        self.query = torch.nn.Linear(width, graph_width) if graph_width else None
        self.inner, self.outer = torch.nn.Linear(width + 2 * graph_width, width), torch.nn.Linear(width, 1)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                source = torch.Generator().manual_seed(key(seed, "chooser", name) >> 1)
                scale = 0.0 if name.endswith("bias") else parameter.shape[1] ** -0.5
                parameter.copy_(torch.randn(parameter.shape, generator=source) * scale)

    def forward(self, token_RD: torch.Tensor, nodes_RNG: torch.Tensor | None, there_RN: Any) -> torch.Tensor:
        """The numbers (R)."""
        parts = [token_RD]
        if self.query is not None and nodes_RNG is not None:
            scores_RN = torch.einsum("rg,rng->rn", self.query(token_RD), nodes_RNG) / nodes_RNG.shape[-1] ** 0.5
            shares_RN = scores_RN.masked_fill(~there_RN, -1e4).softmax(1)
            parts += [nodes_RNG[:, 0], torch.einsum("rn,rng->rg", shares_RN, nodes_RNG)]
        inner = torch.nn.functional.gelu(self.inner(torch.cat(parts, -1)))
        return self.outer(inner).squeeze(-1)  # type: ignore[no-any-return]


@dataclass
class Reader:
    """A network with what stands beside it, and the head that gives numbers."""

    network: Any
    side: GraphSide | None
    head: Chooser
    pad: int

    def scores(self, questions: Questions, chosen: np.ndarray) -> torch.Tensor:
        """Of the chosen questions the choices' numbers (Q, C)."""
        number = questions.num_choices
        places = (chosen[:, None] * number + np.arange(number)[None, :]).ravel()
        device = next(self.network.parameters()).device
        tokens_RL, segments_RL = pad([questions.rows[place] for place in places], self.pad, device)
        nodes_RNG, there_RN = None, None
        if self.side is None:
            hidden_RLD = self.network.hidden(tokens_RL, segments_RL)
        else:
            graphs: Subgraphs = moved(self._graphs([questions.mentioned[place] for place in places]), device)
            hidden_RLD, nodes_RNG = self.side.read(self.network, tokens_RL, segments_RL, None, graphs)
            there_RN = graphs.nodes_BN != PADDING
        with torch.autocast(device.type, enabled=False):
            scores_R: torch.Tensor = self.head(hidden_RLD[:, 0].float(), nodes_RNG, there_RN)
            return scores_R.unflatten(0, (-1, number))

    def _graphs(self, mentioned: Sequence[Sequence[int]]) -> Subgraphs:
        assert self.side is not None
        return self.side.graph.subgraphs(mentioned, nodes=self.side.shape.nodes, hops=self.side.shape.hops)

    def learn(self, questions: Questions, training: Training, seed: int) -> None:
        """Train everything by the cross-entropy of the right choice."""
        label_Q = torch.from_numpy(questions.label_Q).to(next(self.network.parameters()).device)
        number = questions.num_choices
        lengths = np.array([len(row) for row in questions.rows]).reshape(-1, number).max(1)

        def loss(chosen: np.ndarray) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(self.scores(questions, chosen), label_Q[torch.from_numpy(chosen)])

        train(self.network, list(self.head.parameters()), loss, lengths, training=training, seed=seed)

    def answers(self, questions: Questions) -> np.ndarray:
        """The place of the highest number (Q)."""
        everything = np.arange(len(questions.label_Q))
        with torch.no_grad():
            parts = [
                self.scores(questions, everything[start : start + _ASKED]).argmax(1).cpu().numpy()
                for start in range(0, len(everything), _ASKED)
            ]
        return np.concatenate(parts)


def choose(task: Choices, context: EvaluationContext, train: list[Record], test: list[Record]) -> TaskResult:
    """Train on the one part and ask the other, for every system and seed."""
    side = GraphSide.load(context.model.path, context.trained.width)
    coder = context.coder(task.max_length)
    learned, asked = (_questions(task, coder, side, part) for part in (train, test))
    if learned.num_choices != asked.num_choices:
        raise InputError(task.choices, "are another number in the test part", value=asked.num_choices)
    runs = []
    for system, seed in context.systems(trains=True):
        assert seed is not None
        reader = _reader(context, system, seed)
        reader.learn(learned, task.training, seed)
        runs.append(_scored(system, seed, reader.answers(asked), task, test))
    if context.baselines:
        usual = int(np.bincount(learned.label_Q).argmax())
        runs.append(_scored("usual", None, np.full(len(test), usual), task, test))
    texts = [(str(record.get("id", index)), task.identity(record)) for index, record in enumerate(test)]
    counts = {"train": len(train), "test": len(test), "truncated_tokens": coder.truncated}
    counts["mentions"] = sum(map(len, asked.mentioned))
    return TaskResult(runs, dict.fromkeys(runs[0].measures, True), texts, counts)


def _reader(context: EvaluationContext, system: str, seed: int) -> Reader:
    """A network of its own to train; an untrained one has an untrained side."""
    network: Any = context.network(system, seed)
    side = GraphSide.load(context.model.path, network.width)
    if side is not None:
        if system == "untrained":
            side = GraphSide(side.shape, side.graph, network.width, seed)
        network.extra[EXTRA] = side.to(context.device)
        side.attach(network)
    head = Chooser(network.width, 0 if side is None else side.shape.width, seed).to(context.device)
    return Reader(network, side, head, pad_id(context.vocabulary))


def _questions(task: Choices, coder: Coder, side: GraphSide | None, records: list[Record]) -> Questions:
    numbers = sorted({len(record[task.choices]) for record in records})
    if len(numbers) != 1 or numbers[0] < 2:
        raise InputError(task.choices, "must be as many in every record, two or more", value=numbers)
    labels = np.array([record[task.label] for record in records], dtype=np.int64)
    if (labels < 0).any() or (labels >= numbers[0]).any():
        raise InputError(task.label, "is no place in the list of choices", value=int(labels.max()))
    texts = [f"{record[task.text]} {choice}" for record in records for choice in record[task.choices]]
    rows = []
    for encoding in coder.encode(texts):
        coder.truncated += max(0, len(encoding.ids) - coder.room)
        rows.append(coder.wrap(encoding.ids[-coder.room :]))
    mentioned = [[] if side is None else side.graph.mentions(text) for text in texts]
    return Questions(rows, mentioned, labels, numbers[0])


def _scored(system: str, seed: int | None, said_Q: np.ndarray, task: Choices, records: list[Record]) -> SystemRun:
    right_Q = said_Q == np.array([record[task.label] for record in records])
    measures = {"accuracy": Measure(right_Q, np.ones(len(right_Q)))}
    steps = [record.get(task.hops) for record in records]
    for number in sorted({step for step in steps if isinstance(step, int)}):
        of_Q = np.array([step == number for step in steps])
        measures[f"accuracy_{number}"] = Measure(right_Q & of_Q, of_Q)
    names = [str(record.get("id", index)) for index, record in enumerate(records)]
    truth = [str(record[task.choices][record[task.label]]) for record in records]
    said = [str(record[task.choices][place]) for place, record in zip(said_Q, records, strict=True)]
    return SystemRun(system, seed, measures, Items(names, truth, said, right_Q.astype(np.float64)))
