"""Units of several tokens, whose embeddings are made on the fly; rows of a batch with frequent neighbors merged.

Shapes: N items, U units, V tokens, D width, C classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.counters import integers, key, uniform
from seedbed.models.encoding import Coder, Row
from seedbed.surgery.substitution import with_weights

from .merging import BatchMerges, Ids

if TYPE_CHECKING:
    import torch

    from seedbed.models.artifact import Model
    from seedbed.surgery.tokenizer_hypernetwork.artifact import TokenizerHypernetwork
    from seedbed.vocabulary.artifact import Vocabulary

    from .finetuning import Classifier

# Units to their embeddings (U, D), in the tables "input" and, where it is untied, "output".
Embed = Callable[[list[Ids]], "dict[str, torch.Tensor]"]


def ways(network: Any, model: Model, hypernetwork: TokenizerHypernetwork | None) -> dict[str, Embed]:
    """How units get embeddings in a network that has the model's tokenizer: as the mean of their tokens', and from a
    hypernetwork if there is one."""
    from seedbed.surgery.initializers.subtokens import mean_of_pieces
    from seedbed.surgery.tokenizer_hypernetwork.network import arrays
    from seedbed.surgery.vocabulary.change import tables_of

    tokenizer = model.tokenizer()
    old = tables_of(network, tokenizer.vocabulary().size)
    found: dict[str, Embed] = {
        "mean": lambda units: {name: mean_of_pieces(rows, *arrays(units), len(units)) for name, rows in old.items()}
    }
    if hypernetwork is not None:
        place = old["input"].device
        predictor = hypernetwork.predictor(tokenizer, old).to(place)

        def predicted(units: list[Ids]) -> dict[str, torch.Tensor]:
            pieces_P, token_P = arrays(units)
            return predictor.predict(pieces_P.to(place), token_P.to(place), len(units), old)

        found["hypernetwork"] = predicted
    return found


@dataclass
class WordRow(Row):
    """A row that is one item; `words` are the tokens of its text, word by word."""

    words: list[Ids]


def word_rows(coder: Coder, texts: Sequence[str], vocabulary: Vocabulary, pooling: str) -> list[WordRow]:
    """One row a text, cut at the end where it is too long."""
    rows = []
    for item, (text, encoding) in enumerate(zip(texts, coder.encode(texts), strict=True)):
        coder.truncated += max(0, len(encoding.ids) - coder.room)
        ids = encoding.ids[: coder.room]
        row = coder.whole_row(ids, item, pooling, text)
        rows.append(WordRow(row.ids, row.spans_S2, row.items_S, cut_words(ids, encoding.word_ids, vocabulary)))
    return rows


def cut_words(ids: list[int], word_ids: Sequence[int | None], vocabulary: Vocabulary) -> list[Ids]:
    """The tokens of each word. One begins where the tokenizer's splitter has cut, and at a token that begins one (so
    that tokenizers without a splitter have words, too)."""
    parts = np.array([-1 if part is None else part for part in word_ids[: len(ids)]], dtype=np.int64)
    begins = np.flatnonzero((np.diff(parts, prepend=-2) != 0) | vocabulary.word_start_V[np.array(ids, np.int64)])
    return [tuple(ids[start:end]) for start, end in zip(begins, [*begins[1:], len(ids)], strict=True)]


@dataclass
class MergedBatch:
    """Rows that are merged together, and their merges."""

    rows: list[WordRow]
    merges: BatchMerges

    @classmethod
    def of(cls, rows: list[WordRow]) -> MergedBatch:
        return cls(rows, BatchMerges(Counter(word for row in rows for word in row.words)))

    def units(self, share: float) -> list[list[Ids]]:
        """Of each row, after the merges that take away this share of what all of them do."""
        number = self.merges.number(share)
        known: dict[Ids, list[Ids]] = {}
        for row in self.rows:
            for word in row.words:
                if word not in known:
                    known[word] = self.merges.units(word, number)
        return [[unit for word in row.words for unit in known[word]] for row in self.rows]


def merged_batches(rows: Sequence[WordRow], size: int) -> list[MergedBatch]:
    """The rows in their order, so many at a time."""
    return [MergedBatch.of(list(rows[start : start + size])) for start in range(0, len(rows), size)]


def whole_lengths(rows: Sequence[WordRow]) -> np.ndarray:
    """How many tokens each text has (N), without those that the tokenizer puts around it."""
    return np.array([sum(map(len, row.words)) for row in rows])


@dataclass(frozen=True)
class UnitReader:
    """How a classifier reads rows of units: units of one token keep its embedding (in the authors' code those too are
    predicted), the others get one from `embed`."""

    coder: Coder
    pooling: str
    embed: Embed

    def logits(self, classifier: Classifier, units: list[list[Ids]]) -> torch.Tensor:
        """(N, C), one item a row. Gradients flow to all weights but the embeddings."""
        import torch

        network: Any = classifier.network
        table_VD = network.embedding.weight
        new = sorted({unit for row in units for unit in row if len(unit) > 1})
        places = {unit: len(table_VD) + number for number, unit in enumerate(new)}
        rows: list[Row] = [
            self.coder.whole_row([places.get(unit, unit[0]) for unit in row], item, self.pooling, "")
            for item, row in enumerate(units)
        ]
        weights = {}
        # In full precision also where training is not, so that a unit has one embedding in training and test.
        with torch.no_grad(), torch.autocast(table_VD.device.type, enabled=False):
            if new:
                weights = {"embedding.weight": torch.cat((table_VD, self.embed(new)["input"]))}
        found: torch.Tensor = with_weights(network, weights, partial(_logits, classifier, rows))
        return found


@dataclass
class MergedTraining:
    """What `finetune` reads batches by so that each is merged by itself, to a share of its own (for `shares` see
    `DynamicTokenization`). Shares are a function of the seed and the step. `tokens_N` and `units_N` count what there
    was of each training text before and after its merges, through all epochs."""

    reader: UnitReader
    shares: Sequence[float] | None
    seed: int
    texts: int
    steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.tokens_N, self.units_N = np.zeros((2, self.texts), dtype=np.int64)

    def __call__(self, classifier: Classifier, rows: Sequence[Row]) -> torch.Tensor:
        units = MergedBatch.of(rows).units(self.share(self.steps))  # type: ignore[arg-type]  # rows are `WordRow`s
        self.steps += 1
        for row, merged in zip(rows, units, strict=True):
            self.tokens_N[row.items_S] += sum(map(len, merged))
            self.units_N[row.items_S] += len(merged)
        return self.reader.logits(classifier, units)

    def share(self, step: int) -> float:
        """Drawn evenly from `shares`, or from the whole of [0, 1)."""
        stream = key(self.seed, "merged training")
        if self.shares is None:
            return float(uniform(stream, step))
        return self.shares[int(integers(stream, len(self.shares), step))]


def predict(
    classifier: Classifier, batches: Sequence[MergedBatch], reader: UnitReader, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, C), and how many units each text has (N)."""
    import torch

    logits, lengths = [], []
    for batch in batches:
        units = batch.units(share)
        with torch.no_grad():
            logits.append(reader.logits(classifier, units).float().cpu().numpy())
        lengths += [len(row) for row in units]
    return np.concatenate(logits), np.array(lengths)


def _logits(classifier: Classifier, rows: Sequence[Row], network: Any) -> torch.Tensor:
    return replace(classifier, network=network).logits(rows)
