from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult

if TYPE_CHECKING:
    from seedbed.models.encoding import Coder
    from seedbed.models.network import Network


@tasks.register("bits_per_byte")
class BitsPerByte:
    """Bits per byte of held-out documents, for causal models: total nats / (ln 2 * bytes of UTF-8).

    Every document stands on its own. What is coded are all its tokens with the end symbol, if the tokenizer adds
    one; a first token with nothing before it (no start symbol) costs log2(V) bits in every system. Documents longer
    than a row are read through windows that overlap by half, so that each token but a document's first ones is
    predicted from at least half a row. Bytes make models with different tokenizers comparable, as long as the
    tokenizer loses nothing: documents that do not come back from their tokens are counted as `lossy`.
    Systems: the model; the same network untrained; over the model's own tokens, and estimated on a sample of the
    corpus' training split, unigrams and interpolated Kneser-Ney n-grams. Intervals draw documents.

    energy_steps: for energy-based networks, how many steps each prediction takes; by default as many as in training.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        split: str = "test",
        max_documents: int = 500,
        max_length: int = 1024,
        train_split: str = "train",
        max_train: int = 5_000,
        order: int = 3,
        energy_steps: int | None = None,
        name: str = "bits_per_byte",
    ) -> None:
        if energy_steps is not None and energy_steps < 1:
            raise InputError("energy_steps", "must be at least 1", value=energy_steps)
        if not 2 <= order <= 3:
            raise InputError("order", "of the n-gram baseline must be 2 or 3", value=order)
        self.corpus, self.split, self.max_documents = corpus, split, max_documents
        self.max_length, self.train_split, self.max_train = max_length, train_split, max_train
        self.order, self.energy_steps, self.name = order, energy_steps, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.documents import sample_documents

        context.require("causal", self.name, instead="masked_accuracy")
        documents = sample_documents(self.corpus, self.split, self.max_documents, seed=context.seed)
        documents = [document for document in documents if document["text"]]
        if not documents:
            raise InputError("split", f"the split '{self.split}' holds no text", value=str(self.corpus.path))
        coder = context.coder(self.max_length)
        encodings = coder.encode([document["text"] for document in documents])
        ids = [np.array(coder.wrap(encoding.ids), dtype=np.int64) for encoding in encodings]
        runs = [
            self._scored(
                system, seed, documents, self._network_nats(context, system, seed or 0, ids, bool(coder.prefix))
            )
            for system, seed in context.systems(trains=False)
        ]
        if context.baselines:
            runs += self._count_runs(context, coder, documents, ids)
        counts = {
            "documents": len(documents),
            "bytes": sum(_num_bytes(document) for document in documents),
            "tokens": sum(map(len, ids)),
            "unknown_tokens": sum(int((part == context.vocabulary.unk).sum()) for part in ids),
            "lossy": _lossy(coder, documents, encodings),
        }
        lossy = f"{counts['lossy']} of {len(documents)} documents do not come back from their tokens exactly"
        notes = [f"{lossy}: bits per byte of other tokenizers may not compare"] if counts["lossy"] else []
        texts = [(str(document["id"]), str(document["text"])) for document in documents]
        return TaskResult(runs, {"bits_per_byte": False, "bits_per_token": False}, texts, counts, notes)

    def _network_nats(
        self, context: EvaluationContext, system: str, seed: int, ids: list[np.ndarray], start: bool
    ) -> list[np.ndarray]:
        from seedbed.models.scoring import pad_id

        network: Any = context.frozen(system, seed)
        length = min(self.max_length, network.max_length)
        given = {"start": start, "length": length, "pad": pad_id(context.vocabulary)}
        if self.energy_steps is None:
            return causal_nats(network, ids, **given)
        if network.energy_head is None:
            raise InputError("energy_steps", "are for energy-based networks", fix="decoder: {energy_steps: 2}")
        usual, network.energy_steps = network.energy_steps, self.energy_steps
        try:
            return causal_nats(network, ids, **given)
        finally:
            network.energy_steps = usual

    def _scored(
        self, system: str, seed: int | None, documents: list[dict[str, Any]], nats: list[np.ndarray]
    ) -> SystemRun:
        bits_U = np.array([part.sum() for part in nats]) / math.log(2)
        bytes_U = np.array([_num_bytes(document) for document in documents])
        measures = {
            "bits_per_byte": Measure(bits_U, bytes_U),
            "bits_per_token": Measure(bits_U, np.array([len(part) for part in nats])),
        }
        names = [str(document["id"]) for document in documents]
        empty = [""] * len(names)
        return SystemRun(system, seed, measures, Items(names, empty, empty, bits_U / bytes_U))

    def _count_runs(
        self, context: EvaluationContext, coder: Coder, documents: list[dict[str, Any]], ids: list[np.ndarray]
    ) -> list[SystemRun]:
        from seedbed.evaluate.documents import sample_documents
        from seedbed.evaluate.ngrams import KneserNey

        size = context.trained.vocabulary_size
        texts = [d["text"] for d in sample_documents(self.corpus, self.train_split, self.max_train, seed=context.seed)]
        seen = [np.array(coder.wrap(encoding.ids), dtype=np.int64) for encoding in coder.encode(texts)]
        runs = []
        for system, order in (("unigram", 1), ("ngram", self.order)):
            counted = KneserNey(seen, size, order)
            nats = [-np.log(counted.probabilities(part)) for part in ids]
            nats = [part[1:] if coder.prefix else np.append(math.log(size), part[1:]) for part in nats]
            runs.append(self._scored(system, None, documents, nats))
        return runs


def causal_nats(network: Network, ids: list[np.ndarray], *, start: bool, length: int, pad: int) -> list[np.ndarray]:
    """The nats of every token of every document, given those before it (float64).

    With `start` the first id is a start symbol, which is given and costs nothing; without, the first token costs
    ln(V). Windows of `length` tokens overlap by half.
    """
    from seedbed.models.scoring import score_targets

    windows, columns, targets, owners = [], [], [], []
    for index, document in enumerate(ids):
        begin, done = 0, 1
        while done < len(document):
            end = min(begin + length, len(document))
            windows.append(document[begin : end - 1].tolist())  # the last one has nothing to predict
            columns.append(np.arange(done - 1 - begin, end - 1 - begin))
            targets.append(document[done:end])
            owners.append(index)
            begin, done = end - max(1, length // 2), end
    found, _ = score_targets(network, windows, columns, targets, pad)
    first = [] if start else [np.array([math.log(network.vocabulary_size)])]
    parts: list[list[np.ndarray]] = [list(first) for _ in ids]
    for index, nats in zip(owners, found, strict=True):
        parts[index].append(nats)
    return [np.concatenate([np.zeros(0), *part]) for part in parts]


def _num_bytes(document: dict[str, Any]) -> int:
    return len(document["text"].encode())


def _lossy(coder: Coder, documents: list[dict[str, Any]], encodings: list[Any]) -> int:
    """How many documents differ from their decoded tokens by more than blanks at the start."""
    decoded = coder.tokenizer.decode_batch([encoding.ids for encoding in encodings], skip_special_tokens=False)
    return sum(a["text"].lstrip(" ") != b.lstrip(" ") for a, b in zip(documents, decoded, strict=True))
