from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.records import Record, load_parts, sample
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult

if TYPE_CHECKING:
    from seedbed.models.encoding import Coder


@tasks.register("cloze")
class Cloze:
    """Gaps in sentences that only knowledge can fill, for bidirectional models, as LAMA (Petroni et al., 2019) asks.

    A record has a `text`, and the answer is its characters `start` to `end`. All tokens that touch the answer become
    mask tokens, and each is predicted with the others hidden. Nothing is trained, and only the test part is asked.
    Metrics: accuracy (all tokens of the answer are the most likely ones), nats an answer (the sum over its tokens).
    That the number of masks gives the answer's length away is as in LAMA, which asks for single tokens only. Systems:
    the model; the same network untrained. Records whose text does not fit, or whose answer is no token's, are counted
    as left out. Intervals draw records.
    """

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        max_length: int = 128,
        max_test: int = 1_000,
        name: str = "cloze",
    ) -> None:
        self.data, self.test, self.test_fraction = data, test, test_fraction
        self.max_length, self.max_test, self.name = max_length, max_test, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.models.scoring import pad_id, score_targets

        context.require("bidirectional", self.name, instead="bits_per_byte")
        mask = context.vocabulary.mask
        if mask is None:
            raise InputError(self.name, "the model's tokenizer has no mask token", value=str(context.model.path))
        columns: dict[str, type] = {"text": str, "start": int, "end": int}
        _, found = load_parts(self.data, self.test, self.test_fraction, columns, identity)
        chosen = sample(found, self.max_test, identity, context.seed, "sample")
        records, rows, places = gaps(context.coder(self.max_length), chosen)
        if not records:
            raise InputError("data", "no record has an answer that fits into a row", fix="a larger max_length")
        targets = [np.array([row[place] for place in where]) for row, where in zip(rows, places, strict=True)]
        for row, where in zip(rows, places, strict=True):
            for place in where:
                row[place] = mask
        runs = []
        for system, seed in context.systems(trains=False):
            network = context.frozen(system, seed or 0)
            nats, best = score_targets(network, rows, places, targets, pad_id(context.vocabulary))
            nats_U = np.array([part.sum() for part in nats])
            right_U = np.array([(said == wanted).all() for said, wanted in zip(best, targets, strict=True)])
            one_U = np.ones(len(records))
            measures = {"accuracy": Measure(right_U, one_U), "nats": Measure(nats_U, one_U)}
            answers = [record["text"][record["start"] : record["end"]] for record in records]
            said = [written(context, part) for part in best]
            runs.append(SystemRun(system, seed, measures, Items([r["text"] for r in records], answers, said, nats_U)))
        texts = [(str(record.get("id", index)), str(record["text"])) for index, record in enumerate(records)]
        counts = {"records": len(records), "left_out": len(chosen) - len(records)}
        return TaskResult(runs, {"accuracy": True, "nats": False}, texts, counts)


def identity(record: Record) -> str:
    return f"{record['text']}\n{record['start']} {record['end']}"


def gaps(coder: Coder, records: list[Record]) -> tuple[list[Record], list[list[int]], list[np.ndarray]]:
    """The records that can be asked, their tokens, and the columns of their answers."""
    kept, rows, places = [], [], []
    for record, encoding in zip(records, coder.encode([record["text"] for record in records]), strict=True):
        inside = [
            index + len(coder.prefix)
            for index, (start, end) in enumerate(encoding.offsets)
            if start < record["end"] and record["start"] < end
        ]
        if inside and len(encoding.ids) <= coder.room:
            kept.append(record)
            rows.append(coder.wrap(encoding.ids))
            places.append(np.array(inside, dtype=np.int64))
    return kept, rows, places


def written(context: EvaluationContext, ids: np.ndarray) -> str:
    known = context.vocabulary.tokens
    return " ".join(known[index] if index < len(known) else f"#{index}" for index in ids.tolist())
