from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from seedbed.core.errors import InputError
from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, TaskResult

if TYPE_CHECKING:
    from seedbed.evaluate.records import Record
    from seedbed.models.encoding import Coder, Row


@tasks.register("pairs")
class Pairs:
    """Classification of pairs of texts (a question and a passage, a premise and a hypothesis): JSON Lines with two
    texts and a label.

    Both stand in one row with a separator between them, as in BERT (Devlin et al., 2019), but for its segment
    embeddings. Where they do not fit, the longer one is cut at its end until they do (counted). A text may be a list
    of texts, which are joined by blanks. Parts, systems and metrics as in `sequences`; TF-IDF sees both texts as one.
    """

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        first: str = "first",
        second: str = "second",
        label: str = "label",
        method: Literal["finetune", "probe"] = "finetune",
        pooling: Literal["mean", "first", "last"] = "mean",
        epochs: float = 3.0,
        batch_size: int = 32,
        lr: float = 5e-4,
        max_length: int = 256,
        max_train: int = 10_000,
        max_test: int = 2_000,
        name: str = "pairs",
    ) -> None:
        from seedbed.evaluate.finetuning import Training

        self.data, self.test, self.test_fraction = data, test, test_fraction
        self.first, self.second, self.label, self.method, self.pooling = first, second, label, method, pooling
        self.training = Training(epochs, batch_size, lr)
        self.max_length, self.max_train, self.max_test, self.name = max_length, max_train, max_test, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.classification import label_records

        vocabulary = context.vocabulary
        separator = vocabulary.sep if vocabulary.sep is not None else vocabulary.eos

        def rows(coder: Coder, records: list[Record]) -> list[Row]:
            return self._rows(coder, records, separator)

        return label_records(self, context, dict.fromkeys((self.first, self.second), object), self._text, rows)

    def _texts(self, record: Record) -> list[str]:
        found = []
        for column in (self.first, self.second):
            value = record[column]
            pieces = value if isinstance(value, list) else [value]
            if not all(isinstance(piece, str) for piece in pieces):
                raise InputError(column, "is neither a text nor a list of texts", value=value)
            found.append(" ".join(pieces))
        return found

    def _text(self, record: Record) -> str:
        return "\n".join(self._texts(record))

    def _rows(self, coder: Coder, records: list[Record], separator: int | None) -> list[Row]:
        """One row a pair: what the tokenizer puts before a text, both texts with the separator between, what it puts
        behind one."""
        between = [] if separator is None else [separator]
        texts = list(zip(*map(self._texts, records), strict=True))
        rows = []
        for index, encodings in enumerate(zip(*map(coder.encode, texts), strict=True)):
            first, second = (encoding.ids for encoding in encodings)
            sizes = shared_room(len(first), len(second), coder.room - len(between))
            coder.truncated += len(first) + len(second) - sum(sizes)
            ids = [*first[: sizes[0]], *between, *second[: sizes[1]]]
            rows.append(coder.whole_row(ids, index, self.pooling, texts[0][index]))
        return rows


def shared_room(first: int, second: int, room: int) -> tuple[int, int]:
    """What remains of two lengths when the longer one is shortened until both fit; of equal ones the second."""
    half = room // 2
    if first + second <= room:
        return first, second
    if min(first, second) <= half:
        return (first, room - first) if first <= second else (room - second, second)
    return room - half, half
