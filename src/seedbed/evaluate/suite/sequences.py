from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, TaskResult

if TYPE_CHECKING:
    from seedbed.evaluate.records import Record
    from seedbed.models.encoding import Coder, Row


@tasks.register("sequences")
class Sequences:
    """Sequence classification: one label a text, from JSON Lines with a text and a label.

    Parts: files called train... and test..., or `test`, or a fraction held out by hash of the text. Systems: the
    model and the same network untrained, fine-tuned with a linear layer or probed (logistic regression on frozen
    states), each for every seed; the majority class; logistic regression on TF-IDF. Metrics: accuracy, macro F1.
    Texts longer than `max_length` tokens are cut at the end, and counted.
    """

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        text: str = "text",
        label: str = "label",
        method: Literal["finetune", "probe"] = "finetune",
        pooling: Literal["mean", "first", "last"] = "mean",
        epochs: float = 3.0,
        batch_size: int = 32,
        lr: float = 5e-4,
        max_length: int = 256,
        max_train: int = 10_000,
        max_test: int = 2_000,
        name: str = "sequences",
    ) -> None:
        from seedbed.evaluate.finetuning import Training

        self.data, self.test, self.test_fraction = data, test, test_fraction
        self.text, self.label, self.method, self.pooling = text, label, method, pooling
        self.training = Training(epochs, batch_size, lr)
        self.max_length, self.max_train, self.max_test, self.name = max_length, max_train, max_test, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.classification import label_records

        def text(record: Record) -> str:
            return str(record[self.text])

        def rows(coder: Coder, records: list[Record]) -> list[Row]:
            return coder.text_rows(list(map(text, records)), self.pooling)

        return label_records(self, context, {self.text: str}, text, rows)
