from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, TaskResult

if TYPE_CHECKING:
    from seedbed.evaluate.ranking import Pair


@tasks.register("docstring_retrieval")
class DocstringRetrieval:
    """Find the function that a docstring describes, as CodeSearchNet does (Husain et al., 2019).

    From any corpus of Python source (files or functions): the query is the docstring's first paragraph, the
    document the function's source without the docstring; the candidates are all sampled functions of the test
    split. Docstrings under `min_words` words, and of the queries said of several functions all but one, are left out.
    Systems: one encoder for both sides, trained by contrast on the training split's functions or used as it is
    (`zero_shot`), for the model and the same network untrained; TF-IDF and BM25 over words and the parts of
    identifiers. CodeSearchNet ranks among 999 distractors; here among at most `max_test` - 1.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        split: str = "test",
        train_split: str = "train",
        method: Literal["finetune", "zero_shot"] = "finetune",
        epochs: float = 3.0,
        batch_size: int = 32,
        lr: float = 5e-4,
        max_length: int = 128,
        max_train: int = 4_000,
        max_test: int = 500,
        max_documents: int = 5_000,
        min_words: int = 3,
        name: str = "docstring_retrieval",
    ) -> None:
        from seedbed.evaluate.finetuning import Training

        self.corpus, self.split, self.train_split, self.method = corpus, split, train_split, method
        self.training = Training(epochs, batch_size, lr)
        self.max_length, self.max_train, self.max_test = max_length, max_train, max_test
        self.max_documents, self.min_words, self.name = max_documents, min_words, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.ranking import run_retrieval

        return run_retrieval(
            context,
            self._pairs(self.train_split, self.max_train, context.seed),
            self._pairs(self.split, self.max_test, context.seed),
            method=self.method,
            training=self.training,
            max_length=self.max_length,
            parts=True,
        )

    def _pairs(self, split: str, limit: int, seed: int) -> list[Pair]:
        from seedbed.evaluate.documents import sample_documents
        from seedbed.evaluate.python_source import functions
        from seedbed.evaluate.ranking import Pair
        from seedbed.evaluate.records import sample

        found: dict[str, Pair] = {}
        for document in sample_documents(self.corpus, split, self.max_documents, seed=seed):
            for number, function in enumerate(functions(str(document["text"]))):
                if len(function.summary.split()) >= self.min_words:
                    name = f"{document['id']}:{number}:{function.name}"
                    found.setdefault(function.summary.lower(), Pair(name, function.summary, function.source))
        if len(found) < 2:
            raise InputError(
                "corpus",
                f"the split '{split}' has {len(found)} functions with docstrings; at least 2 are needed",
                value=str(self.corpus.path),
                fix="build the corpus with the reader python_source, or hold out more of it",
            )
        return sample(list(found.values()), limit, lambda pair: f"{pair.query}\n{pair.document}", seed, "sample")
