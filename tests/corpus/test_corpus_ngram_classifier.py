"""The classifier of n-grams, against scikit-learn's logistic regression over features counted one by one."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.corpus import curation, scorers
from seedbed.corpus.input.examples import is_held_back
from seedbed.corpus.learned.logistic import auc, calibration_error
from seedbed.corpus.rating.ngram_classifier import Classifier, NgramClassifier

SUBJECTS = {"good": "tree river stone bird cloud leaf", "bad": "offer click price cheap deal win", "ugly": "@ # $ % ;"}
COMMON = ["the", "of", "and", "a", "in", "is", "it", "was", "for", "on"]


def text_of(name: str, number: int) -> str:
    """Common words, and some of the class's own."""
    numbers = generator(5, name, number)
    own = SUBJECTS[name].split()
    words = [own[numbers.integers(len(own))] if numbers.random() < 0.2 else numbers.choice(COMMON) for _ in range(15)]
    return " ".join(words)


def write(helpers: Any, folder: Path, name: str, number: int = 120, first: int = 0) -> str:
    rows = [{"text": text_of(name, place), "cls": name} for place in range(first, first + number)]
    return str(helpers.write_jsonl(folder / f"{name}.jsonl", rows))


def fitted(helpers: Any, folder: Path, **given: Any) -> tuple[Classifier, dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    counts = helpers.built(scorers, "ngram_classifier", **given).fit(folder, lambda line: None)
    return NgramClassifier.load(folder), counts


@pytest.fixture
def sides(tmp_path: Path, helpers: Any) -> dict[str, str]:
    return {name: write(helpers, tmp_path / "examples", name) for name in ("good", "bad")}


def slow_features(texts: list[str], ngrams: int, known: list[tuple[str, ...]]) -> np.ndarray:
    rows = np.zeros((len(texts), len(known)))
    for row, text in zip(rows, texts, strict=True):
        words = re.findall(r"\w+|[^\w\s]", text.lower())
        counts = Counter(tuple(words[i : i + n]) for n in range(1, ngrams + 1) for i in range(len(words) - n + 1))
        for place, ngram in enumerate(known):
            row[place] = counts[ngram] / np.sqrt(counts.total())
    return rows


@pytest.mark.parametrize("balanced", [True, False])
def test_it_is_scikit_learns_logistic_regression(
    sides: dict[str, str], balanced: bool, tmp_path: Path, helpers: Any
) -> None:
    from sklearn.linear_model import LogisticRegression

    sides["bad"] = write(helpers, tmp_path / "more", "bad", 60)
    scoring, counts = fitted(
        helpers, tmp_path / "scorer", **sides, bits=22, min_texts=3, penalty=0.5, balanced=balanced
    )
    texts = [text_of("good", n) for n in range(120)] + [text_of("bad", n) for n in range(60)]
    labels = np.array([1] * 120 + [0] * 60)
    is_held = np.array([is_held_back(text, 0.1, 0) for text in texts])
    assert counts["held_back"] == is_held.sum() and counts["examples"] == {"good": 120, "bad": 60}
    train = [text for text, held in zip(texts, is_held, strict=True) if not held]
    frequency = Counter(
        ngram
        for text in train
        for ngram in {tuple(text.split()[i : i + n]) for n in (1, 2) for i in range(len(text.split()) - n + 1)}
    )
    known = sorted(ngram for ngram, number in frequency.items() if number >= 3)
    assert counts["features"] == len(known)
    sizes = np.array([60, 120])
    weights = (180 / 2 / sizes)[labels] if balanced else np.ones(180)
    peer = LogisticRegression(C=2.0, tol=1e-8, max_iter=2000)
    peer.fit(slow_features(train, 2, known), labels[~is_held], sample_weight=weights[~is_held])
    probes = [*texts[:20], "tree tree the zebra", "click click", "unknown"]
    wanted = peer.predict_proba(slow_features(probes, 2, known))[:, 1]
    found = scoring.score(probes)
    assert np.abs(found["score"] - wanted).max() < 2e-3
    assert found["label"] == ["good" if share >= 0.5 else "bad" for share in found["score"]]
    held = peer.predict_proba(slow_features([t for t, h in zip(texts, is_held, strict=True) if h], 2, known))[:, 1]
    right = (held > 0.5) == labels[is_held]
    assert counts["accuracy"] == pytest.approx(np.average(right, weights=weights[is_held]))


def test_several_classes(tmp_path: Path, helpers: Any) -> None:
    from sklearn.linear_model import LogisticRegression

    for name in SUBJECTS:
        write(helpers, tmp_path / "labeled", name)
    (tmp_path / "labeled" / "LICENSE").write_text("Do as you please.", encoding="utf8")
    helpers.write_jsonl(tmp_path / "labeled" / "test.jsonl", [{"text": "never seen", "cls": "other"}])
    data = str(tmp_path / "labeled")
    scoring, counts = fitted(helpers, tmp_path / "scorer", data=data, label="cls", positive="ugly", ngrams=1, penalty=1)
    assert counts["examples"] == dict.fromkeys(["ugly", "bad", "good"], 120)
    assert dict(scoring.columns) == {"score": float, "label": str, "p_ugly": float, "p_bad": float, "p_good": float}
    texts = [text_of(name, number) for name in SUBJECTS for number in range(120)]
    labels = np.repeat(list(SUBJECTS), 120)
    train = np.array([not is_held_back(text, 0.1, 0) for text in texts])
    known = sorted({(word,) for text in texts for word in text.split()})
    features = slow_features(texts, 1, known)
    peer = LogisticRegression(C=1.0, tol=1e-8, max_iter=2000).fit(features[train], labels[train])
    found = scoring.score(texts[::7])
    wanted = peer.predict_proba(features[::7])
    for column, name in enumerate(peer.classes_):
        assert np.abs(found[f"p_{name}"] - wanted[:, column]).max() < 2e-3
    assert (found["score"] == found["p_ugly"]).all()
    assert counts["accuracy"] > 0.8 and counts["auc"] > 0.9


def test_the_order_of_examples_does_not_matter(tmp_path: Path, helpers: Any) -> None:
    rows = [{"text": text_of(name, number), "label": name} for name in ("good", "bad") for number in range(60)]
    one = helpers.write_jsonl(tmp_path / "a" / "rows.jsonl", rows)
    other = helpers.write_jsonl(tmp_path / "b" / "rows.jsonl", rows[::-1])
    counts = [fitted(helpers, tmp_path / path.parts[-2], data=str(path))[1] for path in (one, other)]
    assert counts[0] == counts[1]
    few = fitted(helpers, tmp_path / "few", data=str(other), examples=50)[1]
    assert sum(few["examples"].values()) == 50


def test_a_text_without_words_has_no_score(sides: dict[str, str], tmp_path: Path, helpers: Any) -> None:
    scoring, _ = fitted(helpers, tmp_path / "scorer", **sides)
    found = scoring.score(["", " \n", "tree"])
    assert np.isnan(found["score"]).tolist() == [True, True, False] and found["label"] == [None, None, "good"]


def test_counts_hold_what_it_reaches_and_what_it_makes_of_noise(
    sides: dict[str, str], tmp_path: Path, helpers: Any
) -> None:
    _, counts = fitted(helpers, tmp_path / "scorer", **sides)
    assert counts["auc"] > 0.9 and counts["log_loss"] < 0.6 and 0 <= counts["calibration_error"] < 0.4
    assert not counts["noise"]["sees_noise"]  # it knows good texts by their words


def test_the_control_passes_what_is_right_and_not_labels_by_chance(tmp_path: Path, helpers: Any) -> None:
    """A crawl with some good texts in it: the filter that finds them makes a better model of good texts."""
    numbers = generator(9, "labels")
    good = [text_of("good", place) for place in range(200)]
    crawl = [text_of("good" if place < 1150 else "bad", place) for place in range(1000, 1600)]
    labels = {"right": ["good"] * 200 + ["bad"] * 600}
    labels["luck"] = [labels["right"][place] for place in numbers.permutation(800)]
    better = {}
    for name, classes in labels.items():
        rows = [{"text": text, "label": label} for text, label in zip(good + crawl, classes, strict=True)]
        path = str(helpers.write_jsonl(tmp_path / f"{name}.jsonl", rows))
        better[name] = fitted(helpers, tmp_path / name, data=path, held_back=0.4)[1]["filter"]["better"]
    assert better["right"]["all"] and not any(better["luck"].values())


def test_auc_and_calibration_by_counting() -> None:
    numbers = generator(1, "auc")
    first, second = numbers.integers(0, 6, 40).astype(float), numbers.integers(0, 5, 30).astype(float)
    wins = [(a > b) + (a == b) / 2 for a in first for b in second]
    assert auc(first, second) == pytest.approx(np.mean(wins))
    probability = np.array([0.05, 0.02, 0.95, 1.0])
    truth = np.array([0, 1, 1, 1])
    # Bins: (0.05, 0.02) with frequency a half, (0.95, 1.0) with frequency one.
    wanted = (2 * abs(0.035 - 0.5) + 2 * abs(0.975 - 1)) / 4
    assert calibration_error(probability, truth, np.ones(4)) == pytest.approx(wanted)


def test_what_is_wrong_is_said(sides: dict[str, str], tmp_path: Path, helpers: Any) -> None:
    def problem(**given: Any) -> str:
        with pytest.raises(InputError) as caught:
            fitted(helpers, tmp_path / "scorer", **given)
        return str(caught.value)

    assert "wants examples" in problem(good=sides["good"])
    assert "wants examples" in problem(**sides, data=sides["good"])
    assert "only one class" in problem(data=sides["good"], label="cls", positive="good")
    assert "unknown class 'fine'" in problem(data=sides["good"], label="cls", positive="fine")
    assert "unknown field of the example" in problem(data=sides["good"], label="klass")
    assert "held_back" in problem(**sides, held_back=0)
    few = str(helpers.write_jsonl(tmp_path / "few.jsonl", [{"text": "one"}]))
    assert "too few texts" in problem(good=sides["good"], bad=few)


def test_in_a_corpus_it_is_a_column(sides: dict[str, str], tmp_path: Path, helpers: Any) -> None:
    folder = tmp_path / "made"
    fitted(helpers, folder, **sides)
    helpers.length_scorer(folder)  # for a manifest
    (folder / "scorer.json").write_text('{"method": "ngram_classifier"}', encoding="utf8")
    method = helpers.built(curation, "score", by=str(folder))
    documents = {str(number): text_of(name, number) for number, name in enumerate(["good", "bad"] * 10)} | {"": ""}
    rows = helpers.tagged(method, documents)
    assert rows[""]["quality"] is None and rows[""]["quality_label"] is None
    right = [rows[str(n)]["quality_label"] == name for n, name in enumerate(["good", "bad"] * 10)]
    assert sum(right) > 16
