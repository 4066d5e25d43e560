from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult

if TYPE_CHECKING:
    from seedbed.evaluate.masking import Window
    from seedbed.models.encoding import Coder


@tasks.register("masked_accuracy")
class MaskedAccuracy:
    """Accuracy and loss at masked tokens of held-out documents, for bidirectional models.

    A share `rate` of the tokens of each document, chosen by a hash of document, place and seed, is replaced by the mask
    token (all of them: the 80/10/10 rule of Devlin et al., 2019, is a training device); long documents are cut into
    rows without overlap. Metrics: accuracy; nats a masked token; bits a byte of masked text (which makes tokenizers
    less incomparable, not comparable: longer tokens are harder). This is no likelihood of a text, so there
    is no bits per byte of masked models.
    Systems: the model; the same network untrained; from counts on a sample of the corpus' training split, unigrams
    and the neighbors on both sides. Intervals draw documents.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        split: str = "test",
        rate: float = 0.15,
        max_documents: int = 500,
        max_length: int = 512,
        train_split: str = "train",
        max_train: int = 5_000,
        name: str = "masked_accuracy",
    ) -> None:
        if not 0 < rate < 1:
            raise InputError("rate", "must lie between 0 and 1", value=rate)
        self.corpus, self.split, self.rate = corpus, split, rate
        self.max_documents, self.max_length = max_documents, max_length
        self.train_split, self.max_train, self.name = train_split, max_train, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.documents import sample_documents
        from seedbed.evaluate.masking import masked_windows
        from seedbed.models.scoring import pad_id, score_targets

        context.require("bidirectional", self.name, instead="bits_per_byte")
        if context.vocabulary.mask is None:
            raise InputError(self.name, "the model's tokenizer has no mask token", value=str(context.model.path))
        documents = sample_documents(self.corpus, self.split, self.max_documents, seed=context.seed)
        coder = context.coder(self.max_length)
        names = [str(document["id"]) for document in documents]
        texts = [str(document["text"]) for document in documents]
        mask = context.vocabulary.mask
        windows = masked_windows(coder, names, texts, mask=mask, rate=self.rate, seed=context.seed)
        if not windows:
            raise InputError(
                "split", f"no token of the split '{self.split}' was masked", fix="more documents, a higher rate"
            )
        targets = [window.truth[window.columns] for window in windows]
        runs = []
        for system, seed in context.systems(trains=False):
            network = context.frozen(system, seed or 0)
            rows, columns = [window.ids for window in windows], [window.columns for window in windows]
            nats, best = score_targets(network, rows, columns, targets, pad_id(context.vocabulary))
            runs.append(self._scored(context, system, seed, windows=windows, nats=nats, best=best))
        if context.baselines:
            runs += self._count_runs(context, coder, windows, targets)
        counts = {"documents": len(documents), "masked_tokens": sum(map(len, targets))}
        higher = {"accuracy": True, "nats": False, "bits_per_masked_byte": False}
        return TaskResult(runs, higher, list(zip(names, texts, strict=True)), counts)

    def _scored(
        self,
        context: EvaluationContext,
        system: str,
        seed: int | None,
        *,
        windows: list[Window],
        nats: list[np.ndarray],
        best: list[np.ndarray],
    ) -> SystemRun:
        truth_T = np.concatenate([window.truth[window.columns] for window in windows])
        nats_T, best_T = np.concatenate(nats), np.concatenate(best)
        documents_T = np.repeat([window.document for window in windows], [len(part) for part in nats])
        _, unit_T = np.unique(documents_T, return_inverse=True)
        num_U = np.bincount(unit_T)
        bytes_U = np.bincount(unit_T, np.concatenate([window.bytes for window in windows]))
        nats_U = np.bincount(unit_T, nats_T)
        measures = {
            "accuracy": Measure(np.bincount(unit_T, truth_T == best_T), num_U),
            "nats": Measure(nats_U, num_U),
            "bits_per_masked_byte": Measure(nats_U / math.log(2), bytes_U),
        }
        words = context.vocabulary.tokens
        items = Items(
            [name for window in windows for name in window.names],
            [words[token] for token in truth_T],
            [words[token] if token < len(words) else f"#{token}" for token in best_T],
            nats_T,
        )
        return SystemRun(system, seed, measures, items)

    def _count_runs(
        self, context: EvaluationContext, coder: Coder, windows: list[Window], targets: list[np.ndarray]
    ) -> list[SystemRun]:
        from seedbed.evaluate.masking import counts_of_neighbors

        counted = counts_of_neighbors(context, coder, self.corpus, self.train_split, self.max_train)
        unigram = [-np.log(counted.unigram_V[part]) for part in targets]
        common = [np.full(len(part), int(counted.unigram_V.argmax())) for part in targets]
        nats, best = [], []
        for window in windows:
            edged = [None, *(None if token == context.vocabulary.mask else token for token in window.ids), None]
            rows = [counted.distribution(edged[column], edged[column + 2]) for column in window.columns]
            wanted = window.truth[window.columns]
            nats.append(np.array([-math.log(row[token]) for row, token in zip(rows, wanted, strict=True)]))
            best.append(np.array([int(row.argmax()) for row in rows]))
        return [
            self._scored(context, "unigram", None, windows=windows, nats=unigram, best=common),
            self._scored(context, "neighbors", None, windows=windows, nats=nats, best=best),
        ]
