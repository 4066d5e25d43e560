"""The biomedical recipes on files of the layout that docs/biomedical.md states: they plan, and the study is fair."""

from __future__ import annotations

import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.store import Store
from seedbed.evaluate.records import label_numbers, load_parts
from seedbed.recipe.plan import Plan, make_plan
from seedbed.recipe.recipe import Recipe, load_recipe

ROOT = Path(__file__).parent.parent.parent
RECIPES = {
    "biomedical": ROOT / "recipes" / "biomedical.yaml",
    "study": ROOT / "src" / "seedbed" / "papers" / "studies" / "recipes" / "biomedical.yaml",
}
TAGGED = {"tokens": ["a", "b"], "tags": ["O", "B-X"]}
LABELED = {"text": "a b", "label": "x"}
LAYOUT: dict[str, dict[str, Any]] = {
    "rct-fulltext/train.jsonl.xz": {"id": "PMC1", "text": "a b"},
    "medquad/qa.jsonl.xz": {"id": "1-1", "question": "a", "answer": "b", "focus": "c"},
    "wiki-schools/articles.jsonl.xz": {"id": "a", "text": "a b"},
    "textbooks/sections.jsonl.xz": {"id": "a", "text": "a b"},
    "novels-eng/train.jsonl.xz": {"id": "a", "text": "a b"},
    **{
        f"bio-ner/{name}/{part}.jsonl.xz": TAGGED
        for name in ("BC5CDR", "NCBI-disease", "BC2GM", "JNLPBA", "linnaeus", "GENIA-pos")
        for part in ("train", "test")
    },
    **{
        f"{name}/{part}.jsonl.xz": LABELED
        for name in ("rct-sections", "sci-text/chemprot")
        for part in ("train", "test")
    },
    **{
        f"pubmedqa/{part}.jsonl.xz": {"id": "1", "question": "a", "contexts": ["b"], "answer": "yes"}
        for part in ("train", "test")
    },
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, record in LAYOUT.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lzma.compress(json.dumps(record).encode()))
    return tmp_path / "data"


def planned(name: str, data: Path, store: Path, *overrides: str) -> tuple[Recipe, Plan]:
    recipe = load_recipe(RECIPES[name]).overridden([f"data={data}", *overrides])
    return recipe, make_plan(recipe, Store(store))


@pytest.mark.parametrize("name", ["biomedical", "study"])
def test_the_recipe_plans(name: str, data: Path, tmp_path: Path) -> None:
    recipe, plan = planned(name, data, tmp_path / "store")
    assert {step.name for step in plan if not step.implicit} == set(recipe.steps)


def test_both_ways_of_the_study_cost_the_same_and_are_asked_the_same(data: Path, tmp_path: Path) -> None:
    _, plan = planned("study", data, tmp_path / "store")
    budgets = {name: plan[name].parameters["budget"] for name in ("general-model", "continued", "scratch")}
    assert {budget.unit for budget in budgets.values()} == {"tokens"}
    assert budgets["general-model"].amount + budgets["continued"].amount == budgets["scratch"].amount
    first, second = (plan[f"{name}-vocabulary"].parameters for name in ("general", "domain"))
    assert {key for key in first if first[key] != second[key]} == {"corpus"}
    first, second = (plan[name].canonical for name in ("continued", "scratch"))
    assert {key for key in first if first[key] != second[key]} == {"model", "tokenizer", "data", "budget"}
    assert plan["scratch"].canonical["model"] == plan["general-model"].canonical["model"]
    way = planned("study", data, tmp_path / "store", "scores.model=continued")[1]["scores"].canonical
    assert {key for key in way if way[key] != plan["scores"].canonical[key]} == {"model"}


def test_another_size_of_the_domain_makes_anew_only_what_depends_on_it(data: Path, tmp_path: Path) -> None:
    plans = [planned("study", data, tmp_path, *given)[1] for given in ((), ("domain-bytes=9",))]
    first, second = ({step.name: step.fingerprint for step in plan if not step.implicit} for plan in plans)
    depending = {name for name in first if first[name] != second[name]}
    assert depending == {"domain", "domain-vocabulary", "continued", "scratch", "scores"}


@pytest.mark.data
@pytest.mark.skipif(
    "SEEDBED_DATA" not in os.environ,
    reason="checks the public data sets themselves (docs/biomedical.md); SEEDBED_DATA names their folder",
)
@pytest.mark.parametrize("name", ["biomedical", "study"])
def test_real_data_have_the_columns_and_labels(name: str, tmp_path: Path) -> None:
    _, plan = planned(name, Path(os.environ["SEEDBED_DATA"]), tmp_path / "store")
    components = [c for step in plan if step.step.name == "evaluate" for c in step.parameters["tasks"]]
    labeled = [component for component in components if "data" in component.parameters]
    assert len(labeled) == len(components) - (name == "biomedical")  # its masked accuracy reads the corpus
    for component in labeled:
        given = component.parameters
        columns = [given[key] for key in ("tokens", "tags", "text", "first", "second", "label") if key in given]
        parts = load_parts(given["data"], None, 0.2, dict.fromkeys(columns, object), str)
        column = given.get("tags") or given["label"]
        values = [[value for record in part for value in _listed(record[column])] for part in parts]
        assert len(label_numbers(*values, column)) >= 2


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
