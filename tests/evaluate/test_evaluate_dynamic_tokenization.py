"""Merges of a batch, and the task that measures what they cost, against slow formulas."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.evaluate import tasks
from seedbed.evaluate.dynamic import merged_batches, predict, word_rows
from seedbed.evaluate.finetuning import Classifier
from seedbed.evaluate.merging import BatchMerges
from seedbed.evaluate.task import EvaluationContext
from seedbed.models.artifact import Model
from seedbed.models.encoding import Coder, Row
from seedbed.surgery.tokenizer_hypernetwork.artifact import TokenizerHypernetwork, write_hypernetwork
from seedbed.surgery.tokenizer_hypernetwork.network import EmbeddingPredictor
from seedbed.surgery.tokenizer_hypernetwork.sizes import Sizes

Ids = tuple[int, ...]


def slow_merges(words: dict[Ids, int]) -> list[dict[Ids, list[Ids]]]:
    """All words as units, before any merge and after each. Units are numbered as they come up, and of equal pairs the
    smaller numbers come first."""
    numbers: dict[Ids, int] = {
        (index,): place for place, index in enumerate(sorted({i for word in words for i in word}))
    }
    state: dict[Ids, list[Ids]] = {word: [(index,) for index in word] for word in words}
    found = [dict(state)]
    while True:
        counts: Counter[tuple[Ids, Ids]] = Counter()
        for word, units in state.items():
            for pair in pairwise(units):
                counts[pair] += words[word]
        if not counts:
            return found
        best = min(counts, key=lambda pair: (-counts[pair], numbers[pair[0]], numbers[pair[1]]))
        numbers.setdefault(best[0] + best[1], len(numbers))
        for word, units in state.items():
            made: list[Ids] = []
            for unit in units:
                if made and (made[-1], unit) == best:
                    made[-1] = best[0] + best[1]
                else:
                    made.append(unit)
            state[word] = made
        found.append(dict(state))


@pytest.mark.parametrize("seed", range(4))
def test_merges_are_those_of_a_slow_count(seed: int) -> None:
    dice = random.Random(seed)
    drawn = [tuple(dice.choices([3, 7, 90, 400], k=dice.randrange(1, 7))) for _ in range(30)]
    words = Counter(drawn * 2 + drawn[:7])
    merges = BatchMerges(words)
    whole = sum(len(word) * count for word, count in words.items())
    for number in range(len(merges) + 1):
        units = {word: merges.units(word, number) for word in words}
        assert all(sum(parts, ()) == word for word, parts in units.items())
        left = sum(len(parts) * words[word] for word, parts in units.items())
        assert whole - left == (merges.saved[number - 1] if number else 0)
    assert all(merges.units(word, len(merges)) == [word] for word in words), "every word is one unit in the end"
    assert [merges.units(word, len(merges)) for word in sorted(words)] == [
        BatchMerges(dict(sorted(words.items(), reverse=True))).units(word, len(merges)) for word in sorted(words)
    ]
    for share in (0.0, 0.3, 0.5, 1.0):
        number = merges.number(share)
        done = [0, *merges.saved.tolist()]
        assert done[number] >= share * done[-1] - 1e-6 and (number == 0 or done[number - 1] < share * done[-1])


def test_merges_of_words_without_runs() -> None:
    """The order, too, is that of a slow count."""
    words = {(1, 2, 3): 5, (2, 3): 4, (3, 1): 4, (1, 2): 2, (4,): 9, (2, 4, 1, 2): 1, (3, 1, 2): 1}
    merges, slow = BatchMerges(words), slow_merges(words)
    assert len(merges) == len(slow) - 1
    for number, state in enumerate(slow):
        assert {word: merges.units(word, number) for word in words} == state


def test_nothing_to_merge() -> None:
    merges = BatchMerges({(5,): 3})
    assert len(merges) == 0 and merges.number(1.0) == 0 and merges.units((5,), 0) == [(5,)]


def test_words_begin_where_the_tokenizer_says(encoder: Model, decoder: Model) -> None:
    text = "the gulls see owls , by the field ."
    for model in (encoder, decoder):
        coder, vocabulary = Coder.of(model.tokenizer(), 64), model.tokenizer().vocabulary()
        (row,) = word_rows(coder, [text], vocabulary, "mean")
        assert coder.wrap([index for word in row.words for index in word]) == row.ids
        written = ["".join(vocabulary.tokens[index].removeprefix("##") for index in word) for word in row.words]
        assert [word.lstrip("\u0120") for word in written] == text.split()
    (short,) = word_rows(Coder.of(encoder.tokenizer(), 6), [text], encoder.tokenizer().vocabulary(), "mean")
    assert sum(map(len, short.words)) == 4


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_units_are_read_as_one_token(encoder: Model, pooling: str) -> None:
    network: Any = EvaluationContext(encoder).trained
    coder, vocabulary = Coder.of(encoder.tokenizer(), 64), encoder.tokenizer().vocabulary()
    texts = ["the gulls see owls", "gullowl by a wall", "fieldgull", "x y"]
    dice = torch.Generator().manual_seed(0)
    classifier = Classifier(network, torch.randn(3, network.width, generator=dice), torch.randn(3), vocabulary.pad or 0)
    batches = merged_batches(word_rows(coder, texts, vocabulary, pooling), 3)
    assert [len(batch.rows) for batch in batches] == [3, 1]
    table = network.embedding.weight
    kept: dict[Ids, torch.Tensor] = {}

    def embed(units: list[Ids]) -> dict[str, torch.Tensor]:
        for unit in units:
            kept.setdefault(unit, torch.randn(network.width, generator=dice))
        return {"input": torch.stack([kept[unit] for unit in units])}

    with torch.no_grad():
        logits, lengths = predict(classifier, batches, coder, pooling, 1.0, embed)
        assert lengths.tolist() == [len(row.words) for batch in batches for row in batch.rows]
        number = 0
        for batch in batches:
            for row in batch.rows:
                vectors = [table[index] for index in coder.prefix]
                vectors += [kept[word] if len(word) > 1 else table[word[0]] for word in row.words]
                vectors += [table[index] for index in coder.suffix]
                changed = encoder.network()
                changed.use_kernel("products")
                changed.embedding.weight = torch.nn.Parameter(torch.stack(vectors))
                hidden = changed.hidden(torch.arange(len(vectors))[None])[0]
                state = {"mean": hidden.mean(0), "first": hidden[0], "last": hidden[-1]}[pooling]
                wanted = state @ classifier.weight_CD.T + classifier.bias_C
                assert np.allclose(logits[number], wanted.numpy(), atol=1e-4)
                number += 1
        plain, whole = predict(classifier, batches, coder, pooling, 0.0, embed)
        rows: list[Row] = [row for batch in batches for row in batch.rows]
        assert np.allclose(plain, classifier.predict(rows, 4), atol=1e-5)
        assert whole.tolist() == [sum(map(len, row.words)) for batch in batches for row in batch.rows]
    assert any(len(word) > 1 for word in kept)


def labeled(path: Path) -> Source:
    """The label is whether an owl is there."""
    draw = random.Random(0)
    records = []
    for number in range(60):
        owl = number % 3 == 0
        words = ["the", draw.choice(["sees", "feeds"]), "by", draw.choice(["roof", "river", "wall"]), str(number)]
        words.insert(draw.randrange(4), "owl" if owl else draw.choice(["gull", "crow", "wren"]))
        records.append({"id": f"t{number}", "text": " ".join(words), "label": "owl" if owl else "none"})
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return Source(path)


def make_hypernetwork(folder: Path, model: Model) -> TokenizerHypernetwork:
    """Not trained, but for its scales."""
    folder.mkdir()
    network = model.network()
    old = {"input": network.embedding.weight.detach()}
    predictor = EmbeddingPredictor(Sizes(network.width, ("input",), 16, 1, 4, residual=False), seed=1)
    predictor.fit_scales(old, torch.arange(len(old["input"])))
    write_hypernetwork(predictor, model.tokenizer(), folder)
    return TokenizerHypernetwork(folder)


def test_the_task(encoder: Model, tmp_path: Path) -> None:
    """Nothing merged is the model itself; whole words leave as many units as there are words."""
    data = labeled(tmp_path / "all.jsonl")
    target = tasks.get("dynamic_tokenization").target
    made = make_hypernetwork(tmp_path / "h", encoder)
    task = target(data=data, hypernetwork=made, shares=[0.0, 1.0], epochs=3.0, lr=3e-3, batch=8, batch_size=16)
    result = task.run(EvaluationContext(encoder, seeds=1))
    runs = {run.system: run for run in result.runs}
    assert list(runs) == ["model", "mean_0", "mean_100", "hypernetwork_0", "hypernetwork_100", "majority", "tfidf"]
    assert runs["model"].items.prediction == runs["mean_0"].items.prediction == runs["hypernetwork_0"].items.prediction
    left = {name: run.measures["tokens"].value for name, run in runs.items()}
    assert left["model"] == left["mean_0"] == left["majority"] == 1.0
    texts = [text for _, text in result.test_texts]
    rows = word_rows(Coder.of(encoder.tokenizer(), 64), texts, encoder.tokenizer().vocabulary(), "mean")
    expected = sum(len(row.words) for row in rows) / sum(len(word) for row in rows for word in row.words)
    assert left["mean_100"] == left["hypernetwork_100"] == pytest.approx(expected) and expected < 1
    assert result.higher_is_better == {"accuracy": True, "macro_f1": True, "tokens": False}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"shares": []}, "shares: must be one or several"),
        ({"shares": [0.5, 0.5]}, "shares: must be one or several"),
        ({"shares": [1.5]}, "shares: must lie between 0 and 1"),
        ({"batch": 0}, "batch: must be at least 1"),
    ],
)
def test_bad_settings(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tasks.get("dynamic_tokenization").target(data=Source("x"), **parameters)
