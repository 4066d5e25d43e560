"""A classifier of texts by hashed n-grams of words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError, unknown_key
from seedbed.core.files import read_json
from seedbed.corpus import scorers
from seedbed.corpus.input.examples import Texts, examples_of, field_of, is_held_back, sampled
from seedbed.corpus.scoring import distinct

if TYPE_CHECKING:
    import torch

    from seedbed.corpus.learned.logistic import Table

_MODEL, _CLASSES = "weights.npz", "classes.json"


@scorers.register("ngram_classifier", papers=["010", "295"], version=3)
class NgramClassifier:
    """Logistic regression over hashed word n-grams, as quality and toxicity filters use it (fastText: Joulin et al.,
    2017; the classifier of CQF, Nait Saada et al., 2025; quality and toxicity filters of Longpre et al., 2023).

    Examples are either `good` and `bad` texts, or `data` whose records (or corpus) have a field `label`. `score` is the
    probability of the class `positive`, `label` the most probable class; with more than two classes each one's
    probability is a column `p_...`. Of each side at most `examples` are taken, by hash; `fields` hold the texts of
    records in files. With `balanced` every class has the same weight, else the classes weigh what they are frequent.

    An n-gram of 1 to `ngrams` words is hashed to 2**`bits` numbers, and learned if it is in at least `min_texts` texts.
    The model is linear and its problem convex (`penalty` / 2 * |W|^2 beside the sum of the examples' losses, which is
    scikit-learn's C = 1 / penalty), so the result depends on neither order nor chance. Unlike fastText: no embeddings,
    since averaged ones with a linear output express no more; counts are divided by the square root of their sum, not by
    the sum, so that a longer text may be more certain.

    Counts: accuracy, AUC, log loss and calibration error on the share `held_back` (the same text is never on both
    sides); `noise` and `filter`: whether its score falls with graded noise, and whether a small model of what it keeps
    predicts good texts better, also those that it scores low (`learned/control.py`). Memory: about 50 bytes a distinct
    n-gram of a text, while it learns; 4 bytes * 2**bits a class to score.
    """

    def __init__(
        self,
        good: Texts | None = None,
        bad: Texts | None = None,
        data: Texts | None = None,
        label: str = "label",
        positive: str = "good",
        fields: list[str] | None = None,
        ngrams: int = 2,
        bits: int = 20,
        penalty: float = 0.1,
        min_texts: int = 2,
        examples: int = 100_000,
        balanced: bool = True,
        held_back: float = 0.1,
        seed: int = 0,
    ) -> None:
        if (good is None) != (bad is None) or (good is None) == (data is None):
            given = [name for name, value in {"good": good, "bad": bad, "data": data}.items() if value is not None]
            raise InputError("", "wants examples: either good and bad, or data with labels", value=given)
        for name, value, least, most in (("ngrams", ngrams, 1, 9), ("bits", bits, 8, 28), ("examples", examples, 2, 0)):
            if value < least or (most and value > most):
                raise InputError(name, f"is at least {least}" + f" and at most {most}" * bool(most), value=value)
        if not 0 < held_back < 1:
            raise InputError("held_back", "is a share between 0 and 1", value=held_back)
        if penalty <= 0:
            raise InputError("penalty", "must be above 0", value=penalty)
        self.good, self.bad, self.data, self.label, self.positive = good, bad, data, label, positive
        self.fields, self.ngrams, self.bits = list(fields or ["text"]), ngrams, bits
        self.penalty, self.min_texts, self.examples = penalty, min_texts, examples
        self.balanced, self.held_back, self.seed = balanced, held_back, seed

    def fit(self, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
        from seedbed.corpus.learned.control import told
        from seedbed.corpus.learned.logistic import Rows, Table, minimize

        texts, labels = self._examples()
        classes = sorted(set(labels), key=lambda name: (name != self.positive, name))
        self._check(classes)
        number_N = np.array([classes.index(name) for name in labels])
        is_held_N = np.array([is_held_back(text, self.held_back, self.seed) for text in texts])
        for number, name in enumerate(classes):
            own = is_held_N[number_N == number]
            if own.all() or not own.any():
                problem = f"class '{name}' has too few texts to learn from some and to measure with others"
                raise InputError("held_back", problem, value=self.held_back, fix="give more examples")
        weight_N = self._weights(number_N, len(classes))
        learned = [text for text, is_held in zip(texts, is_held_N, strict=True) if not is_held]
        rows = Rows.of(learned, self.ngrams, self.bits, self.min_texts)
        objective = _loss(number_N[~is_held_N], weight_N[~is_held_N], len(classes))
        columns = 1 if len(classes) == 2 else len(classes)
        fitted = minimize(rows, columns, objective, penalty=self.penalty, bias=True)
        Table.of(rows, *fitted, self.ngrams, self.bits).save(folder / _MODEL)
        (folder / _CLASSES).write_text(json.dumps(classes, ensure_ascii=False) + "\n", encoding="utf8")
        scoring = self.load(folder)
        held = [text for text, is_held in zip(texts, is_held_N, strict=True) if is_held]
        counts = scoring.measured(held, number_N[is_held_N], weight_N[is_held_N])
        counts["examples"] = {name: int((number_N == place).sum()) for place, name in enumerate(classes)}
        counts["features"] = len(rows.features_F)
        counts |= scoring.controls(held, number_N[is_held_N], [t for t, k in zip(texts, number_N, strict=True) if k])
        say(f"{len(texts)} examples; held back: AUC {counts['auc']:.4f}, accuracy {counts['accuracy']:.4f}")
        say(told(counts))
        return counts

    @staticmethod
    def load(folder: Path) -> Classifier:
        from seedbed.corpus.learned.logistic import Table

        return Classifier(Table.load(folder / _MODEL), read_json(folder / _CLASSES))

    def _examples(self) -> tuple[list[str], list[str]]:
        """Texts and the names of their classes."""
        if self.data is not None:
            found = sampled(examples_of(self.data, self.fields, key="data"), self.examples, self.seed)
            return [item.text for item in found], [field_of(item, self.label, "label") for item in found]
        texts, labels = [], []
        for name, side in (("good", self.good), ("bad", self.bad)):
            assert side is not None
            found = sampled(examples_of(side, self.fields, key=name), self.examples, self.seed)
            texts += [item.text for item in found]
            labels += [name] * len(found)
        return texts, labels

    def _check(self, classes: list[str]) -> None:
        if self.positive not in classes:
            raise unknown_key("positive", self.positive, classes, "class")
        if len(classes) < 2:
            raise InputError("label", "there is only one class", value=classes[0])

    def _weights(self, number_N: np.ndarray, classes: int) -> np.ndarray:
        if not self.balanced:
            return np.ones(len(number_N))
        sizes = np.bincount(number_N, minlength=classes)
        return np.asarray((len(number_N) / classes / sizes)[number_N])


def _loss(number_N: np.ndarray, weight_N: np.ndarray, classes: int) -> Callable[[torch.Tensor], torch.Tensor]:
    import torch
    import torch.nn.functional as F

    target_N, weights_N = torch.from_numpy(number_N), torch.from_numpy(weight_N)

    def loss(logits_NC: torch.Tensor) -> torch.Tensor:
        if classes == 2:
            is_first_N = (target_N == 0).double()
            return F.binary_cross_entropy_with_logits(logits_NC[:, 0], is_first_N, weights_N, reduction="sum")
        return (F.cross_entropy(logits_NC, target_N, reduction="none") * weights_N).sum()

    return loss


class Classifier:
    """A trained one; the first of its classes is the one whose probability is the score."""

    def __init__(self, table: Table, classes: list[str]) -> None:
        self.table, self.classes = table, classes
        names = distinct(f"p_{_plain(name)}" for name in classes)
        self._shown = {name: place for place, name in enumerate(names)} if len(classes) > 2 else {}

    @property
    def columns(self) -> Mapping[str, type]:
        return {"score": float, "label": str, **dict.fromkeys(self._shown, float)}

    def score(self, texts: Sequence[str]) -> Mapping[str, np.ndarray | Sequence[str | None]]:
        share_NK = self.probabilities(texts)
        labels = [None if np.isnan(row[0]) else self.classes[int(row.argmax())] for row in share_NK]
        return {"score": share_NK[:, 0], "label": labels, **{name: share_NK[:, k] for name, k in self._shown.items()}}

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Of each text and class (N, K)."""
        from seedbed.corpus.learned.logistic import softmax

        logits_NC = self.table.logits(texts)
        if logits_NC.shape[1] == 1:
            logits_NC = np.concatenate([logits_NC, np.zeros_like(logits_NC)], axis=1)
        return softmax(logits_NC)

    def measured(self, texts: Sequence[str], number_N: np.ndarray, weight_N: np.ndarray) -> dict[str, Any]:
        """How well it does on labeled texts; those without words are left out."""
        from seedbed.corpus.learned.logistic import auc, calibration_error

        share_NK = self.probabilities(texts)
        is_known_N = ~np.isnan(share_NK[:, 0])
        share_NK, number_N, weight_N = share_NK[is_known_N], number_N[is_known_N], weight_N[is_known_N]
        is_first_N = number_N == 0
        right_N = share_NK.argmax(axis=1) == number_N
        likely_N = np.take_along_axis(share_NK, number_N[:, None], axis=1)[:, 0]
        return {
            "held_back": len(number_N),
            "accuracy": float(np.average(right_N, weights=weight_N)),
            "auc": auc(share_NK[is_first_N, 0], share_NK[~is_first_N, 0]),
            "log_loss": float(np.average(-np.log(np.maximum(likely_N, 1e-12)), weights=weight_N)),
            "calibration_error": calibration_error(share_NK[:, 0], is_first_N, weight_N),
        }

    def controls(self, texts: Sequence[str], number_N: np.ndarray, pool: Sequence[str]) -> dict[str, Any]:
        """What it makes of noise in texts of the first class, and what it keeps of a pool."""
        from seedbed.corpus.learned.control import controls

        first = [text for text, number in zip(texts, number_N, strict=True) if number == 0]

        return controls(lambda chosen: self.probabilities(chosen)[:, 0], first, pool)


def _plain(name: str) -> str:
    """A class's name as part of a column's."""
    return "".join(character if character.isalnum() else "_" for character in name.lower())
