from __future__ import annotations

from typing import Literal

from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.records import Record, load_parts, sample
from seedbed.evaluate.task import EvaluationContext, TaskResult


@tasks.register("retrieval")
class Retrieval:
    """Retrieval by one encoder for queries and documents: JSON Lines with pairs of a query and its document.

    Each test query ranks the documents of all test pairs. The model and the same network untrained are trained on
    the training pairs by contrast within the batch (InfoNCE, temperature 0.05), for every seed, or used as they are
    (`zero_shot`: mean of the last hidden states); baselines TF-IDF and BM25. Metrics: mean reciprocal rank, recall
    among the first 1 and 10; equal scores share the middle rank. Pairs whose document stands in the training part
    as well are counted, not removed.
    """

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        query: str = "query",
        document: str = "document",
        method: Literal["finetune", "zero_shot"] = "finetune",
        epochs: float = 3.0,
        batch_size: int = 32,
        lr: float = 5e-4,
        max_length: int = 256,
        max_train: int = 10_000,
        max_test: int = 1_000,
        name: str = "retrieval",
    ) -> None:
        from seedbed.evaluate.finetuning import Training

        self.data, self.test, self.test_fraction = data, test, test_fraction
        self.query, self.document, self.method = query, document, method
        self.training = Training(epochs, batch_size, lr)
        self.max_length, self.max_train, self.max_test, self.name = max_length, max_train, max_test, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.ranking import Pair, run_retrieval

        columns: dict[str, type] = {self.query: str, self.document: str}
        # by document, so that no answer stands on both sides of a split made here
        parts = load_parts(self.data, self.test, self.test_fraction, columns, lambda record: str(record[self.document]))
        train, test = (
            [
                Pair(str(record.get("id", index)), record[self.query], record[self.document])
                for index, record in enumerate(sample(part, limit, self._identity, context.seed, "sample"))
            ]
            for part, limit in zip(parts, (self.max_train, self.max_test), strict=True)
        )
        return run_retrieval(
            context,
            train,
            test,
            method=self.method,
            training=self.training,
            max_length=self.max_length,
            parts=False,
        )

    def _identity(self, record: Record) -> str:
        return f"{record[self.query]}\n{record[self.document]}"
