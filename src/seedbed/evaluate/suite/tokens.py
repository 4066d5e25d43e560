from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from seedbed.core.errors import InputError
from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.records import Record, label_numbers, load_parts, sample
from seedbed.evaluate.task import EvaluationContext, TaskResult

if TYPE_CHECKING:
    from seedbed.evaluate.tagging import Tagged


@tasks.register("tokens")
class Tokens:
    """Token classification: JSON Lines with the words of a sentence and their tags.

    Words are joined by blanks and tokenized as text; a word's first sub-token stands for it. Tags in IOB (any of
    IOB1, IOB2, IOBES) are scored by span F1 as seqeval and conlleval compute it, with precision, recall and
    accuracy; others by accuracy and macro F1. Systems: the model and the same network untrained, fine-tuned or
    probed, for every seed; the majority tag; each word's most frequent tag in the training part.
    """

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        tokens: str = "tokens",
        tags: str = "tags",
        method: Literal["finetune", "probe"] = "finetune",
        epochs: float = 3.0,
        batch_size: int = 32,
        lr: float = 5e-4,
        max_length: int = 256,
        max_train: int = 10_000,
        max_test: int = 5_000,
        name: str = "tokens",
    ) -> None:
        from seedbed.evaluate.finetuning import Training

        self.data, self.test, self.test_fraction = data, test, test_fraction
        self.tokens, self.tags, self.method = tokens, tags, method
        self.training = Training(epochs, batch_size, lr)
        self.max_length, self.max_train, self.max_test, self.name = max_length, max_train, max_test, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.tagging import run_tagging

        columns = {self.tokens: list, self.tags: list}
        parts = load_parts(self.data, self.test, self.test_fraction, columns, self._text)
        tags = [[str(tag) for record in part for tag in record[self.tags]] for part in parts]
        classes = list(label_numbers(tags[0], tags[1], self.tags))
        chosen = [
            sample(part, limit, self._text, context.seed, "sample")
            for part, limit in zip(parts, (self.max_train, self.max_test), strict=True)
        ]
        train, test = ([self._tagged(record, index) for index, record in enumerate(part)] for part in chosen)
        return run_tagging(
            context,
            [tagged for tagged in train if tagged.tags],
            [tagged for tagged in test if tagged.tags],
            classes,
            method=self.method,
            training=self.training,
            max_length=self.max_length,
        )

    def _text(self, record: Record) -> str:
        return " ".join(map(str, record[self.tokens]))

    def _tagged(self, record: Record, index: int) -> Tagged:
        from seedbed.evaluate.tagging import Tagged

        words, tags = [str(word) for word in record[self.tokens]], [str(tag) for tag in record[self.tags]]
        name = str(record.get("id", index))
        if len(words) != len(tags):
            raise InputError(self.tags, f"has {len(tags)} entries for {len(words)} {self.tokens}", value=name)
        ends = list(accumulate(words, lambda end, word: end + 1 + len(word), initial=-1))[1:]
        places = [(end - len(word), end) for word, end in zip(words, ends, strict=True)]
        return Tagged(name, " ".join(words), places, tags)
