"""sequences, tokens, sentences: they learn what can be learned, count what is right, and say what is wrong."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import finetuning, tasks
from seedbed.evaluate.classification import class_measures
from seedbed.evaluate.task import EvaluationContext, SystemRun, Task, TaskResult
from seedbed.models.artifact import Model
from seedbed.models.encoding import Coder

BIRDS = ["gull", "owl", "crow", "wren"]
VERBS = ["sees", "feeds"]


def make(name: str, **parameters: Any) -> Task:
    return tasks.get(name).target(**parameters)  # type: ignore[no-any-return]


def run_of(result: TaskResult, system: str) -> SystemRun:
    return next(run for run in result.runs if run.system == system)


def value(result: TaskResult, system: str, metric: str) -> float:
    return run_of(result, system).measures[metric].value


def write(path: Path, records: list[dict[str, Any]]) -> Source:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return Source(path)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The label is whether an owl is there: every system but `majority` can see it."""
    draw = random.Random(0)
    records = []
    for number in range(240):
        owl = number % 3 == 0
        words = ["the", draw.choice(VERBS), "by", draw.choice(["roof", "river", "wall"]), str(number)]
        words.insert(draw.randrange(4), "owl" if owl else draw.choice(["gull", "crow", "wren"]))
        records.append({"id": f"t{number}", "text": " ".join(words), "label": "owl" if owl else "none"})
    return write(tmp_path_factory.mktemp("texts") / "all.jsonl", records)


@pytest.mark.parametrize("method", ["finetune", "probe"])
def test_sequences(encoder: Model, texts: Source, method: str) -> None:
    task = make("sequences", data=texts, method=method, epochs=6.0, lr=3e-3, batch_size=16)
    result = task.run(EvaluationContext(encoder, seeds=2))
    systems = [(run.system, run.seed) for run in result.runs]
    model = [("model", 0), ("model", 1)] if method == "finetune" else [("model", None)]
    assert systems == [*model, ("untrained", 0), ("untrained", 1), ("majority", None), ("tfidf", None)]
    majority = value(result, "majority", "accuracy")
    assert 0.5 < majority < 0.8
    assert value(result, "model", "accuracy") > 0.9 > majority
    assert value(result, "tfidf", "accuracy") > 0.95
    assert result.counts["train"] + result.counts["test"] == 240 and result.counts["truncated_tokens"] == 0
    items = run_of(result, "model").items
    assert np.mean(items.score) == pytest.approx(value(result, "model", "accuracy"))
    macro = f1_score(items.truth, items.prediction, average="macro")
    assert value(result, "model", "macro_f1") == pytest.approx(macro)


def test_fine_tuning_is_deterministic_and_differs_by_seed(encoder: Model, texts: Source) -> None:
    rows = Coder.of(encoder.tokenizer(), 32).text_rows(["the owl sees", "a gull by the wall", "x"] * 5)
    labels = np.arange(15) % 3
    context = EvaluationContext(encoder)
    training = finetuning.Training(epochs=2, batch_size=4, lr=1e-3)

    def logits(seed: int) -> np.ndarray:
        network = context.network("model", 0)
        found = finetuning.finetune(network, rows, labels, 3, training=training, seed=seed, pad=0)
        return found.predict(rows, 15)

    assert (logits(0) == logits(0)).all()
    assert (logits(0) != logits(1)).any()
    before = context.model.network()
    for (name, one), two in zip(before.named_parameters(), context.trained.parameters(), strict=True):
        assert (one == two).all(), name  # the model itself is not changed


def test_predictions_do_not_depend_on_batches(encoder: Model, texts: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make("sequences", data=texts, method="probe", max_test=20)
    large = task.run(EvaluationContext(encoder, seeds=1))
    monkeypatch.setattr(finetuning, "MAX_TOKENS", 16)
    small = task.run(EvaluationContext(encoder, seeds=1))
    for one, two in zip(large.runs, small.runs, strict=True):
        assert one.items.prediction == two.items.prediction


def test_epochs_have_every_row_once_and_little_padding() -> None:
    lengths = np.random.default_rng(0).integers(5, 200, 1000)
    order = finetuning.epoch_batches(lengths, 16, seed=3, epoch=0)
    assert sorted(np.concatenate(order)) == list(range(1000))
    padded = sum(len(batch) * lengths[batch].max() for batch in order)
    assert padded / lengths.sum() < 1.05
    other = finetuning.epoch_batches(lengths, 16, seed=3, epoch=1)
    assert any((a != b).any() for a, b in zip(order, other, strict=True) if len(a) == len(b))


def test_learning_rate_factor() -> None:
    training = finetuning.Training(warmup=0.1)
    factors = [training.factor(step, 100) for step in range(100)]
    assert factors[0] == pytest.approx(0.1) and max(factors) == 1.0 and factors[-1] == pytest.approx(1 / 91)
    assert sorted(factors[9:], reverse=True) == factors[9:]
    assert training.factor(0, 1) == 1.0


def test_long_texts_are_cut_and_counted(encoder: Model, tmp_path: Path) -> None:
    records = [{"text": "owl " * 100 + str(n), "label": n % 2} for n in range(20)]
    result = make("sequences", data=write(tmp_path / "a.jsonl", records), method="probe", max_length=32).run(
        EvaluationContext(encoder, seeds=1, baselines=False)
    )
    tokenizer = encoder.tokenizer().load()
    wanted = sum(len(tokenizer.encode(r["text"], add_special_tokens=False).ids) - 30 for r in records)
    assert result.counts["truncated_tokens"] == wanted


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A bird is an agent before the verb and a patient after it, of one or two words."""
    draw = random.Random(1)
    records = []
    for number in range(260):
        tokens, tags = [], []
        for role in ("A", "P"):
            bird = [draw.choice(BIRDS), *(["finch"] if draw.random() < 0.3 else [])]
            tokens += ["the", *bird, *([draw.choice(VERBS)] if role == "A" else [])]
            tags += ["O", f"B-{role}", *[f"I-{role}"] * (len(bird) - 1), *(["O"] if role == "A" else [])]
        records.append({"id": f"s{number}", "tokens": [*tokens, f"x{number}"], "tags": [*tags, "O"]})
    return write(tmp_path_factory.mktemp("tagged") / "all.jsonl", records)


def test_tokens_learn_from_context_what_words_do_not_tell(encoder: Model, tagged: Source) -> None:
    result = make("tokens", data=tagged, epochs=12.0, lr=3e-3, batch_size=16).run(EvaluationContext(encoder, seeds=1))
    assert list(result.higher_is_better) == ["span_f1", "span_precision", "span_recall", "accuracy"]
    assert value(result, "majority", "span_f1") == 0.0
    assert 0.2 < value(result, "word", "span_f1") < 0.8
    assert value(result, "model", "span_f1") > 0.9
    assert result.counts["words_without_token"] == 0
    items = run_of(result, "model").items
    assert len(items.item) == result.counts["test_words"] and items.item[0].split(":")[1] == "0"


def test_tokens_score_spans_as_seqeval_defines_them(encoder: Model, tmp_path: Path) -> None:
    """The `word` baseline on a test sentence worked by hand: x and y are B-X, z is I-X, u is O."""
    train = [{"tokens": ["x", "z", "u"], "tags": ["B-X", "I-X", "O"]}, {"tokens": ["y", "u"], "tags": ["B-X", "O"]}]
    test = [{"tokens": ["x", "z", "u", "y"], "tags": ["B-X", "O", "B-X", "B-X"]}]
    parts = {"data": write(tmp_path / "a.jsonl", train), "test": write(tmp_path / "b.jsonl", test)}
    result = make("tokens", **parts, method="probe").run(EvaluationContext(encoder, seeds=1))
    found = {metric: value(result, "word", metric) for metric in result.higher_is_better}
    assert found == pytest.approx({"span_precision": 1 / 2, "span_recall": 1 / 3, "span_f1": 2 / 5, "accuracy": 2 / 4})


def test_other_tags_are_scored_by_class(encoder: Model, tmp_path: Path) -> None:
    records = [{"tokens": ["the", "owl", str(n)], "tags": ["D", "N", "C"]} for n in range(20)]
    data = write(tmp_path / "a.jsonl", records)
    result = make("tokens", data=data, method="probe").run(EvaluationContext(encoder, seeds=1))
    assert list(result.higher_is_better) == ["accuracy", "macro_f1"]
    assert value(result, "model", "accuracy") == 1.0


def test_words_meet_their_sub_tokens(encoder: Model, decoder: Model) -> None:
    text = "the heronish owl by xyzzy"
    words = [(0, 3), (4, 12), (13, 16), (17, 19), (20, 25)]
    for model, last in ((encoder, False), (decoder, True), (decoder, False)):
        coder = Coder.of(model.tokenizer(), 64)
        offsets = coder.encode([text])[0].offsets
        (row,) = coder.word_rows([text], [words], last=last)
        for (start, end), (column, after) in zip(words, row.spans_S2, strict=True):
            token = offsets[column - len(coder.prefix)]
            assert after == column + 1
            touching = [index for index, (a, b) in enumerate(offsets) if a < end and b > start]
            assert offsets.index(token) == touching[-1 if last else 0]


def test_long_texts_of_words_become_several_rows(encoder: Model) -> None:
    coder = Coder.of(encoder.tokenizer(), 12)
    text = " ".join(["owl"] * 25)
    places = [(4 * n, 4 * n + 3) for n in range(25)]
    rows = coder.word_rows(["gull", text], [[(0, 4)], places])
    assert [len(row.ids) for row in rows] == [3, 12, 12, 7]
    assert np.concatenate([row.items_S for row in rows]).tolist() == list(range(26))


@pytest.fixture(scope="module")
def abstracts(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """The first sentence is the background, whatever it says; of the others an owl makes a result."""
    draw = random.Random(2)
    records = []
    for number in range(80):
        sentences = [f"the {draw.choice(BIRDS)} {draw.choice(VERBS)} {number}" for _ in range(draw.randrange(2, 7))]
        labels = ["first", *("owl" if "owl" in sentence else "other" for sentence in sentences[1:])]
        records.append({"id": f"d{number}", "sentences": sentences, "labels": labels})
    return write(tmp_path_factory.mktemp("abstracts") / "all.jsonl", records)


@pytest.mark.parametrize("pooling", ["mean", "separator"])
def test_sentences_are_read_in_their_context(encoder: Model, abstracts: Source, pooling: str) -> None:
    task = make("sentences", data=abstracts, pooling=pooling, epochs=15.0, lr=3e-3, batch_size=8)
    result = task.run(EvaluationContext(encoder, seeds=1))
    # The bound allows for other machines: over vocabularies in other orders such a tiny training gave 0.87 to 1.0.
    assert value(result, "model", "accuracy") > max(0.8, value(result, "tfidf", "accuracy"))
    model = run_of(result, "model")
    assert len(model.measures["accuracy"].denominators_UK) == result.counts["test"]  # units are documents
    assert len(model.items.item) == result.counts["test_sentences"]


def test_sentences_are_packed_whole(encoder: Model, abstracts: Source) -> None:
    """Rows of at most 16 tokens: every sentence once, its span its own tokens, or its separator."""
    vocabulary = encoder.tokenizer().vocabulary()
    records = [{"sentences": ["the owl", "the gull sees", "owl " * 40, "crow"], "labels": ["a"] * 4}]
    coder = Coder.of(encoder.tokenizer(), 16)
    for pooling in ("mean", "separator"):
        task: Any = make("sentences", data=abstracts, pooling=pooling)
        rows = task._rows(coder, records, vocabulary.sep)
        assert np.concatenate([row.items_S for row in rows]).tolist() == [0, 1, 2, 3]
        spans = [[row.ids[a:b] for a, b in row.spans_S2] for row in rows]
        words = [[[vocabulary.tokens[token] for token in span] for span in row] for row in spans]
        if pooling == "mean":
            assert words[0] == [["the", "owl"], ["the", "gull", "sees"]]
        else:
            assert words == [[["[SEP]"]] * 2, [["[SEP]"]], [["[SEP]"]]]
        assert max(len(row.ids) for row in rows) <= 16
        for row in rows:
            assert row.ids[0] == vocabulary.cls and row.ids[-1] == vocabulary.sep != row.ids[-2]
    assert coder.truncated == 2 * (40 - 13)


def test_errors(encoder: Model, tmp_path: Path) -> None:
    context = EvaluationContext(encoder, seeds=1)
    data = write(tmp_path / "train.jsonl", [{"text": "a", "label": n % 2} for n in range(6)])
    other = write(tmp_path / "new.jsonl", [{"text": "b", "label": 7}])
    with pytest.raises(InputError, match="labels that the training part has not: 7"):
        make("sequences", data=data, test=other).run(context)
    with pytest.raises(InputError, match="has no column 'body'"):
        make("sequences", data=data, test=data, text="body").run(context)
    with pytest.raises(InputError, match="lr: must be positive"):
        make("sequences", data=data, lr=0.0)
    broken = write(tmp_path / "broken.jsonl", [{"tokens": ["a", "b"], "tags": ["O"]}, {"tokens": ["a"], "tags": ["X"]}])
    with pytest.raises(InputError, match="tags: has 1 entries for 2 tokens"):
        make("tokens", data=broken, test=broken).run(context)
    uneven = write(tmp_path / "uneven.jsonl", [{"sentences": ["a", "b"], "labels": ["x"]}])
    with pytest.raises(InputError, match="labels: has 1 entries for 2 sentences"):
        make("sentences", data=uneven, test=uneven).run(context)


def test_class_measures_are_by_unit() -> None:
    truth, said, unit = np.array([0, 1, 1, 2]), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    found = class_measures(truth, said, unit, 4)
    assert found["accuracy"].numerators_UK.tolist() == [[2], [0]]
    assert found["accuracy"].value == 0.5
    assert found["macro_f1"].value == pytest.approx(f1_score(truth, said, average="macro"))


def test_python_token_types(encoder: Model, decoder: Model, python_corpus: Corpus) -> None:
    for model in (encoder, decoder):
        task = make("python_token_types", corpus=python_corpus, epochs=3.0, lr=3e-3, batch_size=8, max_length=64)
        result = task.run(EvaluationContext(model, seeds=1))
        assert result.counts["test_documents_not_parsed"] == 1 and result.counts["test"] == 16
        assert value(result, "majority", "accuracy") < value(result, "word", "accuracy") < 1.0
        assert value(result, "model", "accuracy") > 0.85
        items = run_of(result, "word").items
        assert {"keyword", "builtin", "function", "parameter", "attribute", "string", "comment"} <= set(items.truth)


def test_python_tasks_need_python(encoder: Model, corpus: Corpus) -> None:
    with pytest.raises(InputError, match="is Python source that parses"):
        make("python_token_types", corpus=corpus).run(EvaluationContext(encoder))
    with pytest.raises(InputError, match="functions with docstrings"):
        make("docstring_retrieval", corpus=corpus).run(EvaluationContext(encoder))
