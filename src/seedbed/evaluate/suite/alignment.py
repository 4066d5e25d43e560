"""Shapes: U pairs of texts, L tokens a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus.labels import LabeledData
from seedbed.evaluate import tasks
from seedbed.evaluate.records import Record, load_parts, sample
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult

if TYPE_CHECKING:
    from seedbed.models.encoding import Coder

Links = set[tuple[int, int]]


@tasks.register("alignment", papers=["128"])
class Alignment:
    """Which words of a text and of its translation say the same: JSON Lines with `first` and `second`, the places of
    their words (`first_words`, `second_words`: lists of [start, end) characters), and `links`, a list of pairs of
    numbers of words. Nothing is trained, and only the test part is asked.

    Both texts stand in one row, with a separator between, and tokens are linked as by the objective `word_alignment`:
    optimal transport between the last hidden states, best in both directions; words are linked if any of their tokens
    are. Metrics: alignment error rate (Och and Ney, 2003), which with sure links alone is 1 - 2 |A and S| / (|A| +
    |S|), precision and recall. Systems: the model; the same network untrained; words in order, the nth with the nth
    (`diagonal`). Pairs that do not fit are left out, counted. Intervals draw pairs.
    """

    def __init__(
        self,
        data: LabeledData,
        *,
        test: LabeledData | None = None,
        test_fraction: float = 0.2,
        sharpness: float = 10.0,
        rounds: int = 5,
        max_length: int = 128,
        max_test: int = 500,
        name: str = "alignment",
    ) -> None:
        self.data, self.test, self.test_fraction = data, test, test_fraction
        self.sharpness, self.rounds = sharpness, rounds
        self.max_length, self.max_test, self.name = max_length, max_test, name

    def run(self, context: EvaluationContext) -> TaskResult:
        context.require("bidirectional", self.name, instead="retrieval")
        columns: dict[str, type] = dict.fromkeys(("first", "second"), str)
        columns |= dict.fromkeys(("first_words", "second_words", "links"), list)
        _, found = load_parts(self.data, self.test, self.test_fraction, columns, _identity)
        chosen = sample(found, self.max_test, _identity, context.seed, "sample")
        separator = context.vocabulary.sep if context.vocabulary.sep is not None else context.vocabulary.eos
        pairs = _pairs(context.coder(self.max_length), chosen, separator)
        kept = [pair for pair in pairs if pair is not None]
        records = [record for record, pair in zip(chosen, pairs, strict=True) if pair is not None]
        if not records:
            raise InputError("data", "no pair of texts fits into a row", fix="a larger max_length")
        runs = []
        for system, seed in context.systems(trains=False):
            network = context.frozen(system, seed or 0)
            runs.append(_scored(system, seed, records, [self._linked(context, network, *pair) for pair in kept]))
        if context.baselines:
            sizes = [min(len(record["first_words"]), len(record["second_words"])) for record in records]
            runs.append(_scored("diagonal", None, records, [{(n, n) for n in range(size)} for size in sizes]))
        texts = [(str(r.get("id", n)), f"{r['first']}\n{r['second']}") for n, r in enumerate(records)]
        counts = {"pairs": len(records), "left_out": len(chosen) - len(records)}
        return TaskResult(runs, {"aer": False, "precision": True, "recall": True}, texts, counts)

    def _linked(self, context: EvaluationContext, network: Any, ids: list[int], word_L: Any, side_L: Any) -> Links:
        """The links of words that the network's states give."""
        import torch

        from seedbed.models.alignment import agreed, transport

        side_1L = torch.from_numpy(side_L)[None].to(context.device)
        with torch.no_grad():
            states_1LD = network.hidden(torch.tensor([ids], device=context.device))
            label_1L, _ = agreed(transport(states_1LD, side_1L, self.sharpness, self.rounds), side_1L)
        label_L = label_1L[0].cpu().numpy()
        tokens = np.flatnonzero((side_L == 0) & (label_L >= 0))
        links = zip(word_L[tokens].tolist(), word_L[label_L[tokens]].tolist(), strict=True)
        return {(one, other) for one, other in links if one >= 0 and other >= 0}


def _identity(record: Record) -> str:
    return f"{record['first']}\n{record['second']}"


def _pairs(coder: Coder, records: list[Record], separator: int | None) -> list[tuple[list[int], Any, Any] | None]:
    """Of each pair the row, and of its tokens which word of their text they are of, and which text (0, 1; -1 of none);
    None for one that does not fit."""
    between = [] if separator is None else [separator]
    sides = [coder.encode([record[name] for record in records]) for name in ("first", "second")]
    found: list[tuple[list[int], Any, Any] | None] = []
    for record, first, second in zip(records, *sides, strict=True):
        ids = [*first.ids, *between, *second.ids]
        if len(ids) > coder.room:
            found.append(None)
            continue
        words = [_words_of(first.offsets, record["first_words"]), _words_of(second.offsets, record["second_words"])]
        whole = coder.wrap(ids)
        word_L, side_L = np.full(len(whole), -1), np.full(len(whole), -1)
        starts = len(coder.prefix), len(coder.prefix) + len(first.ids) + len(between)
        for side, (start, numbers) in enumerate(zip(starts, words, strict=True)):
            word_L[start : start + len(numbers)] = numbers
            side_L[start : start + len(numbers)] = side
        found.append((whole, word_L, side_L))
    return found


def _words_of(offsets: Any, words: list[list[int]]) -> list[int]:
    """The number of the word that each token is of; -1 for none."""
    found = []
    for start, end in offsets:
        number = next((n for n, (begin, stop) in enumerate(words) if max(begin, start) < min(stop, end)), -1)
        found.append(number)
    return found


def _scored(system: str, seed: int | None, records: list[Record], linked: list[Links]) -> SystemRun:
    sure = [{(int(one), int(other)) for one, other in record["links"]} for record in records]
    said_U, true_U = (np.array([len(part) for part in side]) for side in (linked, sure))
    both_U = np.array([len(one & other) for one, other in zip(linked, sure, strict=True)])
    measures = {
        "aer": Measure(said_U + true_U - 2 * both_U, said_U + true_U),
        "precision": Measure(both_U, said_U),
        "recall": Measure(both_U, true_U),
    }
    names = [str(record.get("id", number)) for number, record in enumerate(records)]
    said, true = ([str(sorted(part)) for part in side] for side in (linked, sure))
    return SystemRun(system, seed, measures, Items(names, true, said, both_U / np.maximum(1, true_U)))
