"""Shapes: U pairs of texts, D width."""

from __future__ import annotations

from typing import Literal

import numpy as np

from seedbed.core.directions import unit
from seedbed.core.errors import InputError
from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.records import Record, load_parts, sample
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult


@tasks.register("similarity", papers=["307", "389"])
class Similarity:
    """How alike two texts are, by the cosine of their vectors: JSON Lines with two texts and a number that is the
    higher the more they are alike (people's ratings; minus the distance of two terms in a tree). Nothing is trained,
    and only the test part is asked.

    A text's vector is the mean of the last hidden states of its tokens, or the first token's. Metrics: spearman (the
    correlation of the ranks of cosines and scores; equal ones share their middle rank), and anisotropy, the mean
    cosine of first texts with the second texts of other pairs: 0 where vectors point everywhere, near 1 where all
    point the same way (Ethayarajh, 2019). Systems: the model; the same network untrained; TF-IDF. Intervals draw
    pairs, whose ranks stay those in the whole test set.
    """

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        first: str = "first",
        second: str = "second",
        score: str = "score",
        pooling: Literal["mean", "first"] = "mean",
        max_length: int = 128,
        max_test: int = 2_000,
        name: str = "similarity",
    ) -> None:
        self.data, self.test, self.test_fraction = data, test, test_fraction
        self.first, self.second, self.score = first, second, score
        self.pooling, self.max_length, self.max_test, self.name = pooling, max_length, max_test, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.bag_of_words import tfidf_scores
        from seedbed.evaluate.finetuning import features
        from seedbed.models.scoring import pad_id

        columns: dict[str, type] = {self.first: str, self.second: str, self.score: object}
        _, found = load_parts(self.data, self.test, self.test_fraction, columns, self._identity)
        records = sample(found, self.max_test, self._identity, context.seed, "sample")
        wanted_U = self._scores(records)
        sides = [[record[column] for record in records] for column in (self.first, self.second)]
        coder = context.coder(self.max_length)
        rows = [coder.text_rows(side, self.pooling) for side in sides]
        names = [str(record.get("id", index)) for index, record in enumerate(records)]
        runs = []
        for system, seed in context.systems(trains=False):
            network = context.frozen(system, seed or 0)
            states = [features(network, side, len(side), pad_id(context.vocabulary)) for side in rows]
            one_UD, other_UD = map(unit, states)
            runs.append(_scored(system, seed, one_UD @ other_UD.T, wanted_U, names))
        if context.baselines:
            runs.append(_scored("tfidf", None, tfidf_scores(*sides), wanted_U, names))
        texts = list(zip(names, map("\n".join, zip(*sides, strict=True)), strict=True))
        counts = {"pairs": len(records), "truncated_tokens": coder.truncated}
        return TaskResult(runs, {"spearman": True, "anisotropy": False}, texts, counts)

    def _identity(self, record: Record) -> str:
        return f"{record[self.first]}\n{record[self.second]}"

    def _scores(self, records: list[Record]) -> np.ndarray:
        for record in records:
            if not isinstance(record[self.score], int | float):
                raise InputError(self.score, "is no number", value=record[self.score])
        wanted_U = np.array([record[self.score] for record in records], dtype=np.float64)
        if len(np.unique(wanted_U)) < 2:
            raise InputError("data", "all pairs have the same score, or there is a single one", value=str(self.data))
        return wanted_U


def ranks(values_U: np.ndarray) -> np.ndarray:
    """From 1; equal values share the middle of their ranks."""
    _, place_U, counts = np.unique(values_U, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place_U])


def _standard(values_U: np.ndarray) -> np.ndarray:
    """With mean 0 and variance 1; zeros where all are equal."""
    values_U = values_U - values_U.mean()
    deviation = values_U.std()
    return values_U / deviation if deviation > 0 else values_U


def _scored(system: str, seed: int | None, cosines_UU: np.ndarray, wanted_U: np.ndarray, names: list[str]) -> SystemRun:
    cosine_U = np.diagonal(cosines_UU)
    ones_U = np.ones(len(cosine_U))
    # a whole number of millionths, so that what differs in the last bits alone is equal
    agreement_U = _standard(ranks(np.round(cosine_U, 6))) * _standard(ranks(wanted_U))
    elsewhere_U = (cosines_UU.sum(1) - cosine_U) / (len(cosine_U) - 1)
    measures = {"spearman": Measure(agreement_U, ones_U), "anisotropy": Measure(elsewhere_U, ones_U)}
    said = [f"{value:.4f}" for value in cosine_U]
    return SystemRun(system, seed, measures, Items(names, [f"{value:g}" for value in wanted_U], said, cosine_U))
