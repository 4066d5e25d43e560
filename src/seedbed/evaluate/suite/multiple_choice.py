from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, TaskResult

if TYPE_CHECKING:
    from seedbed.evaluate.records import Record


@tasks.register("multiple_choice", papers=["026"])
class MultipleChoice:
    """Questions with several answers of which one is right: JSON Lines with a text, a list of choices, and the place of
    the right one.

    The network reads the question with each choice behind it, and gives each a number, of which the highest counts; all
    of it is fine-tuned by the cross-entropy of the right one among them. The number is made by two layers from the
    first token's last state. A model with a knowledge graph beside it (graph.safetensors, by the objective
    `text_and_graph`) reads the graph of question and choice as well; the number is then made from the first token's
    state, that of the node where text and graph meet, and the mean of the other nodes' states, weighted by attention of
    the first token's (Yasunaga et al., 2022).

    data: parts as in `sequences`; every record has as many choices. text, choices, label: the columns. hops: a column
    by which accuracy is given, too, where the records have it, as `accuracy_1`, `accuracy_2` and so on. epochs,
    batch_size (of questions), lr: of fine-tuning. Questions longer than `max_length` tokens with their choice are cut
    at their beginning, and counted. Systems: the model and the same network untrained, its graph's side too, for each
    seed; the place that is most often right.
    """

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        text: str = "text",
        choices: str = "choices",
        label: str = "label",
        hops: str = "hops",
        epochs: float = 3.0,
        batch_size: int = 16,
        lr: float = 5e-4,
        max_length: int = 128,
        max_train: int = 10_000,
        max_test: int = 2_000,
        name: str = "multiple_choice",
    ) -> None:
        from seedbed.evaluate.finetuning import Training

        self.data, self.test, self.test_fraction = data, test, test_fraction
        self.text, self.choices, self.label, self.hops = text, choices, label, hops
        self.training = Training(epochs, batch_size, lr)
        self.max_length, self.max_train, self.max_test, self.name = max_length, max_train, max_test, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.choosing import choose
        from seedbed.evaluate.records import load_parts, sample

        context.require("bidirectional", self.name, instead="cloze")
        columns: dict[str, type[Any]] = {self.text: str, self.choices: list, self.label: int}
        parts = load_parts(self.data, self.test, self.test_fraction, columns, self.identity)
        train, test = (
            sample(part, limit, self.identity, context.seed, "sample")
            for part, limit in zip(parts, (self.max_train, self.max_test), strict=True)
        )
        return choose(self, context, train, test)

    def identity(self, record: Record) -> str:
        """What tells questions apart."""
        return "\n".join([str(record[self.text]), *map(str, record[self.choices])])
