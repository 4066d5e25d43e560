from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.checks import check_counts, check_share
from seedbed.core.errors import InputError
from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, TaskResult
from seedbed.surgery.tokenizer_hypernetwork.artifact import TokenizerHypernetwork

if TYPE_CHECKING:
    import numpy as np

    from seedbed.evaluate.classification import Labeled, Method
    from seedbed.evaluate.dynamic import MergedBatch, MergedTraining, UnitReader
    from seedbed.evaluate.finetuning import Classifier, Training
    from seedbed.evaluate.records import Record
    from seedbed.evaluate.task import Measure
    from seedbed.models.encoding import Coder, Row


@tasks.register("dynamic_tokenization", papers=["382"])
class DynamicTokenization:
    """What shorter sequences cost: a fine-tuned network reads each batch of texts with its frequent neighboring tokens
    merged (dynamic tokenization, Feher, Vulić and Minixhofer, 2025).

    One label a text, as in `sequences`. The network is fine-tuned on its own tokens, its embeddings frozen, once for
    each seed. Then the tokens of `batch` test texts at a time are merged within words (`merging.BatchMerges`), and the
    units' embeddings are made on the fly: the mean of their tokens' (`mean`), and what a hypernetwork predicts
    (`hypernetwork`, by `train_tokenizer_hypernetwork` for this model) if one is given. `shares`: so much of the
    reduction that whole words would be, for each a system: `mean_50` has the merges that give half of it.

    `train: merged` fine-tunes further networks, one for each way to make embeddings, which read each batch of training
    merged by itself, with embeddings of that way: `merged_mean_50` is `mean_50` with such a network. How much of a
    batch is merged is drawn for it, evenly from all shares from 0 to 1, as the authors' code does for the adapters of
    their paper (from 30 bins of the reduction, or else from a bell around the middle); one network then serves all
    `shares`. `train_shares` is ours: a batch's share is drawn evenly from these, so that `[1.0]` trains on whole words
    and `[0.0]` on the model's own tokens. Ours too: all weights but the embeddings are trained (low-rank adapters in
    the paper), a share is one of the batch's own reduction (in the code the number of merges that gives it on average),
    and batches are those of ordinary fine-tuning, in which texts have similar lengths.

    Systems: `model`, which merges nothing; `mean_...`, `hypernetwork_...`, and with `train: merged` the same with
    `merged_` before; the majority class and TF-IDF. Metrics: accuracy, macro F1, and `tokens`: the tokens that are
    left, as a share of the model's own (special tokens aside); with `train: merged` also `train_tokens`, the same of
    what the network was trained on. Texts longer than `max_length` tokens are cut before anything is merged. Both
    encoders and decoders can be asked; for a decoder that is the paper's prefilling.

    Not implemented: tasks of words or pairs, a cache of units' embeddings. What a decoder makes of a larger vocabulary:
    `large_vocabulary`.
    """

    method: Method = "finetune"

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        text: str = "text",
        label: str = "label",
        hypernetwork: TokenizerHypernetwork | None = None,
        shares: list[float] = [0.25, 0.5, 0.75, 1.0],  # noqa: B006
        batch: int = 32,
        train: Literal["own", "merged"] = "own",
        train_shares: list[float] | None = None,
        pooling: Literal["mean", "first", "last"] = "mean",
        epochs: float = 3.0,
        batch_size: int = 32,
        lr: float = 5e-4,
        max_length: int = 256,
        max_train: int = 10_000,
        max_test: int = 2_000,
        name: str = "dynamic_tokenization",
    ) -> None:
        from seedbed.evaluate.finetuning import Training

        check_counts(batch=batch)
        for share in shares:
            check_share("shares", share)
        if len({round(100 * share) for share in shares}) < len(shares) or not shares:
            raise InputError("shares", "must be one or several, a hundredth apart", value=shares)
        for share in train_shares or []:
            check_share("train_shares", share)
        if train_shares is not None and (train == "own" or not train_shares):
            raise InputError("train_shares", "must be one or several, with `train: merged`", value=train_shares)
        self.data, self.test, self.test_fraction, self.text, self.label = data, test, test_fraction, text, label
        self.hypernetwork, self.shares, self.batch, self.pooling = hypernetwork, shares, batch, pooling
        self.train, self.train_shares = train, train_shares
        self.training = Training(epochs, batch_size, lr)
        self.max_length, self.max_train, self.max_test, self.name = max_length, max_train, max_test, name

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.classification import label_records
        from seedbed.evaluate.dynamic import word_rows
        from seedbed.evaluate.task import Measure

        asked = _Asked(self)

        def text(record: Record) -> str:
            return str(record[self.text])

        def rows(coder: Coder, records: list[Record]) -> list[Row]:
            return list(word_rows(coder, list(map(text, records)), context.vocabulary, self.pooling))

        result = label_records(self, context, {self.text: str}, text, rows, asked.predictions)
        higher = {**result.higher_is_better, "tokens": False}
        if self.train == "merged":
            higher["train_tokens"] = False
        for run in result.runs:
            before = asked.lengths["model"]
            run.measures["tokens"] = Measure(asked.lengths.get(run.system, before), before)
            if self.train == "merged" and run.seed is not None:
                run.measures["train_tokens"] = asked.trained[run.system, run.seed]
        return TaskResult(result.runs, higher, result.test_texts, result.counts, result.notes)


class _Asked:
    """The model's predictions with and without merges, and the lengths that went with them: of the test texts by
    system, of the training texts by system and seed, as a share of the model's own."""

    def __init__(self, task: DynamicTokenization) -> None:
        self.task = task
        self.lengths: dict[str, np.ndarray] = {}
        self.trained: dict[tuple[str, int], Measure] = {}

    def predictions(
        self, context: EvaluationContext, data: Labeled, method: Method, training: Training
    ) -> Iterator[tuple[str, int | None, np.ndarray]]:
        """(system, seed, predicted classes)."""
        from seedbed.evaluate.dynamic import MergedTraining, UnitReader, merged_batches, ways, whole_lengths
        from seedbed.evaluate.task import Measure

        assert method == "finetune"
        task, coder, rows = self.task, context.coder(self.task.max_length), data.test_rows
        batches = merged_batches(rows, task.batch)  # type: ignore[arg-type]  # they are what `rows` has made
        self.lengths["model"] = whole_lengths(rows)  # type: ignore[arg-type]
        own = whole_lengths(data.train_rows)  # type: ignore[arg-type]
        for seed in context.seed_list:
            classifier = _finetuned(context, data, training, seed)
            self.trained["model", seed] = Measure(own, own)
            yield "model", seed, classifier.predict(rows, len(data.test_N)).argmax(-1)
            # Embeddings are frozen, so that units have the same ones in all networks.
            made = ways(classifier.network, context.model, task.hypernetwork)
            readers = {way: UnitReader(coder, task.pooling, embed) for way, embed in made.items()}
            for way, reader in readers.items():
                yield from self._merged(way, seed, classifier, batches, reader, Measure(own, own))
            if task.train == "own":
                continue
            for way, reader in readers.items():
                merging = MergedTraining(reader, task.train_shares, seed, len(own))
                classifier = _finetuned(context, data, training, seed, merging)
                read = Measure(merging.units_N, merging.tokens_N)
                yield from self._merged(f"merged_{way}", seed, classifier, batches, reader, read)

    def _merged(
        self,
        way: str,
        seed: int,
        classifier: Classifier,
        batches: list[MergedBatch],
        reader: UnitReader,
        trained: Measure,
    ) -> Iterator[tuple[str, int, np.ndarray]]:
        """What a network says of merged texts, for each share."""
        from seedbed.evaluate.dynamic import predict

        for share in self.task.shares:
            logits_NC, lengths_N = predict(classifier, batches, reader, share)
            system = f"{way}_{round(100 * share)}"
            self.lengths[system], self.trained[system, seed] = lengths_N, trained
            yield system, seed, logits_NC.argmax(-1)


def _finetuned(
    context: EvaluationContext, data: Labeled, training: Training, seed: int, merging: MergedTraining | None = None
) -> Classifier:
    """The model's network, trained but for its embeddings, on its own tokens or on merged batches."""
    from seedbed.evaluate.finetuning import finetune
    from seedbed.models.scoring import pad_id

    network: Any = context.network("model", seed)
    network.embedding.requires_grad_(False)
    classes, pad = len(data.classes), pad_id(context.vocabulary)
    return finetune(
        network, data.train_rows, data.train_N, classes, training=training, seed=seed, pad=pad, read=merging
    )
