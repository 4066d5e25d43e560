"""DSIR's weights by the paper's formula, one document and one n-gram at a time."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.corpus import curation

BASE = 0x9E3779B97F4A7C15


def features(text: str, buckets: int) -> Counter[int]:
    words = [xxhash.xxh3_64_intdigest(word.encode()) for word in re.findall(r"\w+|[^\w\s]+", text.lower())]
    pairs = [(first * BASE + second) % 2**64 for first, second in itertools.pairwise(words)]
    return Counter(number % buckets for number in words + pairs)


def slow_weights(raw: dict[str, str], target: list[str], buckets: int) -> dict[str, float]:
    shares = []
    for texts in (target, list(raw.values())):
        counts = sum((features(text, buckets) for text in texts), Counter())
        shares.append([counts[bucket] / counts.total() + 1e-8 for bucket in range(buckets)])
    difference = [math.log(a) - math.log(b) for a, b in zip(*shares, strict=True)]
    return {id: sum(n * difference[k] for k, n in features(text, buckets).items()) for id, text in raw.items()}


@pytest.fixture
def raw() -> dict[str, str]:
    random_ = random.Random(3)
    kinds = {
        "cat": ["the", "cat", "sat", "on", "mat,", "and", "purred!"],
        "law": ["Der", "Vertrag", "(§", "5)", "gilt;", "die", "läuft."],
    }
    return {
        f"{kind}{n:02d}": " ".join(random_.choices(words, k=random_.randrange(1, 12)))
        for kind, words in kinds.items()
        for n in range(40)
    } | {"blank": " \n"}


def test_weights_are_the_formula_s(raw: dict[str, str], tmp_path: Path, helpers: Any) -> None:
    texts = ["the cat purred on the mat", "a mat!"]
    path = helpers.write_jsonl(tmp_path / "target.jsonl", [{"text": text} for text in texts])
    for buckets in (50, 10_000):
        method = helpers.built(curation, "dsir", target=str(path), buckets=buckets, noise=False)
        found = {id: row["dsir"] for id, row in helpers.tagged(method, raw, partitions=3).items()}
        assert found == pytest.approx(slow_weights(raw, texts, buckets), abs=1e-9)
        assert found["blank"] == 0


def test_the_noise_is_gumbel_s_and_depends_on_ids_alone(tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "target.jsonl", [{"text": "same text"}])
    raw = {f"d{number}": "same text" for number in range(2000)}
    method = helpers.built(curation, "dsir", target=str(path), seed=7)
    noise = {id: row["dsir"] for id, row in helpers.tagged(method, raw).items()}
    uniform = (key(7, "dsir", "d5") + 0.5) / 2**64
    assert noise["d5"] == pytest.approx(-math.log(-math.log(uniform)))
    assert np.mean(list(noise.values())) == pytest.approx(0.5772, abs=0.1)  # Euler's constant
    assert np.var(list(noise.values())) == pytest.approx(math.pi**2 / 6, rel=0.15)
    few = helpers.tagged(method, {id: raw[id] for id in ("d5", "d9")})
    assert few["d5"]["dsir"] == pytest.approx(noise["d5"])


def test_a_selection_is_distributed_as_the_target(raw: dict[str, str], tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "target.jsonl", [{"text": text} for id, text in raw.items() if "law" in id])
    rows = helpers.tagged(helpers.built(curation, "dsir", target=str(path)), raw)
    best = sorted(rows, key=lambda id: -rows[id]["dsir"])[:30]
    assert sum("law" in id for id in best) >= 28


def test_a_target_may_be_a_corpus(make_corpus: Any, raw: dict[str, str], tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "a.jsonl", [{"text": text} for text in raw.values()])
    corpus, _ = make_corpus(read=[{"jsonl": str(path)}], curate=[], split={"test": 0.4})
    (corpus.path / "manifest.json").write_text('{"kind": "corpus", "fingerprint": "c", "files": {}, "format": 1}')
    method = helpers.built(curation, "dsir", target=str(corpus.path), split="test", noise=False, buckets=90)
    found = {id: row["dsir"] for id, row in helpers.tagged(method, raw).items()}
    texts = [document["text"] for document in corpus.documents("test", ["text"])]
    assert found == pytest.approx(slow_weights(raw, texts, 90), abs=1e-9)


def test_what_cannot_be(tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "a.jsonl", [{"text": " "}])
    with pytest.raises(InputError, match="holds no words"):
        helpers.tagged(helpers.built(curation, "dsir", target=str(path)), {"a": "b"})
    with pytest.raises(InputError, match="no name for a new column"):
        curation.parse({"dsir": {"target": str(path), "name": "text"}}).build()
