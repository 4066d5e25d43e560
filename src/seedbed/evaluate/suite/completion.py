"""Answers behind a prompt."""

from __future__ import annotations

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult


@tasks.register("completion", papers=["220"])
class Completion:
    """Texts whose end is an answer, for causal models: is it what the model would write behind what stands before it?

    A record has a `text`, and the answer is its characters `start` to `end`. Nothing is trained, and only the test part
    is asked. Metrics: `exact`, all tokens of the answer are the most likely ones, each behind those before it (then
    that is what the model writes, and else it is not); `tokens`, the share of an answer's tokens that are; nats an
    answer. Systems: the model; the same network untrained. Records whose text does not fit, or whose answer is no
    token's, are counted as left out. Intervals draw records.
    """

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        max_length: int = 256,
        max_test: int = 1_000,
        name: str = "completion",
    ) -> None:
        self.data, self.test, self.test_fraction = data, test, test_fraction
        self.max_length, self.max_test, self.name = max_length, max_test, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.records import load_parts, sample
        from seedbed.evaluate.suite.cloze import gaps, identity, written
        from seedbed.models.scoring import pad_id, score_targets

        context.require("causal", self.name, instead="cloze")
        columns: dict[str, type] = {"text": str, "start": int, "end": int}
        _, found = load_parts(self.data, self.test, self.test_fraction, columns, identity)
        chosen = sample(found, self.max_test, identity, context.seed, "sample")
        records, rows, places = gaps(context.coder(self.max_length), chosen)
        asked = [item for item in zip(records, rows, places, strict=True) if item[2][0] > 0]  # behind something
        if not asked:
            raise InputError("data", "no record has an answer that fits into a row", fix="a larger max_length")
        records, rows = [item[0] for item in asked], [item[1] for item in asked]
        targets = [np.array([row[place] for place in where]) for _, row, where in asked]
        before = [where - 1 for _, _, where in asked]
        answers = [record["text"][record["start"] : record["end"]] for record in records]
        runs = []
        for system, seed in context.systems(trains=False):
            network = context.frozen(system, seed or 0)
            nats, best = score_targets(network, rows, before, targets, pad_id(context.vocabulary))
            nats_U = np.array([part.sum() for part in nats])
            right = [said == wanted for said, wanted in zip(best, targets, strict=True)]
            one_U = np.ones(len(records))
            measures = {
                "exact": Measure(np.array([part.all() for part in right]), one_U),
                "tokens": Measure(np.array([part.mean() for part in right]), one_U),
                "nats": Measure(nats_U, one_U),
            }
            said = [written(context, part) for part in best]
            runs.append(SystemRun(system, seed, measures, Items([r["text"] for r in records], answers, said, nats_U)))
        texts = [(str(record.get("id", index)), str(record["text"])) for index, record in enumerate(records)]
        counts = {"records": len(records), "left_out": len(chosen) - len(records)}
        return TaskResult(runs, {"exact": True, "tokens": True, "nats": False}, texts, counts)
