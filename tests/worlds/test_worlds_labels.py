"""From a world to scores, and how a task's `data` is read: a step, a path, or a clear error."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_recipe import tiny_steps

from seedbed.core.artifact import Reference
from seedbed.core.errors import InputError
from seedbed.core.schema import parameters_of
from seedbed.core.source import Source
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.labels import Labels
from seedbed.evaluate import tasks
from seedbed.evaluate.records import load_parts
from seedbed.recipe.execute import Workspace, run_plan
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe, parse_recipe
from seedbed.worlds import worlds

TINY: dict[str, Any] = {
    **tiny_steps(
        {"encoder": {"layers": 2, "width": 32, "heads": 2}},
        documents=240,
        test=0.2,
        vocabulary={"size": 500},
        objective="mlm",
        budget="12 steps",
        length=64,
        batch_tokens=512,
        precision="fp32",
    ),
    "entities": {"labels": {"world": "world", "task": "entities", "limit": 150}},
    "relations": {"labels": {"world": "world", "task": "relations", "limit": 150}},
}


def evaluated(*chosen: dict[str, Any]) -> dict[str, Any]:
    return {**TINY, "scores": {"evaluate": {"model": "encoder", "tasks": list(chosen), "seeds": 1}}}


def planned(steps: dict[str, Any], root: Path) -> Any:
    return make_plan(Recipe("worlds", steps, seed=2), Workspace(root).store)


def test_a_recipe_from_a_world_to_scores(tmp_path: Path) -> None:
    few = {"epochs": 2.0, "max_length": 64}
    steps = evaluated(
        {"tokens": {"data": "entities", **few}},
        {"sequences": {"data": "relations", "method": "probe", "max_length": 64}},
    )
    plan = planned(steps, tmp_path)
    assert plan["scores"].inputs["entities"] == Reference("labels", "entities", plan["entities"].fingerprint)
    assert plan.estimate(plan["world"]).counts["kept"]["documents"] == 240
    made = run_plan(plan, say=lambda line: None)
    counts = made["entities"].counts
    assert counts["train"] == 150 and 0 < counts["test"] <= 150
    summary = made["scores"].summary()  # type: ignore[attr-defined]
    assert summary["tokens"]["counts"]["train"] == 150 and set(summary["tokens"]["metrics"]) >= {"span_f1"}
    assert (
        summary["tokens"]["systems"]["word"]["accuracy"]["mean"]
        > summary["tokens"]["systems"]["majority"]["accuracy"]["mean"]
    )
    assert summary["sequences"]["systems"]["tfidf"]["accuracy"]["mean"] > 0.8
    again = run_plan(planned(steps, tmp_path), say=lambda line: None)
    assert again["scores"].path == made["scores"].path
    report = json.loads((made["scores"].path / "contamination.json").read_text())
    assert report["corpora"], "the world is found as what the model was pretrained on"


def test_every_task_takes_labels_and_paths(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "train.jsonl").write_text('{"text": "a", "label": "b"}\n')
    for task in ("tokens", "sequences", "sentences", "retrieval"):
        by_step = planned(evaluated({task: {"data": "entities"}}), tmp_path)["scores"].parameters["tasks"][0]
        assert isinstance(by_step.parameters["data"], Reference)
        by_path = planned(evaluated({task: {"data": str(tmp_path / "own")}}), tmp_path)["scores"].parameters["tasks"][0]
        assert isinstance(by_path.parameters["data"], Source)
        by_glob = planned(evaluated({task: {"data": str(tmp_path / "own" / "*.jsonl")}}), tmp_path)["scores"]
        assert isinstance(by_glob.parameters["tasks"][0].parameters["data"], Source)
        assert isinstance(tasks.create(task, data=str(tmp_path / "own")).data, Source)  # outside of a plan


def test_training_and_test_data_of_two_languages(facts: Corpus, run: Any, helpers: Any, tmp_path: Path) -> None:
    """Of Labels given as `test` the test part counts, of those given as `data` the training part; of files all."""
    other = run("generate", world={"cipher": {"corpus": facts}}, split={"test": 0.2}, seed=5)
    one, two = (run("labels", world=world, task="types", limit=40) for world in (facts, other))
    columns: dict[str, type] = {"text": str, "label": str}
    train, test = load_parts(one, two, 0.2, columns, str)
    assert train == helpers.rows(one.path / "train.jsonl") and test == helpers.rows(two.path / "test.jsonl")
    train, test = load_parts(Source(one.path), two, 0.2, columns, str)
    assert len(train) == 80 and len(test) == 40
    assert [len(part) for part in load_parts(one, None, 0.2, columns, str)] == [40, 40]
    steps = evaluated({"tokens": {"data": "entities", "test": "entities"}})
    parameters = planned(steps, tmp_path)["scores"].parameters["tasks"][0].parameters
    assert isinstance(parameters["test"], Reference)


def test_a_step_is_preferred_to_a_folder_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "a.jsonl").write_text("{}\n")
    data = (
        planned(evaluated({"tokens": {"data": "entities"}}), tmp_path)["scores"]
        .parameters["tasks"][0]
        .parameters["data"]
    )
    assert isinstance(data, Reference)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("entitees", "'entitees' is neither an earlier step nor a folder, and no file has this path"),
        ("scores", "'scores' stands later in the recipe, and no file has this path"),
        ("world", "is a corpus, but a labels is wanted"),
        (3, "expected a labels: an earlier step's name, or a path"),
    ],
)
def test_what_is_neither_is_said(data: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        planned(evaluated({"tokens": {"data": data}}), tmp_path)
    assert said in str(caught.value) and caught.value.key == "scores.evaluate.tasks.0.tokens.data"


def test_what_is_wrong_with_a_step_is_not_said_of_its_name(tmp_path: Path) -> None:
    """A step that is planned for another one's sake keeps its own error: it is no word on files."""
    steps = {**evaluated({"tokens": {"data": "entities"}}), "entities": {"labels": {"world": "world", "limit": "many"}}}
    with pytest.raises(InputError) as caught:
        make_plan(Recipe("worlds", steps, seed=2), Workspace(tmp_path).store, ["scores"])
    assert caught.value.key.startswith("entities.labels") and "no file has this path" not in str(caught.value)


def test_labels_from_python(facts: Corpus, run: Any, helpers: Any) -> None:
    labels = run("labels", world=facts, task="types", limit=30)
    assert isinstance(labels, Labels) and labels.counts == {"train": 30, "test": 30, "task": "sequences"}
    assert run("labels", world=facts, task="types", limit=30) == labels
    ids = {record["id"] for record in helpers.rows(labels.path / "test.jsonl")}
    assert ids <= set(helpers.texts_of(facts, "test"))
    other = run("labels", world=facts, task="types", limit=30, seed=9)
    assert ids != {record["id"] for record in helpers.rows(other.path / "test.jsonl")}
    task = tasks.parse({"sequences": {"data": labels}})
    assert task.parameters["data"].kind == "labels"


def test_without_a_test_split_there_are_no_labels(run: Any) -> None:
    corpus = run("generate", world={"domains": {"documents": 20}}, split={})
    with pytest.raises(InputError, match="its test documents give no record of 'skills'"):
        run("labels", world=corpus, task="skills")


def test_generate_says_what_is_wrong(run: Any) -> None:
    with pytest.raises(InputError, match="split"):
        run("generate", world="facts", split={"test": 1.5})
    with pytest.raises(InputError, match="documents"):
        run("generate", world={"facts": {"documents": -1}})
    with pytest.raises(InputError, match="split_by"):
        run("generate", world={"facts": {"documents": 20}}, split_by="metadata.nothing")


def test_the_page_about_worlds_is_right(tmp_path: Path, helpers: Any) -> None:
    page = (Path(__file__).parents[2] / "docs" / "worlds.md").read_text(encoding="utf8")
    blocks = [
        re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in re.findall(r"\n\n((?:    .*\n|\n(?=    ))+)", page)
    ]
    recipe = next(parse_recipe(yaml.safe_load(block)) for block in blocks if block.startswith("name:"))
    steps = next(yaml.safe_load(block) for block in blocks if block.startswith("world:"))
    for whole in (recipe, Recipe("worlds", steps)):
        assert len(list(make_plan(whole, Workspace(tmp_path).store))) >= len(whole.steps)
    text = next(block for block in blocks if block.startswith("Kabredak Society"))
    documents, _ = helpers.made("facts", documents=120, seed=17)
    assert documents["facts-0000015-0000"].text == text.strip()
    source, *translated = (
        line.split("   ")[0] for line in next(b for b in blocks if b.startswith("No gipol")).splitlines()
    )
    options: list[dict[str, Any]] = [{}, {"order": "swap", "script": "cyrillic"}]
    said = [worlds.create("cipher", morphology=True, **given).translator().text(source) for given in options]
    assert said == translated
    assert all(f"`{parameter.name}`" in page for entry in worlds for parameter in parameters_of(entry.target))
