"""Alignments of words: links from a plain forward pass, error rates by counting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, TaskResult
from seedbed.models.alignment import agreed, transport
from seedbed.models.artifact import Model
from seedbed.worlds.translate import word_places

PAIRS = [
    ("the gull sees the owl .", "the owl sees a heron .", [[0, 0], [1, 3], [2, 2], [4, 1]]),
    ("the heron wakes", "a robin wakes by the roof", [[2, 2], [0, 4]]),
    ("a crow .", "the crow hears .", [[1, 1]]),
]


def record(first: str, second: str, links: list[list[int]]) -> dict[str, Any]:
    places = {"first_words": word_places(first), "second_words": word_places(second)}
    return {"first": first, "second": second, **places, "links": links}


def asked(folder: Path, model: Model, **parameters: Any) -> TaskResult:
    folder.mkdir(exist_ok=True)
    for part, pairs in (("train", PAIRS[:1]), ("test", PAIRS)):
        (folder / f"{part}.jsonl").write_text("\n".join(json.dumps(record(*pair)) for pair in pairs))
    task: Any = tasks.get("alignment").target(Source(folder), **parameters)
    result: TaskResult = task.run(EvaluationContext(model, seeds=1))
    return result


def test_links_equal_those_of_a_plain_forward_pass(encoder: Model, tmp_path: Path) -> None:
    result = asked(tmp_path / "data", encoder)
    assert [run.system for run in result.runs] == ["model", "untrained", "diagonal"]
    run, tokenizer = result.runs[0], encoder.tokenizer().load()
    network, vocabulary = EvaluationContext(encoder).trained, EvaluationContext(encoder).vocabulary
    said = dict(zip(run.items.truth, run.items.prediction, strict=True))
    totals = [0, 0, 0]
    for first, second, links in PAIRS:
        words, sides, ids = [-1], [-1], [vocabulary.cls]
        for number, text in enumerate((first, second)):
            encoding = tokenizer.encode(text, add_special_tokens=False)
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
                inside = [n for n, (begin, stop) in enumerate(word_places(text)) if start < stop and end > begin]
                words.append(inside[0] if inside else -1)
                sides.append(number)
                ids.append(token)
            words, sides, ids = [*words, -1], [*sides, -1], [*ids, vocabulary.sep]
        with torch.no_grad():
            side = torch.tensor([sides])
            label = agreed(transport(network.hidden(torch.tensor([ids])), side, 10.0, 5), side)[0][0].tolist()
        found = {(words[i], words[j]) for i, j in enumerate(label) if sides[i] == 0 and j >= 0}
        found = {link for link in found if min(link) >= 0}
        sure = {(one, other) for one, other in links}
        assert said[str(sorted(sure))] == str(sorted(found))
        totals = [totals[0] + len(found), totals[1] + len(sure), totals[2] + len(found & sure)]
    assert run.measures["aer"].value == pytest.approx(1 - 2 * totals[2] / (totals[0] + totals[1]))
    diagonal = result.runs[2].measures
    assert diagonal["precision"].value == 4 / (5 + 3 + 2) and diagonal["recall"].value == 4 / 7
    assert result.counts == {"pairs": 3, "left_out": 0}


def test_what_does_not_fit_is_left_out(encoder: Model, tmp_path: Path) -> None:
    assert asked(tmp_path / "data", encoder, max_length=14).counts == {"pairs": 2, "left_out": 1}
    with pytest.raises(InputError, match="no pair of texts fits"):
        asked(tmp_path / "data", encoder, max_length=6)
