"""Scores from votes on pairs, against general optimizers; and whether they carry over to a ciphered language."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.corpus import scorers
from seedbed.corpus.input.examples import is_held_back
from seedbed.corpus.learned.bradley_terry import PRIOR, fit
from seedbed.corpus.learned.control import controls
from seedbed.corpus.learned.logistic import auc
from seedbed.corpus.rating.pairwise_rater import PairwiseRater, Rater

GOOD = ["tree", "river", "stone", "bird", "cloud", "leaf", "moss", "heron"]
JUNK = ["click", "offer", "cheap", "price", "deal", "win", "prize", "bonus"]
COMMON = ["the", "of", "and", "a", "in", "is", "it", "was", "for", "on", "with", "near"]


def text_of(number: int, junk: float, words: int = 25, seed: int = 0) -> str:
    numbers = generator(seed, "text", number)
    share = [JUNK if numbers.random() < junk else GOOD if numbers.random() < 0.4 else COMMON for _ in range(words)]
    return " ".join(part[int(numbers.integers(len(part)))] for part in share)


LEVELS = [0.05 + 0.5 * (number % 10) / 10 for number in range(120)]
TEXTS = [text_of(number, junk) for number, junk in enumerate(LEVELS)]


def votes(pairs: int = 400, error: float = 0.1, rater: str = "one", seed: int = 0) -> list[dict[str, str]]:
    """Votes for the text with less junk, some of them wrong."""
    numbers = generator(seed, "votes", rater)
    rows = []
    while len(rows) < pairs:
        a, b = (int(place) for place in numbers.integers(0, len(TEXTS), 2))
        if LEVELS[a] == LEVELS[b]:
            continue
        is_a = (LEVELS[a] < LEVELS[b]) != (numbers.random() < error)
        rows.append({"a": TEXTS[a], "b": TEXTS[b], "winner": "a" if is_a else "b", "rater": rater})
    return rows


def fitted(helpers: Any, folder: Path, **given: Any) -> tuple[Rater, dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    counts = helpers.built(scorers, "pairwise_rater", **given).fit(folder, lambda line: None)
    return PairwiseRater.load(folder), counts


def test_bradley_and_terry_against_a_general_optimizer() -> None:
    from scipy.optimize import minimize

    numbers = generator(3, "pairs")
    items, pairs = 12, 60
    first = numbers.integers(0, items - 1, pairs)
    second = first + 1 + numbers.integers(0, items, pairs) % (items - 1 - first)
    wins = numbers.integers(0, 4, pairs) / 2
    losses = numbers.integers(0, 3, pairs).astype(float)

    def loss(score: np.ndarray) -> float:
        margin = score[first] - score[second]
        unlikely = wins * np.logaddexp(0, -margin) + losses * np.logaddexp(0, margin)
        return float(unlikely.sum() + PRIOR / 2 * (score**2).sum())

    wanted = minimize(loss, np.zeros(items), method="BFGS", options={"gtol": 1e-7}).x
    found = fit(first, second, wins, losses, items)
    assert found.score_N == pytest.approx(wanted - wanted.mean(), abs=1e-4)
    # The curvature by differences.
    step = 1e-3 * np.eye(items)
    hessian = np.array(
        [
            [
                (loss(wanted + i + j) - loss(wanted + i - j) - loss(wanted - i + j) + loss(wanted - i - j)) / 4e-6
                for j in step
            ]
            for i in step
        ]
    )
    assert found.half_N == pytest.approx(1.959964 * np.sqrt(np.diag(np.linalg.inv(hessian))), rel=1e-3)


def test_intervals_cover_the_truth() -> None:
    numbers = generator(4, "cover")
    truth = numbers.normal(0, 1, 100)
    truth -= truth.mean()
    first = numbers.integers(0, 99, 6000)
    second = first + 1 + numbers.integers(0, 100, 6000) % (99 - first)
    wins = (numbers.random(6000) < 1 / (1 + np.exp(truth[second] - truth[first]))).astype(float)
    found = fit(first, second, wins, 1 - wins, 100)
    assert 0.88 <= (np.abs(found.score_N - truth) < found.half_N).mean() <= 1
    assert np.corrcoef(found.score_N, truth)[0, 1] > 0.95


def test_the_text_score_is_a_logistic_regression_on_differences(tmp_path: Path, helpers: Any) -> None:
    from sklearn.linear_model import LogisticRegression

    rows = votes()
    path = str(helpers.write_jsonl(tmp_path / "votes.jsonl", rows))
    scoring, counts = fitted(helpers, tmp_path / "scorer", votes=path, ngrams=1, min_texts=1, penalty=0.5)
    shares: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        a, b, is_a = row["a"], row["b"], row["winner"] == "a"
        shares.setdefault((a, b) if a <= b else (b, a), []).append(float(is_a if a <= b else not is_a))
    train = {pair: np.mean(wins) for pair, wins in shares.items() if not any(is_held_back(t, 0.1, 0) for t in pair)}
    known = sorted(set(GOOD + JUNK + COMMON))

    def features(text: str) -> np.ndarray:
        count = Counter(re.findall(r"\w+", text))
        return np.array([count[word] for word in known]) / np.sqrt(count.total())

    differences = np.array([features(a) - features(b) for a, b in train])
    share = np.array(list(train.values()))
    peer = LogisticRegression(C=2.0, fit_intercept=False, tol=1e-9, max_iter=3000)
    # A pair with a share of votes is a win and a loss with weights.
    peer.fit(
        np.concatenate([differences, differences]),
        np.repeat([1, 0], len(share)),
        sample_weight=np.concatenate([share, 1 - share]),
    )
    wanted = np.array([features(text) for text in TEXTS]) @ peer.coef_[0]
    found = scoring.score(TEXTS)["score"]
    assert found - found.mean() == pytest.approx(wanted - wanted.mean(), abs=1e-2)
    assert counts["pairs"] == len(shares) and counts["held_back"] == len(shares) - len(train)
    assert counts["accuracy"] > 0.65 and np.corrcoef(found, LEVELS)[0, 1] < -0.8


def test_raters_are_told_apart(tmp_path: Path, helpers: Any) -> None:
    rows = votes(rater="careful", error=0.05) + votes(rater="careless", error=0.4, seed=1)
    paths = [
        helpers.write_jsonl(tmp_path / name / "votes.jsonl", part) for name, part in (("x", rows), ("y", rows[::-1]))
    ]
    results = [fitted(helpers, tmp_path / f"scorer{n}", votes=str(path))[1] for n, path in enumerate(paths)]
    assert results[0] == results[1]
    raters = results[0]["raters"]
    assert raters["careful"]["agreement"] > raters["careless"]["agreement"] + 0.1
    assert raters["careful"]["accuracy"] > raters["careless"]["accuracy"]
    lines = [json.loads(line) for line in (tmp_path / "scorer0" / "bradley_terry.jsonl").read_text().splitlines()]
    assert sum(line["votes"] for line in lines) == 2 * len(rows)
    assert all(line["low"] < line["score"] < line["high"] for line in lines)


def test_votes_by_id(tmp_path: Path, helpers: Any, make_corpus: Any) -> None:
    documents = helpers.write_jsonl(tmp_path / "d.jsonl", [{"id": f"t{n}", "text": t} for n, t in enumerate(TEXTS)])
    corpus, _ = make_corpus(read=[{"jsonl": {"path": str(documents)}}], curate=["normalize"], split={})
    (corpus.path / "manifest.json").write_text('{"kind": "corpus", "fingerprint": "x", "files": {}, "format": 1}')
    rows = votes()
    by_text = fitted(helpers, tmp_path / "a", votes=str(helpers.write_jsonl(tmp_path / "votes.jsonl", rows)))
    number = {text: f"t{place}" for place, text in enumerate(TEXTS)}
    named = [row | {"a": number[row["a"]], "b": number[row["b"]]} for row in rows]
    path = str(helpers.write_jsonl(tmp_path / "ids.jsonl", named))
    by_id = fitted(helpers, tmp_path / "b", votes=path, documents=str(corpus.path))
    assert by_text[1] == by_id[1]
    lost = str(helpers.write_jsonl(tmp_path / "lost.jsonl", [*named, named[0] | {"a": "t999"}]))
    with pytest.raises(InputError, match="1 of the ids are not in its split"):
        fitted(helpers, tmp_path / "c", votes=lost, documents=str(corpus.path))


def test_parallel_pairs_carry_the_judgment_into_another_language(tmp_path: Path, helpers: Any) -> None:
    from seedbed.worlds import worlds

    translator = worlds.create("cipher").translator()  # type: ignore[attr-defined]
    path = str(helpers.write_jsonl(tmp_path / "votes.jsonl", votes()))
    pairs = [{"a": text, "b": translator.text(text)} for text in TEXTS]
    parallel = str(helpers.write_jsonl(tmp_path / "parallel.jsonl", pairs))
    low = [translator.text(text_of(number, 0.5, seed=7)) for number in range(60)]
    high = [translator.text(text_of(number, 0.05, seed=8)) for number in range(60)]

    def transfer(scoring: Rater) -> float:
        return auc(np.nan_to_num(scoring.score(high)["score"]), np.nan_to_num(scoring.score(low)["score"]))

    alone, _ = fitted(helpers, tmp_path / "alone", votes=path)
    both, counts = fitted(helpers, tmp_path / "both", votes=path, parallel=parallel)
    assert counts["parallel"] > 80
    assert transfer(both) > 0.9 > transfer(alone) + 0.1


def test_columns_of_a_corpus_are_raters_and_a_corpus_has_translations(tmp_path: Path, helpers: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from seedbed.corpus.documents import COLUMNS
    from seedbed.worlds import worlds

    def corpus(name: str, rows: list[dict[str, Any]]) -> str:
        (tmp_path / name / "data").mkdir(parents=True)
        whole = [dict.fromkeys(COLUMNS, "") | {"metadata": "{}"} | row for row in rows]
        pq.write_table(pa.Table.from_pylist(whole), tmp_path / name / "data" / "train-00000.parquet")
        (tmp_path / name / "manifest.json").write_text(
            '{"kind": "corpus", "fingerprint": "x", "files": {}, "format": 1}'
        )
        return str(tmp_path / name)

    numbers = generator(6, "noise")
    rows = [
        {"id": f"t{n:03}", "text": text, "junk": LEVELS[n] + 0.1 * numbers.random(), "luck": numbers.random()}
        for n, text in enumerate(TEXTS)
    ]
    rows[3]["junk"] = None
    translator = worlds.create("cipher").translator()  # type: ignore[attr-defined]
    other = [{"id": row["id"], "text": translator.text(row["text"])} for row in rows]
    given = {"documents": corpus("rated", rows), "parallel": corpus("other", other), "pairs": 2000}
    scoring, counts = fitted(helpers, tmp_path / "scorer", raters={"junk": "lower", "luck": "higher"}, **given)
    assert counts["raters"]["junk"]["accuracy"] > counts["raters"]["luck"]["accuracy"] + 0.05
    assert 4000 - 100 < counts["votes"] < 4000 and counts["parallel"] > 80
    for texts in (TEXTS, [row["text"] for row in other]):
        assert np.corrcoef(scoring.score(texts)["score"], LEVELS)[0, 1] < -0.6
    turned, _ = fitted(helpers, tmp_path / "turned", raters={"junk": "higher"}, **given)
    assert np.corrcoef(turned.score(TEXTS)["score"], LEVELS)[0, 1] > 0.8
    with pytest.raises(InputError, match="did you mean 'junk'"):
        fitted(helpers, tmp_path / "wrong", raters={"junks": "lower"}, **given)
    with pytest.raises(InputError, match="either votes, or raters"):
        fitted(helpers, tmp_path / "none")
    with pytest.raises(InputError, match="which corpus"):
        fitted(helpers, tmp_path / "none", raters={"junk": "lower"})


def test_the_control_says_whether_what_it_keeps_is_like_what_was_preferred(tmp_path: Path, helpers: Any) -> None:
    """It passes with votes that are right, and with none that chance or the contrary of the votes gave."""
    levels = [0.05 + 0.5 * (number % 10) / 10 for number in range(800)]
    texts = [text_of(number, junk, seed=3) for number, junk in enumerate(levels)]
    numbers = generator(7, "pairs")
    rows, luck = [], []
    for a, b in numbers.integers(0, len(texts), (6000, 2)).tolist():
        pair = {"a": texts[a], "b": texts[b]}
        rows.append(pair | {"winner": "tie" if levels[a] == levels[b] else "a" if levels[a] < levels[b] else "b"})
        luck.append(pair | {"winner": "a" if numbers.random() < 0.5 else "b"})
    found = {}
    for name, part in (("right", rows), ("luck", luck)):
        path = str(helpers.write_jsonl(tmp_path / f"{name}.jsonl", part))
        found[name] = fitted(helpers, tmp_path / name, votes=path, held_back=0.4)
    scoring, counts = found["right"]
    assert counts["filter"]["better"]["all"] and counts["filter"]["better"]["high"]
    assert 30 < counts["filter"]["good"] < 60 and 100 < counts["filter"]["pool"] < 200
    assert not any(found["luck"][1]["filter"]["better"].values()) and found["luck"][1]["filter"]["good"] > 30
    good = [text_of(number, 0.05, seed=11) for number in range(80)]
    turned = controls(lambda chosen: -scoring.score(chosen)["score"], good, texts)
    assert not any(turned["filter"]["better"].values())
    assert controls(lambda chosen: scoring.score(chosen)["score"], good, texts)["filter"]["better"]["high"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"a": "x", "b": "y", "winner": "c"}, "the winner of .* is none"),
        ({"a": "x", "winner": "a"}, "unknown field of the example .* 'b'"),
        ({"a": "x", "b": "y", "winner": "a"}, "too few"),
    ],
)
def test_what_is_wrong_is_said(row: dict[str, str], problem: str, tmp_path: Path, helpers: Any) -> None:
    path = str(helpers.write_jsonl(tmp_path / "votes.jsonl", [row]))
    with pytest.raises(InputError, match=problem):
        fitted(helpers, tmp_path / "scorer", votes=path)
