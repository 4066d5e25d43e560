"""Judging: each value against a slow count, the step, and what cannot be judged."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.core.step import StepContext
from seedbed.recipe.execute import workspace
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.measure import measure_tokenizers
from seedbed.vocabulary.statistics import renyi_efficiency
from seedbed.vocabulary.train import train_tokenizer


@pytest.fixture
def make(tmp_path, corpus):
    def trained(algorithm, **parameters):
        from seedbed.vocabulary import algorithms

        folder = tmp_path / f"{algorithm}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        component = algorithms.parse(algorithm)
        context = StepContext(folder, "t", {})
        train_tokenizer.function(context, corpus=corpus, algorithm=component.build(), size=600, **parameters)
        return Tokenizer.open(folder)

    return trained


def judge(folder, **parameters):
    folder.mkdir()
    context = StepContext(folder, "judged", {})
    measure_tokenizers.function(context, **parameters)
    return context.counts


def by_hand(tokenizer, texts, unknown, alpha, size):
    """One token after the other, with the entropy written as a norm."""
    tokens = [token for text in texts for token in tokenizer.encode(text, add_special_tokens=False).tokens]
    words = sum(len(text.split()) for text in texts)
    counts = Counter(tokens)
    norm = sum((count / len(tokens)) ** alpha for count in counts.values()) ** (1 / alpha)
    return {
        "tokens_per_word": len(tokens) / words,
        "bytes_per_token": sum(len(text.encode()) for text in texts) / len(tokens),
        "unknown_rate": counts[unknown] / len(tokens),
        "renyi": alpha / (1 - alpha) * math.log2(norm) / math.log2(size),
        "used": len(set(counts) - {unknown}) / size,
    }


def test_values_against_a_count_by_hand(tmp_path, corpus, make):
    tokenizers = {"wordpiece": make("wordpiece"), "bpe": make("bpe")}
    counts = judge(tmp_path / "j", tokenizers=tokenizers, corpus=corpus)
    assert counts["measured_on"] == "validation"
    texts = {"all": [row["text"] for row in corpus.documents("validation")]}
    for domain in ("code", "prose"):
        texts[domain] = [row["text"] for row in corpus.documents("validation") if row["domain"] == domain]
    for name, artifact in tokenizers.items():
        size = int((~artifact.vocabulary().special_V).sum())
        found = counts["tokenizers"][name]["groups"]
        assert set(found) == {"all", "code", "prose"}
        for group, values in found.items():
            for metric, value in by_hand(artifact.load(), texts[group], "[UNK]", 2.5, size).items():
                assert values[metric] == pytest.approx(value, abs=2e-6), (name, group, metric)
    assert counts["tokenizers"]["bpe"]["groups"]["all"]["coverage"] == 1.0
    assert json.loads((tmp_path / "j" / "judged.json").read_text())["tokenizers"] == counts["tokenizers"]
    table = (tmp_path / "j" / "table.md").read_text()
    assert table.count("| bpe |") == table.count("| wordpiece |") == 3


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.5, 3.0])
def test_renyi_efficiency_bounds_and_shannon(alpha):
    assert renyi_efficiency(np.full(16, 7), 16, alpha) == 1.0
    assert renyi_efficiency(np.array([9, 0, 0]), 3, alpha) == 0.0
    p = np.array([5, 3, 1, 1, 0])
    near = renyi_efficiency(p, 5, 1.0001)
    assert renyi_efficiency(p, 5, 1.0) == pytest.approx(near, abs=1e-4)
    assert renyi_efficiency(np.zeros(3), 3, alpha) is None


def test_renyi_of_a_worked_example():
    """p = (1/2, 1/4, 1/4), alpha = 2: -log2(1/4 + 1/16 + 1/16) = log2(8/3)."""
    assert renyi_efficiency(np.array([2, 1, 1, 0]), 4, 2.0) == pytest.approx(math.log2(8 / 3) / 2, abs=1e-6)


def test_coverage(tmp_path, make_corpus, make):
    rows = [{"id": "1", "text": "baka 漢 baka\n漢字 ba", "domain": "x"}]
    odd = make_corpus(tmp_path / "odd", {"test": rows})
    names = ("wordpiece", "unigram", "characters", "bpe")
    counts = judge(tmp_path / "j", tokenizers={name: make(name) for name in names}, corpus=odd)
    coverage = {name: counts["tokenizers"][name]["groups"]["all"]["coverage"] for name in names}
    assert coverage == {"wordpiece": 0.6, "unigram": 0.6, "characters": 0.6, "bpe": 1.0}
    assert counts["tokenizers"]["wordpiece"]["groups"]["x"]["unknown"] == 3, "BERT cuts at each ideograph"
    assert counts["measured_on"] == "test"


def test_morphemes_without_a_corpus(tmp_path, make):
    (tmp_path / "w.tsv").write_text("unties\tun @@tie @@s\n")
    files = {"eng": Source.parse(str(tmp_path / "w.tsv"))}
    counts = judge(tmp_path / "j", tokenizers={"bytes": make("bytes")}, segmentations=files)
    item = counts["tokenizers"]["bytes"]
    assert item["groups"] == {}
    assert item["morphemes"]["eng"]["recall"] == 1.0
    assert "| bytes | eng | 1 | 0.400 |" in (tmp_path / "j" / "table.md").read_text()


def test_as_a_step_of_a_recipe(tmp_path, corpus):
    (tmp_path / "w.tsv").write_text("unties\tun @@tie @@s\n")
    with workspace(tmp_path / "runs"):
        tokenizer = train_tokenizer(corpus=corpus, algorithm="characters", size=400, alpha=0.5)
        files = {"eng": str(tmp_path / "w.tsv")}
        judged = measure_tokenizers(tokenizers={"own": tokenizer}, corpus=corpus, segmentations=files)
        assert judged.problems(contents=True) == []
        again = measure_tokenizers(tokenizers={"own": tokenizer}, corpus=corpus, segmentations=files)
        assert again.path == judged.path
        given = {"eng": {"unties": ["un", "tie", "s"]}}
        words = measure_tokenizers(tokenizers={"own": tokenizer}, corpus=corpus, segmentations=given)
        assert words.counts["tokenizers"] == judged.counts["tokenizers"], "words in the recipe are as good as a file"
        (tmp_path / "w.tsv").write_text("untied\tun @@tie @@d\n")
        other = measure_tokenizers(tokenizers={"own": tokenizer}, corpus=corpus, segmentations=files)
    assert other.path != judged.path, "the file's contents count"
    assert judged.counts["tokenizers"]["own"]["morphemes"]["eng"]["words"] == 1


def test_what_cannot_be_judged(tmp_path, make, make_corpus, corpus):
    tokenizers = {"bytes": make("bytes")}
    blank = make_corpus(tmp_path / "b", {"train": [{"id": "1", "text": " \n"}]})
    wrong = [
        ({"tokenizers": {}, "corpus": corpus}, "names none"),
        ({"tokenizers": tokenizers}, "nothing to judge by"),
        ({"tokenizers": tokenizers, "corpus": blank}, "no text to judge by"),
        ({"tokenizers": tokenizers, "corpus": corpus, "renyi_alpha": 0.0}, "must be positive"),
        ({"tokenizers": tokenizers, "corpus": corpus, "by": "language"}, "unknown column 'language'"),
    ]
    for number, (parameters, message) in enumerate(wrong):
        with pytest.raises(InputError, match=message):
            judge(tmp_path / f"w{number}", **parameters)
