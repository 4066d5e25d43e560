from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Literal

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, TaskResult

if TYPE_CHECKING:
    from seedbed.evaluate.tagging import Tagged


@tasks.register("python_token_types")
class PythonTokenTypes:
    """What each word of Python source is: keyword, builtin, function, parameter, attribute, string and so on.

    The truth comes from `tokenize` and `ast` (`evaluate/python_source.py`), so no labels by hand are needed: any
    corpus of Python source will do. Systems: the model and the same network untrained, fine-tuned or probed, for
    every seed; the majority class; each word's most frequent class in the training part, which knows keywords
    and common names but not the context. Metrics: accuracy, macro F1. Intervals draw documents. Documents that do
    not parse are left out, and counted.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        split: str = "test",
        train_split: str = "train",
        method: Literal["finetune", "probe"] = "finetune",
        epochs: float = 2.0,
        batch_size: int = 16,
        lr: float = 5e-4,
        max_length: int = 256,
        max_train: int = 400,
        max_test: int = 100,
        max_chars: int = 8_000,
        name: str = "python_token_types",
    ) -> None:
        from seedbed.evaluate.finetuning import Training

        self.corpus, self.split, self.train_split, self.method = corpus, split, train_split, method
        self.training = Training(epochs, batch_size, lr)
        self.max_length, self.max_train, self.max_test = max_length, max_train, max_test
        self.max_chars, self.name = max_chars, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.tagging import run_tagging

        train, _ = self._tagged(self.train_split, self.max_train, context.seed)
        test, failed = self._tagged(self.split, self.max_test, context.seed)
        classes = sorted({tag for tagged in train for tag in tagged.tags})
        for tagged in test:  # a rare class that the sample for training has not: its words are left out
            kept = [index for index, tag in enumerate(tagged.tags) if tag in classes]
            tagged.places, tagged.tags = [tagged.places[i] for i in kept], [tagged.tags[i] for i in kept]
        result = run_tagging(
            context,
            train,
            [tagged for tagged in test if tagged.tags],
            classes,
            method=self.method,
            training=self.training,
            max_length=self.max_length,
        )
        result.counts["test_documents_not_parsed"] = failed
        return result

    def _tagged(self, split: str, limit: int, seed: int) -> tuple[list[Tagged], int]:
        """Documents with the words of their first `max_chars` characters (the whole document is parsed)."""
        from seedbed.evaluate.documents import sample_documents
        from seedbed.evaluate.python_source import words
        from seedbed.evaluate.tagging import Tagged

        found, failed = [], 0
        for document in sample_documents(self.corpus, split, limit, seed=seed):
            text = textwrap.dedent(str(document["text"]).replace("\r\n", "\n").replace("\r", "\n"))
            tagged = words(text)
            if tagged is None:
                failed += 1
                continue
            inside = [word for word in tagged if word.end <= self.max_chars]
            if inside:
                places = [(word.start, word.end) for word in inside]
                found.append(Tagged(str(document["id"]), text[: self.max_chars], places, [word.tag for word in inside]))
        if not found:
            raise InputError(
                "corpus",
                f"no document of the split '{split}' is Python source that parses",
                value=str(self.corpus.path),
                fix="build the corpus with the reader python_source",
            )
        return found, failed
