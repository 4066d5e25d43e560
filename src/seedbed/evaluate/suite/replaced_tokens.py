from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult

if TYPE_CHECKING:
    from seedbed.evaluate.ngrams import Neighbors
    from seedbed.models.encoding import Coder


@tasks.register("replaced_tokens", papers=["002", "066", "361"])
class ReplacedTokens:
    """Which tokens of held-out documents are others? For models that were trained by detection (`rtd`, `rts`, `crts`),
    whose folder has the head that judges.

    A share `rate` of the tokens of each document, chosen as `masked_accuracy` chooses them, gives way to others, drawn
    by how often they are in the training split. That is one question for all models, whatever wrote the
    replacements that they were trained on, and easier than those of a good generator. Metrics: balanced_accuracy, the
    mean of `found` (of the replaced tokens those that are called so) and `kept` (of the others those that are not),
    judged at even odds; nats a token. Systems: the model; the same network and head untrained; `neighbors`, the odds by
    Bayes of a draw against what the counts of both neighbors say. Intervals draw documents. The task is ours.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        split: str = "test",
        rate: float = 0.15,
        max_documents: int = 300,
        max_length: int = 512,
        train_split: str = "train",
        max_train: int = 5_000,
        name: str = "replaced_tokens",
    ) -> None:
        if not 0 < rate < 1:
            raise InputError("rate", "must lie between 0 and 1", value=rate)
        self.corpus, self.split, self.rate = corpus, split, rate
        self.max_documents, self.max_length = max_documents, max_length
        self.train_split, self.max_train, self.name = train_split, max_train, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.documents import sample_documents
        from seedbed.evaluate.masking import counts_of_neighbors
        from seedbed.models.detection import DetectionHead, load_head

        context.require("bidirectional", self.name, instead="bits_per_byte")
        coder = context.coder(self.max_length)
        documents = sample_documents(self.corpus, self.split, self.max_documents, seed=context.seed)
        texts = [(str(document["id"]), str(document["text"])) for document in documents]
        counted = counts_of_neighbors(context, coder, self.corpus, self.train_split, self.max_train)
        rows = self._rows(context, coder, texts, counted)
        if not any(row.replaced_T.any() for row in rows):
            raise InputError("split", f"no token of the split '{self.split}' was replaced", fix="more documents")
        runs = []
        for system, seed in context.systems(trains=False):
            network: Any = context.frozen(system, seed or 0)
            head = load_head(context.model.path, network.architecture)
            if system == "untrained":
                head = DetectionHead(network.architecture, "detection", seed or 0).eval()
            logits = _judged(network, head.to(context.device), rows, context)
            runs.append(_scored(context, system, seed, rows, logits))
        if context.baselines:
            runs.append(_scored(context, "neighbors", None, rows, [_odds(row, counted, self.rate) for row in rows]))
        judged = {
            "tokens": sum(len(row.columns_T) for row in rows),
            "replaced": sum(int(row.replaced_T.sum()) for row in rows),
        }
        higher = {"balanced_accuracy": True, "found": True, "kept": True, "nats": False}
        return TaskResult(runs, higher, texts, {"documents": len(documents), **judged})

    def _rows(
        self, context: EvaluationContext, coder: Coder, texts: list[tuple[str, str]], counted: Neighbors
    ) -> list[Row]:
        from seedbed.evaluate.masking import masked_windows

        names = [name for name, _ in texts]
        special = np.flatnonzero(context.vocabulary.special_V)
        chances_V = counted.unigram_V.copy()
        chances_V[special] = 0.0
        sums_V = np.cumsum(chances_V / chances_V.sum())
        found = []
        windows = masked_windows(coder, names, [text for _, text in texts], mask=0, rate=self.rate, seed=context.seed)
        for window in windows:
            ids = window.truth.copy()
            places = np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in window.names], dtype=np.uint64)
            drawn = uniform(key(context.seed, "replaced_tokens"), places)
            ids[window.columns] = _others(ids[window.columns], sums_V, drawn)
            replaced = np.zeros(len(ids), dtype=bool)
            replaced[window.columns] = True
            columns = np.arange(len(coder.prefix), len(ids) - len(coder.suffix))
            found.append(Row(window.document, ids, window.truth, columns, replaced[columns]))
        return found


@dataclass
class Row:
    """A piece of a document as the network reads it: `truth` before anything was replaced, and which of the judged
    columns were (T)."""

    document: int
    ids: np.ndarray
    truth: np.ndarray
    columns_T: np.ndarray
    replaced_T: np.ndarray


def _others(tokens_T: np.ndarray, sums_V: np.ndarray, drawn_T: np.ndarray) -> np.ndarray:
    """For each token another one, from the distribution with these cumulated chances without it."""
    below_T = np.where(tokens_T > 0, sums_V[tokens_T - 1], 0.0)
    own_T = sums_V[tokens_T] - below_T
    point_T = drawn_T * (sums_V[-1] - own_T)
    point_T = np.where(point_T < below_T, point_T, point_T + own_T)
    return np.minimum(np.searchsorted(sums_V, point_T, side="right"), len(sums_V) - 1)


def _judged(network: Any, head: Any, rows: list[Row], context: EvaluationContext) -> list[np.ndarray]:
    """The head's logits at each row's columns, above 0 where a token is called replaced."""
    import torch

    from seedbed.models.scoring import pad_id, states_at

    found = [np.zeros(0)] * len(rows)
    given, columns = [row.ids.tolist() for row in rows], [row.columns_T for row in rows]
    with torch.no_grad():
        for chosen, hidden_TD in states_at(network, given, columns, pad_id(context.vocabulary)):
            ends = np.cumsum([len(columns[index]) for index in chosen])[:-1]
            for index, part in zip(chosen, np.split(head(hidden_TD).double().cpu().numpy(), ends), strict=True):
                found[index] = part
    return found


def _odds(row: Row, counted: Neighbors, rate: float) -> np.ndarray:
    """Log odds that a token was drawn by its frequency, against the counts of what stands between its neighbors."""
    edged = [None, *row.ids.tolist(), None]
    expected_T = [counted.distribution(edged[c], edged[c + 2])[row.ids[c]] for c in row.columns_T.tolist()]
    drawn_T = counted.unigram_V[row.ids[row.columns_T]]
    return np.asarray(np.log(rate * drawn_T) - np.log((1 - rate) * np.array(expected_T)))


def _scored(
    context: EvaluationContext, system: str, seed: int | None, rows: list[Row], logits: list[np.ndarray]
) -> SystemRun:
    replaced_T, logits_T = np.concatenate([row.replaced_T for row in rows]), np.concatenate(logits)
    documents_T = np.repeat([row.document for row in rows], [len(row.replaced_T) for row in rows])
    _, unit_T = np.unique(documents_T, return_inverse=True)
    called_T = logits_T > 0
    right_U2, all_U2 = (
        np.stack([np.bincount(unit_T, of_T & hit_T) for of_T in (replaced_T, ~replaced_T)], 1)
        for hit_T in (called_T == replaced_T, np.ones_like(called_T))
    )
    nats_T = np.logaddexp(0.0, np.where(replaced_T, -logits_T, logits_T))
    measures = {
        "balanced_accuracy": Measure(right_U2, all_U2),
        "found": Measure(right_U2[:, 0], all_U2[:, 0]),
        "kept": Measure(right_U2[:, 1], all_U2[:, 1]),
        "nats": Measure(np.bincount(unit_T, nats_T), np.bincount(unit_T)),
    }
    words = context.vocabulary.tokens
    shown = [(row, column) for row in rows for column in row.columns_T.tolist()]
    items = Items(
        [f"{row.document}:{column} {words[row.ids[column]]}" for row, column in shown],
        ["replaced" if replaced else "kept" for replaced in replaced_T],
        ["replaced" if called else "kept" for called in called_T],
        logits_T,
    )
    return SystemRun(system, seed, measures, items)
