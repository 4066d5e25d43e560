from __future__ import annotations

from typing import Literal

import numpy as np

from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.records import label_numbers, load_parts, sample
from seedbed.evaluate.task import EvaluationContext, TaskResult


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
        from seedbed.evaluate.classification import HIGHER, Labeled, classified, network_predictions, text_baselines
        from seedbed.evaluate.encoding import Coder

        columns = {self.text: str, self.label: object}
        parts = load_parts(self.data, self.test, self.test_fraction, columns, lambda record: str(record[self.text]))
        labels = [[str(record[self.label]) for record in part] for part in parts]
        numbers = label_numbers(labels[0], labels[1], self.label)
        train, test = (
            sample(part, limit, lambda record: str(record[self.text]), context.seed, "sample")
            for part, limit in zip(parts, (self.max_train, self.max_test), strict=True)
        )
        texts = [[str(record[self.text]) for record in part] for part in (train, test)]
        coder = Coder.of(context.model.tokenizer(), min(self.max_length, context.trained.max_length))
        data = Labeled(
            coder.text_rows(texts[0], self.pooling),
            coder.text_rows(texts[1], self.pooling),
            np.array([numbers[str(record[self.label])] for record in train]),
            np.array([numbers[str(record[self.label])] for record in test]),
            list(numbers),
        )
        names = [str(record.get("id", index)) for index, record in enumerate(test)]
        runs = [
            classified(system, seed, said, data, names)
            for system, seed, said in network_predictions(context, data, self.method, self.training)
        ]
        if context.baselines:
            runs += [classified(system, seed, said, data, names) for system, seed, said in text_baselines(data, *texts)]
        counts = {
            "train": len(train),
            "test": len(test),
            "classes": len(numbers),
            "truncated_tokens": coder.truncated,
            "test_texts_in_train": len(set(texts[0]) & set(texts[1])),
        }
        return TaskResult(runs, dict(HIGHER), list(zip(names, texts[1], strict=True)), counts)
