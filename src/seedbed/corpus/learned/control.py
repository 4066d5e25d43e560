"""Does a filter do what it claims? Two controls that every trained one ships with, after Nait Saada et al. (2025).

The paper (The Data-Quality Illusion) shows that keeping what a classifier scores highest need not bring a model closer
to the good texts that the classifier was trained on, since these are filtered by it as well: models become better on
those of them that it scores high. And it compares such models with models of data whose quality is graded for certain,
texts with a share of their tokens permuted. Here both are asked of the scorer itself, in seconds: what it makes of
permuted texts, and what a small language model learns from what it keeps. The study 295 asks it of trained networks.

Three texts must not be the same here, or the answer would be of no worth: what the scorer learned from as good, what
the small model learns from, and the good texts that both are judged by. The scorers see to the first, `filter_control`
to the rest.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from seedbed.core.counters import key, uniform

SHARES = (0.1, 0.25, 0.5, 1.0)
KEPT = (1.0, 0.5, 0.2, 0.1)
MOST_POOL = 5000
_MOST_TEXTS = 500
_SPACE = re.compile(r"(\s+)")

Scores = Callable[[Sequence[str]], np.ndarray]


def permuted(text: str, share: float, seed: int = 0) -> str:
    """The text with a share of its words (parted by white space) put into another order among themselves.

    The white space stays, and the words that a smaller share moves are among those that a larger one moves.
    """
    parts = _SPACE.split(text)
    stream = key(seed, "permuted", text)
    places = np.arange(0, len(parts), 2)
    places = places[uniform(stream, places, 0) < share]
    words = [parts[place] for place in places[np.argsort(uniform(stream, places, 1))]]
    for place, word in zip(places, words, strict=True):
        parts[place] = word
    return "".join(parts)


def controls(
    score: Scores,
    good: Sequence[str],
    pool: Sequence[str] | None,
    *,
    noisy: Sequence[str] | None = None,
    higher_is_better: bool = True,
    seed: int = 0,
) -> dict[str, Any]:
    """What every trained scorer's counts have: `noise`, of `noisy` or else the good texts, and `filter`, of a pool.

    The good texts, and the pool, are such as the scorer has not learned from as good ones. Where there is no pool to
    choose from, half of the good texts are made one: each of them as it is and with 10, 25, 50 and 100% of its words
    permuted, so that what is best in it is known; the other half judges.
    """

    def rising(texts: Sequence[str]) -> np.ndarray:
        return score(texts) if higher_is_better else -score(texts)

    found = {"noise": noise_control(score, good if noisy is None else noisy, higher_is_better=higher_is_better)}
    if pool is None:
        good, rest = halves(good, seed)
        pool = [permuted(text, share, seed) for text in rest for share in (0.0, *SHARES)]
    return found | {"filter": filter_control(rising, good, pool, seed)}


def told(found: dict[str, Any]) -> str:
    """What the controls say, in a line."""
    sees = "sees" if found["noise"]["sees_noise"] else "does not see"
    better = found["filter"]["better"]
    if not better:
        return f"{sees} permuted words; too few texts to tell what its best tenth is worth"
    names = {"all": "good texts", "high": "those that it scores high", "low": "those that it scores low"}
    helped = [words for name, words in names.items() if better[name]]
    return f"{sees} permuted words; its best tenth makes a better model of {', '.join(helped) or 'no good texts'}"


def halves(texts: Sequence[str], seed: int = 0) -> tuple[list[str], list[str]]:
    """Two halves of some texts, by their hashes."""
    order = sorted(set(texts), key=lambda text: (key(seed, "half", text), text))
    return order[::2], order[1::2]


def noise_control(
    score: Scores, texts: Sequence[str], *, higher_is_better: bool = True, seed: int = 0
) -> dict[str, Any]:
    """The mean score of at most 500 good texts with 0 to 100% of their words permuted, and whether it `sees_noise`:
    whether each level's is surely worse than the one's before. A scorer that measures quality must rate a text the
    lower the more of its words are out of place; one that knows good texts only by their subject does not see it.
    """
    chosen = [text for text in texts if len(text.split()) > 1][:_MOST_TEXTS]
    levels = [score(chosen), *(score([permuted(text, share, seed) for text in chosen]) for share in SHARES)]
    shares = map(str, (0.0, *SHARES))
    falls = [(before - after) * (1 if higher_is_better else -1) for before, after in itertools.pairwise(levels)]
    return {
        "texts": len(chosen),
        "mean_score": {share: _mean(level) for share, level in zip(shares, levels, strict=True)},
        "sees_noise": all(map(_surely_positive, falls)),
    }


def filter_control(score: Scores, good: Sequence[str], pool: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Bits a byte of good texts, which the scorer has not learned from, under models (trigrams of words) of equally
    many bytes of what it keeps of a pool: all of it, and the best 50, 20 and 10%. A good text that stands in the pool
    as well is taken out of it.

    `all`, and of the good texts the half that it scores `high` and the half that it scores `low`; for each of these,
    whether the model of the best 10% is surely `better` than the model of everything.
    """
    from .kneser_ney import KneserNey

    chosen = [text for text in good if text.split()][:_MOST_TEXTS]
    judges = set(good)
    pool = [text for text in pool if text.split() and text not in judges]
    pool = sorted(pool, key=lambda text: key(seed, "pool", text))[:MOST_POOL]
    if len(chosen) < 4 or len(pool) < 20:
        return {"good": len(chosen), "pool": len(pool), "bits_per_byte": {}, "better": {}}
    order, own = np.argsort(-score(pool), kind="stable"), score(chosen)
    is_high = np.argsort(np.argsort(-own, kind="stable")) < len(chosen) // 2
    halves = {"all": np.ones(len(chosen), np.bool_), "high": is_high, "low": ~is_high}
    bytes_N = np.array([len(text.encode()) for text in chosen])
    kept = {share: [pool[place] for place in sorted(order[: round(share * len(pool))])] for share in KEPT}
    sizes = {share: np.cumsum([len(text.encode()) for text in texts]) for share, texts in kept.items()}
    most = min(size[-1] for size in sizes.values())  # what it keeps may be shorter texts than others
    losses = {}
    for share, texts in kept.items():
        model = KneserNey.fit(texts[: int(np.searchsorted(sizes[share], most)) + 1], "words", 3)
        losses[share] = model.totals(chosen)[0] / bytes_N
    gain = losses[KEPT[0]] - losses[KEPT[-1]]
    return {
        "good": len(chosen),
        "pool": len(pool),
        "bits_per_byte": {
            str(share): {name: _mean(loss[half]) for name, half in halves.items()} for share, loss in losses.items()
        },
        "better": {name: _surely_positive(gain[half]) for name, half in halves.items()},
    }


def _surely_positive(change: np.ndarray) -> bool:
    """Whether the mean is above zero by more than two standard errors."""
    return len(change) > 1 and bool(change.mean() > 2 * change.std(ddof=1) / len(change) ** 0.5)


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 6) if len(values) else None
