"""The step `evaluate`: what it writes, what it says, what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate.artifact import Scores
from seedbed.evaluate.step import evaluate, pretraining_corpora
from seedbed.evaluate.suite.masked_accuracy import MaskedAccuracy
from seedbed.evaluate.summary import difference_of, interval_of
from seedbed.evaluate.task import EvaluationContext, Items, Measure, SystemRun, TaskResult
from seedbed.models.artifact import Model


@dataclass
class Made:
    """A task with results made by hand."""

    runs: list[SystemRun]
    name: str = "made"

    def run(self, context: EvaluationContext) -> TaskResult:
        return TaskResult(self.runs, {"accuracy": True}, [("i0", "some words")], {"test": 4}, ["mind the gap"])


def made_run(system: str, seed: int | None, right: list[int]) -> SystemRun:
    items = Items([f"i{n}" for n in range(len(right))], ["a"] * len(right), ["a" if r else "b" for r in right], right)
    return SystemRun(system, seed, {"accuracy": Measure(np.array(right), np.ones(len(right)))}, items)


def run_step(folder: Path, **parameters: Any) -> tuple[Scores, StepContext, list[str]]:
    said: list[str] = []
    folder.mkdir()
    context = StepContext(folder, "scores", {}, say=said.append)
    evaluate.function(context, **parameters)
    return Scores(folder), context, said


def test_what_it_writes(encoder: Model, corpus: Corpus, tmp_path: Path) -> None:
    runs = [
        made_run("model", 0, [1, 1, 1, 0]),
        made_run("model", 1, [1, 1, 1, 1]),
        made_run("majority", None, [1, 0, 0, 0]),
    ]
    scores, context, said = run_step(tmp_path / "s", model=encoder, tasks=[Made(runs)], against=[corpus])
    assert scores.rows() == [
        {"task": "made", "system": "model", "metric": "accuracy", "seed": 0, "value": 0.75},
        {"task": "made", "system": "model", "metric": "accuracy", "seed": 1, "value": 1.0},
        {"task": "made", "system": "majority", "metric": "accuracy", "seed": -1, "value": 0.25},
    ]
    summary = scores.summary()["made"]
    model = summary["systems"]["model"]["accuracy"]
    assert model["mean"] == 0.875 and model["seeds"] == 2 and "Student's t over 2 seeds" in model["interval"]
    assert model["low"] == pytest.approx(0.875 - 12.7062 * 0.125, abs=1e-3)
    majority = summary["systems"]["majority"]["accuracy"]
    assert majority["seeds"] == 0 and "bootstrap over 4 units" in majority["interval"]
    assert summary["model_minus"]["majority"]["accuracy"]["mean"] == 0.625
    assert summary["metrics"] == {"accuracy": {"higher_is_better": True}}
    assert scores.value("made", "accuracy") == 0.875 and scores.values("made", "accuracy") == {0: 0.75, 1: 1.0}
    assert scores.table()[1] == ("made", "majority", "accuracy", "0.250", "[0.000, 0.750]", "-")
    items = scores.items("made")
    assert len(items) == 12 and items[3] == {
        "item": "i3",
        "system": "model",
        "truth": "a",
        "prediction": "b",
        "seed": 0,
        "score": 0.0,
    }
    assert context.counts["scores"] == {"made": {"accuracy": {"model": 0.875, "majority": 0.25}}}
    assert scores.contamination()["tasks"]["made"]["too_short"] == 1
    assert any(line.startswith("  majority") and "0.250 [0.000, 0.750]" in line for line in said)
    assert "  note: mind the gap" in said
    json.loads((tmp_path / "s" / "summary.json").read_text(), parse_constant=pytest.fail)


def test_one_seed_of_what_is_random_is_judged_by_the_test_set() -> None:
    runs = [made_run("model", 0, [1, 1, 0, 1] * 20)]
    assert "bootstrap" in interval_of(runs, "accuracy", 0).method


def test_differences_are_paired() -> None:
    """Two seeds that differ much, and a baseline that is 0.25 below each: the difference is known exactly."""
    model = [made_run("model", 0, [1, 1, 1, 1]), made_run("model", 1, [1, 1, 0, 0])]
    other = [made_run("untrained", 0, [1, 1, 1, 0]), made_run("untrained", 1, [1, 0, 0, 0])]
    found = difference_of(model, other, "accuracy", 0)
    assert (found.mean, found.low, found.high) == (0.25, 0.25, 0.25) and found.excludes_zero
    single = difference_of(model[:1], other, "accuracy", 0)
    assert single.mean == pytest.approx(0.5) and "2 seeds" in single.method
    plain = difference_of(model[:1], other[:1], "accuracy", 0)
    assert plain.mean == 0.25 and "bootstrap" in plain.method


def test_what_it_refuses(encoder: Model, tmp_path: Path) -> None:
    runs = [made_run("model", None, [1])]
    with pytest.raises(InputError, match="two tasks are called 'made'"):
        run_step(tmp_path / "a", model=encoder, tasks=[Made(runs), Made(runs)])
    with pytest.raises(InputError, match="seeds: must be at least 1"):
        run_step(tmp_path / "b", model=encoder, tasks=[Made(runs)], seeds=0)
    with pytest.raises(InputError, match="the list is empty"):
        run_step(tmp_path / "c", model=encoder, tasks=[])
    with pytest.raises(InputError, match="must be of letters"):
        run_step(tmp_path / "d", model=encoder, tasks=[Made(runs, name="../x")])


def test_a_model_from_elsewhere_has_no_known_corpus(encoder: Model, tmp_path: Path) -> None:
    assert pretraining_corpora(encoder) == []
    _, _, said = run_step(tmp_path / "s", model=encoder, tasks=[Made([made_run("model", None, [1, 0])])])
    assert "contamination: no pretraining corpus is known; name some in `against`" in said


def manifest(folder: Path, kind: str, inputs: dict[str, dict[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = {"format": 1, "kind": kind, "fingerprint": folder.name, "files": {}, "inputs": inputs}
    (folder / "manifest.json").write_text(json.dumps(rows))


def test_the_pretraining_corpora_are_found_through_the_manifests(make_corpus, tmp_path: Path) -> None:
    """model <- tokens <- corpus, a model that continues another, and an input that is no longer there; neither the
    corpus that a corpus was made from, whose texts may be held out now, nor the vocabulary's."""
    row = {"fingerprint": "x", "kind": "corpus", "path": "../first"}
    for name in ("first", "second", "raw", "words"):
        made_from = {"read": {**row, "path": "../raw"}} if name == "first" else {}
        manifest(make_corpus(tmp_path / name, {"train": ["a"]}).path, "corpus", made_from)
    manifest(tmp_path / "vocabulary", "tokenizer", {"corpus": {**row, "path": "../words"}})
    tokenizer = {**row, "kind": "tokenizer", "path": "../vocabulary"}
    manifest(tmp_path / "tokens", "tokens", {"corpus": row, "tokenizer": tokenizer})
    manifest(tmp_path / "model", "model", {"data": {**row, "kind": "tokens", "path": "../tokens"}})
    gone = {**row, "path": "../gone"}
    again = {"from": {**row, "kind": "model", "path": "../model"}, "b": {**row, "path": "../second"}, "c": gone}
    manifest(tmp_path / "continued", "model", again)
    import seedbed.data.artifact  # noqa: F401  (registers the kind)

    found = {corpus.path.resolve() for corpus in pretraining_corpora(Model(tmp_path / "continued"))}
    assert found == {(tmp_path / "first").resolve(), (tmp_path / "second").resolve()}


def test_through_the_store_with_a_real_task(encoder: Model, corpus: Corpus, tmp_path: Path) -> None:
    """As a user calls it: components by name, artifacts by path; the second call takes it from the store."""
    import seedbed

    with seedbed.workspace(tmp_path / "runs"):
        parameters: dict[str, Any] = {
            "model": str(encoder.path),
            "tasks": [{"masked_accuracy": {"corpus": str(corpus_artifact(corpus, tmp_path).path)}}],
            "seeds": 2,
        }
        first = seedbed.evaluate(**parameters)
        again = seedbed.evaluate(**parameters)
    assert first.path == again.path and not first.problems(contents=True)
    assert set(first.summary()["masked_accuracy"]["systems"]) == {"model", "untrained", "unigram", "neighbors"}
    assert first.counts["scores"]["masked_accuracy"]["nats"].keys() == {"model", "untrained", "unigram", "neighbors"}


def corpus_artifact(corpus: Corpus, folder: Path) -> Corpus:
    """The corpus with a manifest, as the store keeps one."""
    import shutil

    target = folder / "corpus"
    shutil.copytree(corpus.path, target)
    manifest(target, "corpus", {})
    return Corpus.open(target)


def test_a_tokenizer_that_does_not_fit_the_model_is_named(encoder: Model, corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(encoder.path, folder)
    path = folder / "tokenizer.json"
    description = json.loads(path.read_text())
    size = len(description["model"]["vocab"])
    description["model"]["vocab"] |= {f"more{number}": size + number for number in range(40)}
    path.write_text(json.dumps(description))
    task = MaskedAccuracy(corpus)
    with pytest.raises(InputError, match=f"its tokenizer has {size + 40} tokens, and its embedding only {size} rows"):
        run_step(tmp_path / "s", model=Model.open(folder), tasks=[task])
