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
from seedbed.evaluate.dynamic import MergedTraining, UnitReader, WordRow, merged_batches, predict, ways, word_rows
from seedbed.evaluate.finetuning import Classifier, Training, epoch_batches, finetune
from seedbed.evaluate.merging import BatchMerges
from seedbed.evaluate.summary import summarize
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
        logits, lengths = predict(classifier, batches, UnitReader(coder, pooling, embed), 1.0)
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
        plain, whole = predict(classifier, batches, UnitReader(coder, pooling, embed), 0.0)
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


def test_the_task_with_merged_training(encoder: Model, tmp_path: Path) -> None:
    """Further systems beside the others, which stay what they are."""
    data = labeled(tmp_path / "all.jsonl")
    target = tasks.get("dynamic_tokenization").target
    made = make_hypernetwork(tmp_path / "h", encoder)
    settings = {"data": data, "hypernetwork": made, "shares": [0.0, 1.0], "lr": 3e-3, "batch": 8, "batch_size": 16}
    own = target(**settings).run(EvaluationContext(encoder, seeds=2))
    merged, again = (target(**settings, train="merged").run(EvaluationContext(encoder, seeds=2)) for _ in range(2))
    runs, same = ({(run.system, run.seed): run for run in result.runs} for result in (merged, again))
    assert [run.items.prediction for run in runs.values()] == [run.items.prediction for run in same.values()]
    for run in own.runs:
        assert run.items.prediction == runs[run.system, run.seed].items.prediction
    systems = ["mean_0", "mean_100", "hypernetwork_0", "hypernetwork_100"]
    both = [*systems, *(f"merged_{system}" for system in systems)]
    assert [run.system for run in merged.runs] == ["model", *both] * 2 + ["majority", "tfidf"]
    for seed in (0, 1):
        for system in systems:
            new, old = runs[f"merged_{system}", seed].measures, runs[system, seed].measures
            assert new["tokens"].value == old["tokens"].value and old["train_tokens"].value == 1.0
            whole = old["tokens"].value if system.endswith("100") else 0.0
            assert whole < new["train_tokens"].value < 1.0
    shares = [
        runs[f"merged_{way}_0", seed].measures["train_tokens"].value
        for seed in (0, 1)
        for way in ("mean", "hypernetwork")
    ]
    assert shares[0] == shares[1] != shares[2] == shares[3], "one order of shares for both ways, another each seed"
    assert "train_tokens" not in own.higher_is_better and merged.higher_is_better["train_tokens"] is False
    entry = summarize(merged, 0)
    assert entry["systems"]["merged_mean_100"]["train_tokens"]["seeds"] == 2
    assert entry["model_minus"]["merged_mean_100"]["train_tokens"]["mean"] > 0


TEXTS = [
    f"the {word} sees {other} by a fieldgull" for word in ("gullowl", "wrench", "x") for other in ("ow", "wing", "12")
]
TEXTS.append("gullowl")


def trained(
    model: Model,
    shares: list[float] | None,
    *,
    seed: int = 3,
    merged: bool = True,
    epochs: float = 2.0,
    spy: Any = None,
) -> tuple[Any, list[WordRow], MergedTraining]:
    """A network after fine-tuning on ten texts in batches of four, by default merged."""
    context = EvaluationContext(model)
    network: Any = context.network("model", seed)
    network.embedding.weight.requires_grad_(False)
    rows = word_rows(context.coder(64), TEXTS, context.vocabulary, "mean")
    reader = UnitReader(context.coder(64), "mean", ways(network, model, None)["mean"])
    merging = MergedTraining(reader, shares, seed, len(rows))
    if spy is not None:
        hidden = network.hidden
        network.hidden = lambda tokens_BL, segments_BL: (
            spy(network, tokens_BL, segments_BL) or hidden(tokens_BL, segments_BL)
        )
    labels = np.arange(len(rows)) % 2
    pad = context.vocabulary.pad or 0
    settings = Training(epochs, batch_size=4, lr=1e-3)
    finetune(network, rows, labels, 2, training=settings, seed=seed, pad=pad, read=merging if merged else None)
    return network, rows, merging


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_training_without_merges_is_training_bit_by_bit(kind: str, make_model: Any) -> None:
    model = make_model(kind)
    plain, _, _ = trained(model, None, merged=False)
    none, rows, merging = trained(model, [0.0])
    whole, _, more = trained(model, [1.0])
    assert merging.units_N.tolist() == merging.tokens_N.tolist() == [2 * sum(map(len, row.words)) for row in rows]
    assert more.units_N.tolist() == [2 * len(row.words) for row in rows]
    before = EvaluationContext(model).trained.state_dict()
    for name, value in plain.state_dict().items():
        assert torch.equal(value, none.state_dict()[name]), name
    assert any(not torch.equal(value, whole.state_dict()[name]) for name, value in plain.state_dict().items())
    assert torch.equal(before["embedding.weight"], whole.state_dict()["embedding.weight"]), "frozen, and as it was"


def test_shares_are_drawn_for_each_batch(encoder: Model) -> None:
    """The same for a seed, whatever the texts; all of [0, 1) is met, or the given ones evenly."""
    reader = UnitReader(Coder.of(encoder.tokenizer(), 64), "mean", lambda units: {})
    drawn = [[MergedTraining(reader, None, seed, 9).share(step) for step in range(2000)] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert np.allclose(np.histogram(drawn[0], 10, (0, 1))[0] / 2000, 0.1, atol=0.03)
    given = Counter(MergedTraining(reader, [0.25, 1.0], 0, 9).share(step) for step in range(2000))
    assert set(given) == {0.25, 1.0} and abs(given[1.0] - 1000) < 100
    first, second, other = (trained(encoder, None, seed=seed)[0].state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())


def test_what_the_network_reads_in_training(encoder: Model) -> None:
    """Shorter batches, whose vectors are those of a slow computation: counts, merges, and means of the table's rows."""
    seen: list[list[torch.Tensor]] = []

    def spy(network: Any, tokens_BL: torch.Tensor, segments_BL: torch.Tensor | None) -> None:
        kept_BL = torch.ones_like(tokens_BL, dtype=torch.bool) if segments_BL is None else segments_BL >= 0
        table = network.embedding.weight
        seen.append([table[row[kept]].clone() for row, kept in zip(tokens_BL, kept_BL, strict=True)])

    _, rows, merging = trained(encoder, [0.5, 1.0], epochs=1.0, spy=spy)
    table, coder = EvaluationContext(encoder).trained.embedding.weight, Coder.of(encoder.tokenizer(), 64)
    batches = epoch_batches(np.array([len(row.ids) for row in rows]), 4, 3, 0)
    assert len(seen) == len(batches) == 3
    for step, (chosen, vectors) in enumerate(zip(batches, seen, strict=True)):
        words = Counter(word for index in chosen for word in rows[index].words)
        states = slow_merges(dict(words))
        left = [sum(len(units) * words[word] for word, units in state.items()) for state in states]
        wanted = left[0] - merging.share(step) * (left[0] - left[-1])
        state = next(state for state, now in zip(states, left, strict=True) if now <= wanted + 1e-9)
        assert max(map(len, vectors)) < max(len(rows[index].ids) for index in chosen)
        for index, read in zip(chosen, vectors, strict=True):
            units = [unit for word in rows[index].words for unit in state[word]]
            ids: list[Ids] = [*((i,) for i in coder.prefix), *units, *((i,) for i in coder.suffix)]
            assert len(read) == len(ids)
            for unit, vector in zip(ids, read, strict=True):
                assert torch.allclose(vector, sum(table[i] for i in unit) / len(unit), atol=1e-6)
    assert len({merging.share(step) for step in range(3)}) == 2, "both shares are met"


def test_predicted_units_in_training_are_those_of_the_test(encoder: Model, tmp_path: Path) -> None:
    """A unit's vector does not depend on what else is predicted, and no gradient goes into it."""
    context = EvaluationContext(encoder)
    network: Any = context.network("model", 0)
    network.embedding.weight.requires_grad_(False)
    made = make_hypernetwork(tmp_path / "h", encoder)
    embed = ways(network, encoder, made)["hypernetwork"]
    reader = UnitReader(context.coder(64), "mean", embed)
    rows = word_rows(reader.coder, TEXTS, context.vocabulary, "mean")
    classifier = Classifier(network, torch.randn(2, network.width), torch.zeros(2), context.vocabulary.pad or 0)
    merging = MergedTraining(reader, [1.0], 0, len(rows))
    logits = merging(classifier, rows)
    logits.sum().backward()
    assert network.embedding.weight.grad is None
    assert all(weight.grad is not None for name, weight in network.named_parameters() if name.startswith("layers.0"))
    tested, lengths = predict(classifier, merged_batches(rows, len(rows)), reader, 1.0)
    assert np.allclose(tested, logits.detach().numpy(), atol=1e-5) and lengths.tolist() == merging.units_N.tolist()
    units = [word for row in rows for word in row.words if len(word) > 1]
    together = embed(units)["input"]
    alone = torch.cat([embed([unit])["input"] for unit in units])
    assert torch.allclose(together, alone, atol=1e-5) and not together.requires_grad


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"shares": []}, "shares: must be one or several"),
        ({"shares": [0.5, 0.5]}, "shares: must be one or several"),
        ({"shares": [1.5]}, "shares: must lie between 0 and 1"),
        ({"batch": 0}, "batch: must be at least 1"),
        ({"train": "merged", "train_shares": []}, "train_shares: must be one or several"),
        ({"train": "merged", "train_shares": [-0.1]}, "train_shares: must lie between 0 and 1"),
        ({"train_shares": [0.5]}, "train_shares: must be one or several, with `train: merged`"),
    ],
)
def test_bad_settings(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tasks.get("dynamic_tokenization").target(data=Source("x"), **parameters)
