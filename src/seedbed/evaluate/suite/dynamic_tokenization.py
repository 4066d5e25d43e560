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
    from seedbed.evaluate.finetuning import Training
    from seedbed.evaluate.records import Record
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

    Systems: `model`, which merges nothing; `mean_...`, `hypernetwork_...`; the majority class and TF-IDF. Metrics:
    accuracy, macro F1, and `tokens`: the tokens that are left, as a share of the model's own (special tokens aside).
    Texts longer than `max_length` tokens are cut before anything is merged. Both encoders and decoders can be asked;
    for a decoder that is the paper's prefilling.

    Not implemented: training with merged batches (the paper's adapters sample how much is merged), tasks of words or
    pairs, a cache of units' embeddings. What a decoder makes of a larger vocabulary: `large_vocabulary`.
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
        self.data, self.test, self.test_fraction, self.text, self.label = data, test, test_fraction, text, label
        self.hypernetwork, self.shares, self.batch, self.pooling = hypernetwork, shares, batch, pooling
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
        for run in result.runs:
            before = asked.lengths["model"]
            run.measures["tokens"] = Measure(asked.lengths.get(run.system, before), before)
        return TaskResult(
            result.runs, {**result.higher_is_better, "tokens": False}, result.test_texts, result.counts, result.notes
        )


class _Asked:
    """The model's predictions with and without merges, and the lengths that went with them, by system."""

    def __init__(self, task: DynamicTokenization) -> None:
        self.task = task
        self.lengths: dict[str, np.ndarray] = {}

    def predictions(
        self, context: EvaluationContext, data: Labeled, method: Method, training: Training
    ) -> Iterator[tuple[str, int | None, np.ndarray]]:
        """(system, seed, predicted classes)."""
        import numpy as np

        from seedbed.evaluate.dynamic import merged_batches, predict, ways
        from seedbed.evaluate.finetuning import finetune
        from seedbed.models.scoring import pad_id

        assert method == "finetune"
        task, padding, rows = self.task, pad_id(context.vocabulary), data.test_rows
        coder = context.coder(task.max_length)
        batches = merged_batches(rows, task.batch)  # type: ignore[arg-type]  # they are what `rows` has made
        self.lengths["model"] = np.array([sum(map(len, row.words)) for batch in batches for row in batch.rows])
        for seed in context.seed_list:
            network: Any = context.network("model", seed)
            network.embedding.weight.requires_grad_(False)
            classes = len(data.classes)
            classifier = finetune(
                network, data.train_rows, data.train_N, classes, training=training, seed=seed, pad=padding
            )
            yield "model", seed, classifier.predict(rows, len(data.test_N)).argmax(-1)
            for way, embed in ways(network, context.model, task.hypernetwork).items():
                for share in task.shares:
                    logits_NC, lengths_N = predict(classifier, batches, coder, task.pooling, share, embed)
                    system = f"{way}_{round(100 * share)}"
                    self.lengths[system] = lengths_N
                    yield system, seed, logits_NC.argmax(-1)
