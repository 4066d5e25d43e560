"""bits_per_byte and masked_accuracy: known answers, determinism, and independence of how rows are batched."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.suite.bits_per_byte import causal_nats
from seedbed.evaluate.task import EvaluationContext, SystemRun, Task, TaskResult
from seedbed.models import encoding, scoring
from seedbed.models.artifact import Model


def make(name: str, **parameters: Any) -> Task:
    """A task from its name and artifacts in hand."""
    return tasks.get(name).target(**parameters)  # type: ignore[no-any-return]


def run_of(result: TaskResult, system: str) -> SystemRun:
    return next(run for run in result.runs if run.system == system)


def value(result: TaskResult, system: str, metric: str) -> float:
    return run_of(result, system).measures[metric].value


def make_uniform(context: EvaluationContext) -> None:
    """An output of zeros: all tokens equally likely."""
    network = context.trained
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()


def test_a_uniform_model_costs_log2_v_a_token(decoder: Model, corpus: Corpus) -> None:
    context = EvaluationContext(decoder, baselines=False)
    make_uniform(context)
    result = make("bits_per_byte", corpus=corpus, max_length=32).run(context)
    tokenizer = decoder.tokenizer().load()
    texts = [document["text"] for document in corpus.documents("test")]
    num_tokens = sum(len(tokenizer.encode(text).ids) - 1 for text in texts)  # the start symbol is given
    num_bytes = sum(len(text.encode()) for text in texts)
    size = context.trained.vocabulary_size
    assert value(result, "model", "bits_per_byte") == pytest.approx(math.log2(size) * num_tokens / num_bytes, rel=1e-6)
    assert value(result, "model", "bits_per_token") == pytest.approx(math.log2(size), rel=1e-6)
    assert result.counts["lossy"] == 0 and result.counts["bytes"] == num_bytes


def test_short_documents_equal_a_plain_forward_pass(decoder: Model) -> None:
    network = EvaluationContext(decoder).trained
    ids = [np.array([0, 5, 9, 7, 1]), np.array([0, 8, 1])]
    found = causal_nats(network, ids, start=True, length=64, pad=2)
    for document, nats in zip(ids, found, strict=True):
        with torch.no_grad():
            logits = network.logits(network.hidden(torch.from_numpy(document)[None])[0])
        chances = torch.log_softmax(logits.double(), -1)
        wanted = [-chances[t, document[t + 1]].item() for t in range(len(document) - 1)]
        assert nats == pytest.approx(wanted, abs=1e-5)


def test_windows_predict_each_token_once_from_at_least_half_a_row(decoder: Model) -> None:
    network = EvaluationContext(decoder).trained
    document = np.random.default_rng(0).integers(3, 300, 50)
    found = causal_nats(network, [document], start=False, length=16, pad=2)[0]
    assert len(found) == 50 and found[0] == pytest.approx(math.log(network.vocabulary_size))
    starts = {t: 0 if t < 16 else 16 + 8 * ((t - 16) // 8) - 8 for t in range(1, 50)}
    for t in (1, 15, 16, 23, 24, 49):
        with torch.no_grad():
            window = torch.from_numpy(document[starts[t] : t])[None]
            logits = network.logits(network.hidden(window)[0, -1:])
        wanted = -torch.log_softmax(logits.double(), -1)[0, document[t]].item()
        assert found[t] == pytest.approx(wanted, abs=1e-4), t


def test_without_a_start_symbol_the_first_token_costs_log_v_in_every_system(decoder: Model) -> None:
    network = EvaluationContext(decoder).trained
    with_start, without = (
        causal_nats(network, [np.array([0, 5, 9])], start=start, length=8, pad=2)[0] for start in (True, False)
    )
    assert without[1:] == pytest.approx(with_start) and len(without) == 3


def test_baselines_of_bits_per_byte(decoder: Model, corpus: Corpus) -> None:
    result = make("bits_per_byte", corpus=corpus).run(EvaluationContext(decoder, seeds=2))
    assert [(run.system, run.seed) for run in result.runs] == [
        ("model", None),
        ("untrained", 0),
        ("untrained", 1),
        ("unigram", None),
        ("ngram", None),
    ]
    lengths = {len(run.measures["bits_per_token"].denominators_UK) for run in result.runs}
    tokens = {float(run.measures["bits_per_token"].denominators_UK.sum()) for run in result.runs}
    assert lengths == {12} and len(tokens) == 1  # all systems are charged for the same tokens
    assert value(result, "ngram", "bits_per_byte") < value(result, "unigram", "bits_per_byte")
    assert value(result, "unigram", "bits_per_byte") < value(result, "untrained", "bits_per_byte")


def test_masked_models_have_no_bits_per_byte(encoder: Model, decoder: Model, corpus: Corpus) -> None:
    with pytest.raises(InputError, match="use the task masked_accuracy"):
        make("bits_per_byte", corpus=corpus).run(EvaluationContext(encoder))
    with pytest.raises(InputError, match="use the task bits_per_byte"):
        make("masked_accuracy", corpus=corpus).run(EvaluationContext(decoder))


def test_masked_accuracy_of_a_uniform_model(encoder: Model, corpus: Corpus) -> None:
    context = EvaluationContext(encoder, baselines=False)
    make_uniform(context)
    result = make("masked_accuracy", corpus=corpus).run(context)
    assert value(result, "model", "nats") == pytest.approx(math.log(context.trained.vocabulary_size), rel=1e-6)
    assert value(result, "model", "accuracy") == 0.0  # the first of equals is [PAD], which is never the truth


def test_masked_accuracy_baselines_and_items(encoder: Model, corpus: Corpus) -> None:
    result = make("masked_accuracy", corpus=corpus, rate=0.2).run(EvaluationContext(encoder, seeds=1))
    assert value(result, "neighbors", "nats") < value(result, "unigram", "nats") < value(result, "untrained", "nats")
    assert value(result, "neighbors", "accuracy") > value(result, "unigram", "accuracy") > 0.2
    items = run_of(result, "unigram").items
    assert set(items.prediction) == {"the"}
    right = [truth == said for truth, said in zip(items.truth, items.prediction, strict=True)]
    assert np.mean(right) == pytest.approx(value(result, "unigram", "accuracy"))
    assert np.mean(items.score) == pytest.approx(value(result, "unigram", "nats"))
    assert "[MASK]" not in items.truth and "[CLS]" not in items.truth
    tokenizer = encoder.tokenizer().load()
    texts = {document["id"]: document["text"] for document in corpus.documents("test")}
    for item, truth in zip(items.item, items.truth, strict=True):
        name, place = item.rsplit(":", 1)
        assert tokenizer.encode(texts[name], add_special_tokens=False).tokens[int(place)] == truth
    total = sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts.values())
    assert abs(len(items.item) / total - 0.2) < 0.04


@pytest.mark.parametrize(("task", "kind"), [("bits_per_byte", "decoder"), ("masked_accuracy", "encoder")])
def test_scores_do_not_depend_on_batches(
    task: str, kind: str, make_model, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = EvaluationContext(make_model(kind), seeds=1)
    first = make(task, corpus=corpus).run(context)
    again = make(task, corpus=corpus).run(context)
    monkeypatch.setattr(scoring, "MAX_TOKENS", 70)
    monkeypatch.setattr(scoring, "MAX_LOGITS", 1000)
    small = make(task, corpus=corpus).run(context)
    for one, two, three in zip(first.runs, again.runs, small.runs, strict=True):
        assert np.array_equal(one.items.score, two.items.score)
        assert one.items.prediction == three.items.prediction and one.items.item == three.items.item
        assert np.asarray(one.items.score) == pytest.approx(np.asarray(three.items.score), abs=1e-4)
        for metric, measure in one.measures.items():
            assert measure.value == two.measures[metric].value
            assert measure.value == pytest.approx(three.measures[metric].value, abs=1e-5)


def test_masks_belong_to_the_document(encoder: Model, corpus: Corpus, tmp_path: Path) -> None:
    """The same documents are masked alike in another order and beside others."""
    result = make("masked_accuracy", corpus=corpus, max_documents=3).run(EvaluationContext(encoder, seeds=1))
    whole = make("masked_accuracy", corpus=corpus).run(EvaluationContext(encoder, seeds=1))
    assert set(run_of(result, "model").items.item) < set(run_of(whole, "model").items.item)
    other = make("masked_accuracy", corpus=corpus).run(EvaluationContext(encoder, seeds=1, seed=5))
    assert set(run_of(other, "model").items.item) != set(run_of(whole, "model").items.item)


def test_errors_say_what_is_wrong(encoder: Model, decoder: Model, corpus: Corpus, make_corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no split 'tset'") as caught:
        make("masked_accuracy", corpus=corpus, split="tset").run(EvaluationContext(encoder))
    assert "train, test" in str(caught.value)
    empty = make_corpus(tmp_path / "empty", {"train": ["a b c"], "test": []})
    with pytest.raises(InputError, match="is empty"):
        make("masked_accuracy", corpus=empty).run(EvaluationContext(encoder))
    blank = make_corpus(tmp_path / "blank", {"train": ["a b c"], "test": [""]})
    with pytest.raises(InputError, match="holds no text"):
        make("bits_per_byte", corpus=blank).run(EvaluationContext(decoder))
    with pytest.raises(InputError, match="rate"):
        make("masked_accuracy", corpus=corpus, rate=1.5)


def test_rows_are_padded_little() -> None:
    lengths = [3, 50, 4, 49, 5, 48, 0, 0]
    groups = [group.tolist() for group in encoding.batches(lengths, 100)]
    assert groups == [[1, 3], [5], [4, 2], [0], [6, 7]]
    assert list(encoding.batches([], 100)) == []
