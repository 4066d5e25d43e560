"""A noisy teacher: what it labels, what it leaves out, and that it is the logistic regression of mean vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_languages import make_corpus, make_vectors, run

from seedbed.core.errors import InputError
from seedbed.corpus.labels import Labels
from seedbed.evaluate import linear
from seedbed.vectors.artifact import WordVectors
from seedbed.vectors.teach import teach_labels, text_vectors
from seedbed.vectors.words import splitter

WORDS = ["fine", "grand", "awful", "grim", "shoe", "lamp"]
MATRIX = np.array([[2, 0, 0], [1, 0, 1], [-1, 0, 0], [-3, 0, 1], [0, 1, 0], [0, 2, 1]])
RELATED = ["fine shoe", "grand lamp", "awful shoe", "grim lamp", "Fine, grand lamp", "awful lamp"]
TRUTH = ["good", "good", "bad", "bad", "good", "bad"]
TEXTS = ["grand shoe", "grim shoe", "unheard of", "fine fine lamp", "lamp"]


@pytest.fixture
def vectors(tmp_path: Path) -> WordVectors:
    return make_vectors(tmp_path / "vectors", WORDS, MATRIX, lowercase=True)


def few(folder: Path) -> Labels:
    """Two labeled reviews, of which one is among the texts, and one to test."""
    folder.mkdir()
    parts = {"train": [("grim shoe", "bad"), ("grand", "good")], "test": [("grand lamp", "good"), ("grand", "bad")]}
    for part, records in parts.items():
        lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in records]
        (folder / f"{part}.jsonl").write_text("".join(lines))
    (folder / "manifest.json").write_text(
        json.dumps({"format": 1, "kind": "labels", "fingerprint": "few", "files": {}, "counts": {}})
    )
    return Labels.open(folder)


def taught(folder: Path, vectors: WordVectors, **given: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    texts = make_corpus(folder / "texts", TEXTS, ["never", "asked", "for", "these", "labels"])
    context = run(teach_labels, folder / "out", vectors=vectors, texts=texts, **given)
    lines = (folder / "out" / "train.jsonl").read_text(encoding="utf8").splitlines()
    return [json.loads(line) for line in lines], context.counts


def test_a_text_is_the_mean_of_its_known_words(vectors: WordVectors) -> None:
    found, covered = text_vectors(["Fine LAMP fine", "unheard of"], vectors.table, splitter(None, True))
    units = MATRIX / np.linalg.norm(MATRIX, axis=1, keepdims=True)
    np.testing.assert_allclose(found[0], (2 * units[0] + units[5]) / 3, rtol=1e-6)
    assert covered.tolist() == [True, False] and not found[1].any()


def test_the_teacher_is_a_logistic_regression(tmp_path: Path, vectors: WordVectors) -> None:
    related = make_corpus(tmp_path / "related", RELATED, TRUTH)
    records, counts = taught(tmp_path, vectors, related=related)
    units = MATRIX / np.linalg.norm(MATRIX, axis=1, keepdims=True)

    def mean(text: str) -> np.ndarray:
        return units[[WORDS.index(word) for word in text.lower().replace(",", "").split()]].mean(0)

    known = np.stack([mean(text) for text in RELATED])
    center, scale = known.mean(0), known.std(0)
    fitted = linear.fit((known - center) / scale, np.array([name == "good" for name in TRUTH]).astype(int), 2)
    asked = [text for text in TEXTS if text != "unheard of"]
    scores = fitted.scores((np.stack([mean(text) for text in asked]) - center) / scale)
    wanted = 1 / (1 + np.exp(scores[:, 0] - scores[:, 1]))
    assert [record["text"] for record in records] == asked and counts["unsure"] == 1
    for record, good in zip(records, wanted, strict=True):
        assert record["label"] == ("good" if good > 0.5 else "bad")
        assert record["probability"] == pytest.approx(max(good, 1 - good), abs=1e-4)
    sure, _ = taught(tmp_path / "sure", vectors, related=related, confidence=sorted(wanted)[-1] - 1e-3)
    assert {record["text"] for record in sure} < set(asked)


def test_own_labels_come_first_and_their_test_part_stays(tmp_path: Path, vectors: WordVectors) -> None:
    records, counts = taught(tmp_path, vectors, data=few(tmp_path / "few"), limit=3)
    assert [record["text"] for record in records] == ["grim shoe", "grand", "grand shoe", "fine fine lamp"]
    assert "probability" not in records[0] and counts["given"] == 2 and counts["taught"] == 2
    assert counts["test"] == 2 and counts["accuracy"] == 0.5, "praise is called good in both, and is in one"
    assert len((tmp_path / "out" / "test.jsonl").read_text().splitlines()) == 2


def test_who_has_nothing_to_learn_from_is_told(tmp_path: Path, vectors: WordVectors) -> None:
    with pytest.raises(InputError, match="neither"):
        taught(tmp_path / "a", vectors)
    with pytest.raises(InputError, match="single label"):
        taught(tmp_path / "b", vectors, related=make_corpus(tmp_path / "one", ["fine"], ["good"]))
    with pytest.raises(InputError, match="no document has this field"):
        taught(tmp_path / "c", vectors, related=make_corpus(tmp_path / "none", ["fine"]))
    strange = make_vectors(tmp_path / "strange", ["elsewhere"], np.eye(1))
    with pytest.raises(InputError, match="labeled texts' words"):
        taught(tmp_path / "d", strange, related=make_corpus(tmp_path / "related", RELATED, TRUTH))
