"""pairs: two texts read together, cut fairly, and scored as single texts are."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.evaluate import tasks
from seedbed.evaluate.suite.pairs import shared_room
from seedbed.evaluate.task import EvaluationContext, TaskResult
from seedbed.models.artifact import Model
from seedbed.models.encoding import Coder

BIRDS = ["gull", "owl", "crow", "wren"]


def make(**parameters: Any) -> Any:
    return tasks.get("pairs").target(**parameters)


def write(path: Path, records: list[dict[str, Any]]) -> Source:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return Source(path)


def accuracy(result: TaskResult, system: str) -> float:
    return next(run for run in result.runs if run.system == system).measures["accuracy"].value


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Whether the bird of the question is seen in the passage: neither text alone tells."""
    draw = random.Random(0)
    records = []
    for number in range(400):
        seen, asked = draw.sample(BIRDS, 2)
        asked = seen if number % 2 else asked
        passage = [f"{number} by the wall", f"sees the {seen}"]
        records.append({"id": f"q{number}", "question": f"the {asked}", "passage": passage, "answer": number % 2})
    return write(tmp_path_factory.mktemp("questions") / "all.jsonl", records)


def test_both_texts_are_read_together(encoder: Model, questions: Source) -> None:
    columns = {"first": "question", "second": "passage", "label": "answer"}
    task = make(data=questions, **columns, epochs=6.0, lr=3e-3, batch_size=16)
    result = task.run(EvaluationContext(encoder, seeds=1))
    assert {run.system for run in result.runs} == {"model", "untrained", "majority", "tfidf"}
    assert accuracy(result, "model") > 0.9 and accuracy(result, "majority") < 0.65
    assert list(result.higher_is_better) == ["accuracy", "macro_f1"]
    assert result.counts["train"] + result.counts["test"] == 400 and result.counts["truncated_tokens"] == 0
    name, text = result.test_texts[0]
    assert name.startswith("q") and text.endswith(tuple(BIRDS)) and " by the wall sees the " in text


@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_rows_are_bert_s(encoder: Model, questions: Source, pooling: str) -> None:
    vocabulary = encoder.tokenizer().vocabulary()
    coder = Coder.of(encoder.tokenizer(), 10)
    records = [{"first": "the owl", "second": ["the", "wall"]}, {"first": "owl " * 9, "second": "gull " * 2}]
    rows = make(data=questions, pooling=pooling)._rows(coder, records, vocabulary.sep)
    words = [[vocabulary.tokens[token] for token in row.ids] for row in rows]
    assert words[0] == ["[CLS]", "the", "owl", "[SEP]", "the", "wall", "[SEP]"]
    assert words[1] == ["[CLS]", *["owl"] * 5, "[SEP]", "gull", "gull", "[SEP]"]
    assert coder.truncated == 4
    ends = [{"mean": [0, len(row.ids)], "first": [0, 1], "last": [len(row.ids) - 1, len(row.ids)]} for row in rows]
    assert [row.spans_S2.tolist() for row in rows] == [[end[pooling]] for end in ends]
    assert [row.items_S.tolist() for row in rows] == [[0], [1]]


def test_a_causal_model_has_a_separator_too(decoder: Model, questions: Source) -> None:
    vocabulary = decoder.tokenizer().vocabulary()
    coder = Coder.of(decoder.tokenizer(), 32)
    (row,) = make(data=questions)._rows(coder, [{"first": "owl", "second": "wall"}], vocabulary.eos)
    middle = row.ids.index(vocabulary.eos)
    assert coder.tokenizer.decode(row.ids[:middle]) == "owl" and coder.tokenizer.decode(row.ids[middle:]) == "wall"


def test_a_pair_of_which_no_token_remains_is_an_error(decoder: Model, questions: Source) -> None:
    coder = Coder(Coder.of(decoder.tokenizer(), 32).tokenizer, [], [], 32)
    with pytest.raises(InputError, match="holds no token of the model's vocabulary"):
        make(data=questions)._rows(coder, [{"first": "", "second": ""}], None)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60))
def test_the_longer_one_is_cut(first: int, second: int, room: int) -> None:
    """As BERT's own loop does it: one token at a time, of the longer text."""
    left, right = first, second
    while left + right > room:
        if left > right:
            left -= 1
        else:
            right -= 1
    assert shared_room(first, second, room) == (left, right)


def test_errors(encoder: Model, tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", [{"first": 3, "second": "b", "label": n % 2} for n in range(9)])
    with pytest.raises(InputError, match="first: is neither a text nor a list of texts"):
        make(data=data).run(EvaluationContext(encoder, seeds=1))
    with pytest.raises(InputError, match="has no column 'question'"):
        make(data=data, first="question").run(EvaluationContext(encoder, seeds=1))
