"""Texts written for texts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.checks import check_counts
from seedbed.core.errors import InputError
from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult

if TYPE_CHECKING:
    from seedbed.evaluate.records import Record
    from seedbed.evaluate.writing import Pair, Writer
    from seedbed.objectives.denoising.pairs import Marks

HIGHER = {"rouge_l": True, "rouge_1": True, "exact": True, "bits_per_byte": False}


@tasks.register("text_to_text", papers=["008", "047", "068", "078", "120", "122"])
class TextToText:
    """Text to text: a source text is read, a target is to be written, from JSON Lines with both.

    For encoder-decoders, prefix decoders and causal ones (which read the source as the beginning of their text).
    Parts: files called train... and test..., or `test`, or a fraction held out by hash of the source. Systems: the
    model and the same network untrained, fine-tuned for every seed; the beginning of the source, as many words as
    targets have on average (`lead`); the most frequent target. Metrics: ROUGE-L and ROUGE-1 as F1 of words, exact
    matches, of what is written greedily, and bits of the target (its end included) for each of its bytes, where the
    network is shown what goes before. With `epochs: 0` nothing is trained: the models write as they come. `mode` is the
    token before each source of a model that was trained with modes. Longer sources and targets are cut at the end, and
    counted. Cost: a source is read once, and each token that is written (docs/writing.md); an encoder reads
    both again for each token.

    `bidirectional` says how an encoder writes, which then is fine-tuned for it: token by token as a prefix decoder
    (`causal`), or with a mask where the next token goes, trained with masks in the target (`masked`) or beside it
    (`pseudo_masked`); or all at once in so many `passes` (`parallel`, which gives no bits).
    """

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        source: str = "source",
        target: str = "target",
        mode: str | None = None,
        epochs: float = 3.0,
        batch_size: int = 32,
        lr: float = 5e-4,
        max_length: int = 256,
        max_target: int = 64,
        max_train: int = 10_000,
        max_test: int = 500,
        bidirectional: Literal["causal", "masked", "pseudo_masked", "parallel"] | None = None,
        passes: int = 8,
        name: str = "text_to_text",
    ) -> None:
        from seedbed.evaluate.finetuning import Training

        check_counts(max_length=max_length, max_target=max_target, max_train=max_train, max_test=max_test)
        check_counts(passes=passes)
        self.bidirectional, self.passes = bidirectional, passes
        self.data, self.test, self.test_fraction = data, test, test_fraction
        self.source, self.target, self.mode = source, target, mode
        self.training = Training(epochs, batch_size, lr) if epochs else None
        self.max_length, self.max_target, self.name = max_length, max_target, name
        self.max_train, self.max_test = max_train, max_test

    def run(self, context: EvaluationContext) -> TaskResult:
        from seedbed.evaluate.records import load_parts, sample
        from seedbed.objectives.denoising.pairs import Marks

        if context.trained.attention == "bidirectional" and self.bidirectional is None:
            problem = "needs a model that writes; this one is bidirectional"
            fix = "an encoder_decoder or a decoder, or `bidirectional: pseudo_masked`"
            raise InputError(self.name, problem, value=str(context.model.path), fix=fix)

        def identity(record: Record) -> str:
            return str(record[self.source])

        parts = load_parts(self.data, self.test, self.test_fraction, {self.source: str, self.target: str}, identity)
        train, test = (
            sample(part, limit, identity, context.seed, "sample")
            for part, limit in zip(parts, (self.max_train, self.max_test), strict=True)
        )
        coded = Coded(self, context)
        pairs, asked = coded.pairs(train), coded.pairs(test)
        marks = Marks.of(context.vocabulary)
        mode = marks.mode(context.vocabulary, self.mode)
        runs = []
        for system, seed in context.systems(trains=True):
            assert seed is not None
            writer = self._writer(context, context.network(system, seed), marks, mode)
            if self.training is not None:
                writer.fit(pairs, training=self.training, seed=seed)
            written = coded.texts(writer.write([source for source, _ in asked], self.max_target))
            runs.append(self._scored(system, seed, written, test, writer.nats(asked)))
        if context.baselines:
            runs += [self._scored(name, None, said, test) for name, said in self._baselines(train, test).items()]
        counts = {"train": len(train), "test": len(test), "truncated_tokens": coded.truncated}
        texts = [(str(record.get("id", index)), identity(record)) for index, record in enumerate(test)]
        higher = {metric: known for metric, known in HIGHER.items() if any(metric in run.measures for run in runs)}
        return TaskResult(runs, higher, texts, counts)

    def _writer(self, context: EvaluationContext, network: Any, marks: Marks, mode: int | None) -> Writer:
        from seedbed.evaluate.encoder_writing import encoder_writer
        from seedbed.evaluate.writing import Writer

        if network.attention != "bidirectional" or self.bidirectional is None:
            return Writer(network, marks, mode)
        return encoder_writer(self.bidirectional, network, marks, mode, context.vocabulary, self.passes)

    def _baselines(self, train: Sequence[Record], test: Sequence[Record]) -> dict[str, list[str]]:
        targets = [record[self.target] for record in train]
        size = max(1, round(sum(len(target.split()) for target in targets) / len(targets)))
        lead = [" ".join(record[self.source].split()[:size]) for record in test]
        frequent = min(Counter(targets).items(), key=lambda item: (-item[1], item[0]))[0]
        return {"lead": lead, "frequent": [frequent] * len(test)}

    def _scored(
        self, system: str, seed: int | None, written: Sequence[str], test: Sequence[Record], nats: object = None
    ) -> SystemRun:
        import numpy as np

        from seedbed.evaluate.overlap import rouge_1, rouge_l

        truth, ones = [record[self.target] for record in test], np.ones(len(test))
        both = list(zip(written, truth, strict=True))
        scores = {
            "rouge_l": np.array([rouge_l(*pair) for pair in both]),
            "rouge_1": np.array([rouge_1(*pair) for pair in both]),
            "exact": np.array([float(said.strip() == true.strip()) for said, true in both]),
        }
        measures = {name: Measure(values, ones) for name, values in scores.items()}
        if nats is not None:
            bytes_N = np.array([len(text.encode()) for text in truth], dtype=float)
            measures["bits_per_byte"] = Measure(np.asarray(nats) / math.log(2), np.maximum(bytes_N, 1))
        names = [str(record.get("id", index)) for index, record in enumerate(test)]
        return SystemRun(system, seed, measures, Items(names, truth, written, scores["rouge_l"]))


class Coded:
    """Records as tokens, and back."""

    def __init__(self, task: TextToText, context: EvaluationContext) -> None:
        self.task, self.truncated = task, 0
        self.room = min(task.max_length, context.trained.max_length) - 2  # a mode's token, and the end
        self.coder = context.coder(task.max_length)
        if context.trained.attention != "encoder-decoder":
            targets = 2 if task.bidirectional in ("masked", "pseudo_masked") else 1
            self.room = min(self.room, context.trained.max_length - targets * task.max_target - 3)
        if self.room < 1:
            raise InputError("max_length", "leaves no room for a source", value=task.max_length)

    def pairs(self, records: Sequence[Record]) -> list[Pair]:
        """Sources and targets without special tokens, cut at the end."""
        sides = []
        for column, room in ((self.task.source, self.room), (self.task.target, self.task.max_target - 1)):
            ids = [list(encoding.ids) for encoding in self.coder.encode([record[column] for record in records])]
            self.truncated += sum(max(0, len(row) - room) for row in ids)
            sides.append([row[:room] for row in ids])
        return list(zip(*sides, strict=True))

    def texts(self, rows: Sequence[list[int]]) -> list[str]:
        """What tokens say."""
        return list(self.coder.tokenizer.decode_batch([list(row) for row in rows]))
