"""A score of texts learned from which of two was judged the better."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from seedbed.core.counters import integers, key
from seedbed.core.errors import InputError
from seedbed.corpus import scorers
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.input.examples import Example, Texts, examples_of, field_of, is_held_back, sampled

if TYPE_CHECKING:
    import torch

    from seedbed.corpus.learned.logistic import Table

_MODEL, _SCORES = "weights.npz", "bradley_terry.jsonl"
_WINS = {"a": 1.0, "b": 0.0, "tie": 0.5}


class _Vote(NamedTuple):
    first: str
    second: str
    win: float  # of the first: 1, 0, or a half for a tie
    rater: str

    def turned(self) -> _Vote:
        return _Vote(self.second, self.first, 1 - self.win, self.rater)


@scorers.register("pairwise_rater", papers=["294"], version=2)
class PairwiseRater:
    """Learns from several raters' votes on pairs of texts, and scores texts alone (MuRating: Chen et al., 2025).

    The votes are records `votes` with `a`, `b` (texts, or with `documents` ids of that corpus), `winner` (a, b or tie)
    and, if there are several, `rater`. Or the columns `raters` of `documents`, each with whether `higher` or `lower` is
    better (scores of other methods, as in the paper), vote on `pairs` pairs of its documents, drawn by number.

    Step by step, as in the paper: the raters' votes on a pair are averaged; a score s(text) is learned by the pairwise
    logistic loss, -log P(a > b) with P(a > b) = 1 / (1 + exp(s(b) - s(a))), weighed by the share of raters who say so;
    `parallel` texts, a text and its translation, enter the same loss with even odds, which is least where both have the
    same score, and carry the judgment into languages in which nobody voted; votes on translated or on mixed pairs are
    just more votes. (`parallel` are records with `a` and `b`, or a corpus whose ids are those of `documents`.) `best`
    with `per` then selects for each language alone.

    Unlike the paper the score is linear in hashed word n-grams (`logistic`), not a multilingual encoder's: it carries
    over to another language only by words that stand in parallel texts, and needs many of them. `parallel_weight` is
    the weight of a parallel pair beside a judged one; the paper's was not at hand, nor its raters, which are models.

    bradley_terry.jsonl: every judged text's start, votes, and score by all raters' votes together with its 95%
    interval. Counts: the accuracy on pairs of which a text was `held_back`, also of each rater's votes; how often each
    rater agrees with the scores of all; the controls `noise` (of the texts of pairs held back) and `filter`, whether a
    small model of what it keeps predicts good texts better (`learned/control.py`). This is of texts that it has not
    learned from: of one half of them those are good that the votes put into the best quarter, and it keeps of the other
    half, and of those `documents` on which nobody voted. Memory: as `ngram_classifier`, and the texts that were judged
    or are parallel.
    """

    def __init__(
        self,
        votes: Texts | None = None,
        documents: Corpus | None = None,
        raters: dict[str, Literal["higher", "lower"]] | None = None,
        pairs: int = 20_000,
        parallel: Texts | None = None,
        parallel_weight: float = 1.0,
        ngrams: int = 2,
        bits: int = 20,
        penalty: float = 0.1,
        min_texts: int = 2,
        held_back: float = 0.1,
        seed: int = 0,
    ) -> None:
        for name, value, least, most in (("ngrams", ngrams, 1, 9), ("bits", bits, 8, 28)):
            if not least <= value <= most:
                raise InputError(name, f"lies between {least} and {most}", value=value)
        if not 0 < held_back < 1:
            raise InputError("held_back", "is a share between 0 and 1", value=held_back)
        for name, number in (("penalty", penalty), ("parallel_weight", parallel_weight)):
            if number <= 0:
                raise InputError(name, "must be above 0", value=number)
        if (votes is None) == (raters is None):
            raise InputError("", "wants either votes, or raters of documents", allowed=["votes", "raters"])
        if documents is None and (raters is not None or isinstance(parallel, Corpus)):
            raise InputError("documents", "is what the raters have scored, or what was translated: which corpus?")
        self.votes, self.documents, self.parallel = votes, documents, parallel
        self.raters, self.pairs = raters, pairs
        self.parallel_weight, self.ngrams, self.bits = parallel_weight, ngrams, bits
        self.penalty, self.min_texts, self.held_back, self.seed = penalty, min_texts, held_back, seed

    def fit(self, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
        from seedbed.corpus.learned.control import told

        votes = self._votes()
        pairs: dict[tuple[str, str], list[float]] = {}
        for vote in votes:
            pairs.setdefault((vote.first, vote.second), []).append(vote.win)
        held = [pair for pair in pairs if self._is_held(*pair)]
        learned = {pair: float(np.mean(wins)) for pair, wins in pairs.items() if not self._is_held(*pair)}
        if not held or not learned:
            raise InputError("", f"{len(pairs)} judged pairs are too few to learn from some and to measure with others")
        same = [pair for pair in self._parallel() if not self._is_held(*pair)]
        self._learn(learned, same).save(folder / _MODEL)
        agreement, by_votes = _write_scores(votes, folder / _SCORES)
        scoring = self.load(folder)
        checked = self._controls(scoring, by_votes, held, {text for pair in [*learned, *same] for text in pair})
        raters = scoring.accuracy([vote for vote in votes if self._is_held(vote.first, vote.second)])
        counts = {
            "votes": len(votes),
            "pairs": len(pairs),
            "parallel": len(same),
            "held_back": len(held),
            "accuracy": scoring.accuracy([_Vote(*pair, float(np.mean(pairs[pair])), "") for pair in held]).get(""),
            "raters": {name: {"agreement": share, "accuracy": raters.get(name)} for name, share in agreement.items()},
            **checked,
        }
        say(f"{len(pairs)} judged pairs; accuracy on those held back {counts['accuracy']}")
        say(told(checked))
        return counts

    @staticmethod
    def load(folder: Path) -> Rater:
        from seedbed.corpus.learned.logistic import Table

        return Rater(Table.load(folder / _MODEL))

    def _controls(
        self, scoring: Rater, by_votes: Mapping[str, float], held: Sequence[tuple[str, str]], learned: set[str]
    ) -> dict[str, Any]:
        """By texts that were judged and not learned from; what was never judged is only chosen from."""
        from seedbed.corpus.learned.control import MOST_POOL, controls, halves

        judges, rest = halves([text for text in by_votes if text not in learned], self.seed)
        least = float(np.quantile(list(by_votes.values()), 0.75))
        if self.documents is not None:
            known = learned | by_votes.keys()
            others = (item for item in examples_of(self.documents, [], key="documents") if item.text not in known)
            rest += [item.text for item in sampled(others, MOST_POOL, self.seed)]
        good = [text for text in judges if by_votes[text] >= least]
        noisy = sorted({text for pair in held for text in pair})
        return controls(lambda chosen: scoring.score(chosen)["score"], good, rest, noisy=noisy)

    def _learn(self, judged: Mapping[tuple[str, str], float], same: Sequence[tuple[str, str]]) -> Table:
        """The mean score of the texts that it learned from is zero."""
        from seedbed.corpus.learned.logistic import Rows, Table, minimize

        pairs = [*judged, *same]
        wins = np.array([*judged.values(), *[0.5] * len(same)])
        weights = np.array([1.0] * len(judged) + [self.parallel_weight] * len(same))
        place = {text: number for number, text in enumerate(sorted({text for pair in pairs for text in pair}))}
        rows = Rows.of(list(place), self.ngrams, self.bits, self.min_texts)
        ends = np.array([[place[first], place[second]] for first, second in pairs])
        loss = _loss(ends[:, 0], ends[:, 1], wins, weights)
        weights_FC, bias_C = minimize(rows, 1, loss, penalty=self.penalty, bias=False)
        table = Table.of(rows, weights_FC, bias_C, self.ngrams, self.bits)
        return Table(table.weights_CH, -np.nanmean(table.logits(list(place)), axis=0), self.ngrams)

    def _is_held(self, first: str, second: str) -> bool:
        return any(is_held_back(text, self.held_back, self.seed) for text in (first, second))

    def _votes(self) -> list[_Vote]:
        """Sorted, and the texts of each in order, so that the order of records does not matter."""
        found = self._recorded() if self.raters is None else self._compared(self.raters)
        return sorted(vote if vote.first <= vote.second else vote.turned() for vote in found)

    def _recorded(self) -> list[_Vote]:
        found = []
        assert self.votes is not None
        for example in examples_of(self.votes, ["a"], key="votes"):
            winner = field_of(example, "winner", "votes")
            if winner not in _WINS:
                raise InputError("votes", f"the winner of {example.id} is none", value=winner, allowed=list(_WINS))
            rater = str(example.fields.get("rater") or "")
            found.append(_Vote(example.text, field_of(example, "b", "votes"), _WINS[winner], rater))
        if self.documents is None:
            return found
        ids = {id for vote in found for id in (vote.first, vote.second)}
        texts = {id: text for id, text in _texts(self.documents) if id in ids}
        missing = ids - texts.keys()
        if missing:
            raise InputError("documents", f"{len(missing)} of the ids are not in its split train", value=min(missing))
        return [_Vote(texts[vote.first], texts[vote.second], vote.win, vote.rater) for vote in found]

    def _compared(self, raters: dict[str, Literal["higher", "lower"]]) -> list[_Vote]:
        """What the columns say of pairs of documents; a rater without a value for both does not vote."""
        assert self.documents is not None
        size = self.documents.num_documents("train")
        numbers = np.arange(self.pairs if size > 1 else 0)
        first = integers(key(self.seed, "pairs"), max(1, size), numbers, 0)
        second = (first + 1 + integers(key(self.seed, "pairs"), max(1, size - 1), numbers, 1)) % max(1, size)
        drawn = {*first.tolist(), *second.tolist()}
        try:
            columns = self.documents.documents("train", ["text", *raters])
            rows = {number: row for number, row in enumerate(columns) if number in drawn}
        except InputError as error:
            raise InputError("raters", error.problem, allowed=error.allowed, fix=error.fix) from None
        found = []
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            for name, better in raters.items():
                one, other = rows[a][name], rows[b][name]
                if one is not None and other is not None:
                    win = 0.5 if one == other else float((one > other) == (better == "higher"))
                    found.append(_Vote(rows[a]["text"], rows[b]["text"], win, name))
        return found

    def _parallel(self) -> list[tuple[str, str]]:
        """Texts and their translations."""
        if isinstance(self.parallel, Corpus):
            assert self.documents is not None
            texts, others = dict(_texts(self.documents)), dict(_texts(self.parallel))
            return [(texts[id], others[id]) for id in sorted(texts.keys() & others.keys())]
        if self.parallel is None:
            return []
        found: list[Example] = list(examples_of(self.parallel, ["a"], key="parallel"))
        return sorted({(example.text, field_of(example, "b", "parallel")) for example in found})


def _texts(corpus: Corpus) -> Iterator[tuple[str, str]]:
    """Ids and texts of what may be learned from."""
    return ((row["id"], row["text"]) for row in corpus.documents("train", ["id", "text"]))


def _loss(
    first_P: np.ndarray, second_P: np.ndarray, win_P: np.ndarray, weight_P: np.ndarray
) -> Callable[[torch.Tensor], torch.Tensor]:
    import torch
    import torch.nn.functional as F

    first, second, wins, weights = (torch.from_numpy(array) for array in (first_P, second_P, win_P, weight_P))

    def loss(logits_NC: torch.Tensor) -> torch.Tensor:
        margin_P = logits_NC[first, 0] - logits_NC[second, 0]
        return F.binary_cross_entropy_with_logits(margin_P, wins, weights, reduction="sum")

    return loss


def _write_scores(votes: Sequence[_Vote], path: Path) -> tuple[dict[str, float], dict[str, float]]:
    """The scores that the votes themselves give; returns how often each rater agrees with them, and them by text."""
    from seedbed.corpus.learned.bradley_terry import fit

    names = sorted({text for vote in votes for text in (vote.first, vote.second)})
    place = {name: number for number, name in enumerate(names)}
    first = np.array([place[vote.first] for vote in votes])
    second = np.array([place[vote.second] for vote in votes])
    wins = np.array([vote.win for vote in votes])
    scores = fit(first, second, wins, 1 - wins, len(names))
    number = np.bincount(np.concatenate([first, second]), minlength=len(names))
    with open(path, "w", encoding="utf8") as file:
        for name, score, half, count in zip(names, scores.score_N, scores.half_N, number.tolist(), strict=True):
            ends = {} if np.isnan(half) else {"low": round(score - half, 4), "high": round(score + half, 4)}
            row = {"text": name[:80], "votes": count, "score": round(float(score), 4)} | ends
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    right = _right(scores.score_N[first] - scores.score_N[second], wins)
    agreement = {
        rater: float(np.mean([hit for hit, vote in zip(right, votes, strict=True) if vote.rater == rater]))
        for rater in sorted({vote.rater for vote in votes})
    }
    return agreement, dict(zip(names, scores.score_N.tolist(), strict=True))


def _right(margin: np.ndarray, wins: np.ndarray) -> np.ndarray:
    """1 where the margin is on the side of the vote, 0 on the other, and a half where either is even."""
    return np.asarray((1 + np.sign(margin) * np.sign(wins - 0.5)) / 2)


class Rater:
    """A trained one."""

    columns: Mapping[str, type] = {"score": float}

    def __init__(self, table: Table) -> None:
        self.table = table

    def score(self, texts: Sequence[str]) -> Mapping[str, np.ndarray]:
        return {"score": self.table.logits(texts)[:, 0]}

    def accuracy(self, votes: Sequence[_Vote]) -> dict[str, float]:
        """For each rater, the share of the votes that the scores agree with; ties are left out."""
        decided = [vote for vote in votes if vote.win != 0.5]
        first = self.score([vote.first for vote in decided])["score"]
        second = self.score([vote.second for vote in decided])["score"]
        right = _right(np.nan_to_num(first - second), np.array([vote.win for vote in decided]))
        return {
            rater: float(np.mean([hit for hit, vote in zip(right, decided, strict=True) if vote.rater == rater]))
            for rater in sorted({vote.rater for vote in decided})
        }
