"""A search from a recipe, from a file, and what it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seedbed.compare.comparison import parse_comparison
from seedbed.compare.run import compare
from seedbed.core.errors import InputError
from seedbed.recipe.execute import Workspace, run_recipe
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import parse_recipe
from seedbed.search import searchers, surfaces
from seedbed.search.driver import Driver
from seedbed.search.evaluation import Evaluation, Outcome, RecipeEvaluation, SurfaceEvaluation
from seedbed.search.file import load_search
from seedbed.search.space import Point, Space
from seedbed.search.surface import Surface

SPACE = {"width": {"between": [1, 9]}, "kind": ["a", "b", "c"]}
STEPS: dict[str, Any] = {
    "world": {"generate": {"world": {"facts": {"documents": 200}}}},
    "vocabulary": {"train_tokenizer": {"corpus": "world", "size": 300}},
    "encoder": {
        "pretrain": {
            "model": {"encoder": {"layers": 2, "width": 32, "heads": 2, "max_length": 32}},
            "tokenizer": "vocabulary",
            "data": {"world": 1.0},
            "budget": "2 steps",
            "length": 16,
            "batch_tokens": 64,
        }
    },
}


class Table(Evaluation):
    """Values by the kind; one of them diverges."""

    higher = None

    def outcome(self, point: Point, repetition: int = 0) -> Outcome:
        self.higher = True
        known = {"a": 1.0, "b": None, "c": 3.0}[point.values["kind"]]
        return Outcome(None if known is None else known + point.values["width"], 10.0, {"tokens": 2.0}, "diverged")


def test_the_best_is_the_largest_where_more_is_better() -> None:
    driver, told = Driver(Space(SPACE), searchers.create("random"), Table(), 3), []
    driver.run(27, None, lambda: told.append(len(driver.outcomes)))
    values = [outcome.value for _, outcome in driver.outcomes]
    assert told == list(range(1, 28)) and values.count(None) == 9
    assert driver.rows()[driver.best or 0]["value"] == 12.0
    known = [value for value in values if value is not None]
    counts = driver.counts([11.0, 12.0])
    assert counts["best"] == 12 and counts["confirmed"] == 11.5 and counts["diverged"] == 9 and counts["tokens"] == 54
    assert counts["best_after"]["20"] == max(value for value in values[:20] if value is not None)
    so_far = [max([v for v in values[: n + 1] if v is not None] or known[:1]) for n in range(27)]
    assert counts["mean_best"] == pytest.approx(sum(so_far) / 27)


def test_effects_add_up_where_nothing_interacts() -> None:
    plain, joint = surfaces.create("effects", interaction=0.0), surfaces.create("effects")
    assert isinstance(plain, Surface)
    at = {tuple(p.values.values()): p for p in Space(SPACE).points()}

    def change(surface: Surface, width: int) -> float:
        return surface.value(at[width, "a"], 5, 0) - surface.value(at[width, "b"], 5, 0)

    assert change(plain, 1) == pytest.approx(change(plain, 7))
    assert change(joint, 1) != pytest.approx(change(joint, 7), abs=1e-3)
    noisy = surfaces.create("effects", noise=1.0, instance=2)
    first, again, other = (noisy.value(at[1, "a"], seed, repetition) for seed, repetition in ((5, 0), (6, 0), (5, 1)))
    assert first == again != other


def test_a_search_of_a_surface_is_a_step(tmp_path: Path) -> None:
    step = {"search": {"space": SPACE, "surface": "effects", "searcher": "tree", "evaluations": 12, "confirm": 1}}
    made = run_recipe(parse_recipe({"steps": {"found": step}}, "r"), Workspace(tmp_path), say=lambda line: None)[
        "found"
    ]
    result = made.result()  # type: ignore[attr-defined]
    assert len(result["points"]) == 12 == made.counts["evaluated"]
    assert made.counts["best"] == min(row["value"] for row in result["points"]) == made.counts["confirmed"]
    longer = Driver(Space(SPACE), searchers.create("tree"), SurfaceEvaluation(surfaces.create("effects"), 0), 0)
    longer.run(20, None, lambda: None)
    assert [row["values"] for row in longer.rows()[:12]] == [row["values"] for row in result["points"]]


def test_a_recipe_is_searched_through_the_store(tmp_path: Path) -> None:
    """By a count of what needs no training; each size is made once, whoever asks."""
    body = {"space": {"vocabulary.size": [280, 300, 320]}, "metric": "vocabulary.size", "evaluations": 9}
    steps = {name: STEPS[name] for name in ("world", "vocabulary")}

    def recipe(**more: Any) -> Any:
        return parse_recipe({"steps": {**steps, "found": {"search": {**body, **more}}}}, "r")

    place = Workspace(tmp_path)
    with pytest.raises(InputError, match="does not say whether more or less is better"):
        run_recipe(recipe(), place, say=lambda line: None, only=["found"])
    made = run_recipe(recipe(goal="least"), place, say=lambda line: None, only=["found"])["found"]
    assert made.counts["best"] == 280 and made.counts["evaluated"] == 3
    assert "size: 280" in (made.path / "best.yaml").read_text()
    before = {path.name for path in place.store.root.glob("train_tokenizer-*")}
    again = run_recipe(recipe(goal="most", seed=1), place, say=lambda line: None, only=["found"])["found"]
    assert again.counts["best"] == 320
    assert {path.name for path in place.store.root.glob("train_tokenizer-*")} == before and len(before) == 3


def test_points_of_wrong_sizes_are_refused_before_they_are_trained(tmp_path: Path) -> None:
    from seedbed.compare.metric import parse_metrics

    recipe = parse_recipe({"steps": STEPS}, "r")
    store, (metric,) = Workspace(tmp_path).store, parse_metrics("encoder.loss")
    space = Space({"encoder.model.encoder.width": [30, 32, 512], "encoder.model.encoder.heads": [2, 4]})
    evaluation = RecipeEvaluation(recipe, metric, store, least=20_000, most=100_000)
    problems = {tuple(point.values.values()): evaluation.problem(point) for point in space.points()}
    assert problems[32, 2] is None and problems[32, 4] is None
    assert "heads" in str(problems[30, 4]) and "max_parameters" in str(problems[512, 2])
    few = RecipeEvaluation(recipe, metric, store, least=1_000_000)
    assert "min_parameters" in str(
        few.problem(next(p for p in space.points() if problems[tuple(p.values.values())] is None))
    )
    driver = Driver(Space({"encoder.model.encoder.width": [512, 768]}), searchers.create("random"), evaluation, 0)
    with pytest.raises(InputError, match="no point of it may be tried"):
        driver.run(3, None, lambda: None)
    assert len(driver.refused) == 2


def test_an_arm_that_searches_costs_what_its_trainings_cost(tmp_path: Path) -> None:
    """All of them, also those that another arm's search has made."""
    found = {
        "search": {"space": {"encoder.optimizer.adamw.lr": [1e-3, 1e-2]}, "metric": "encoder.loss", "goal": "least"}
    }
    content = {
        "recipe": {"steps": {**STEPS, "found": found}},
        "arms": {"one": {"found.search.evaluations": 1}, "two": {"found.search.evaluations": 2}},
        "metric": "found.best",
        "equal": "none",
        "seeds": 1,
    }
    made = parse_comparison(content, tmp_path / "searched.yaml")
    costs = {
        name: arm["cost"] for name, arm in compare(made, Workspace(tmp_path), say=lambda line: None)["arms"].items()
    }
    assert costs["one"]["steps"] == 2 and costs["two"]["steps"] == 4
    assert costs["two"]["flops"] == pytest.approx(2 * costs["one"]["flops"], rel=1e-3)


def test_what_a_search_depends_on_is_in_its_fingerprint(tmp_path: Path) -> None:
    def fingerprint(path: str, value: Any, **body: Any) -> str:
        search = {"space": {"encoder.objective": ["mlm", "crts"]}, "metric": "encoder.loss", **body}
        recipe = parse_recipe({"steps": {**STEPS, "found": {"search": search}}}, "r").overridden({path: value})
        return make_plan(recipe, Workspace(tmp_path).store, ["found"])["found"].fingerprint

    same = fingerprint("vocabulary.size", 300)
    assert same == fingerprint("vocabulary.size", 300)
    assert len({same, fingerprint("vocabulary.size", 290), fingerprint("encoder.clip", 0.5)}) == 3
    other = {"train_tokenizer": {"corpus": "world", "size": 310}}
    steps = {name: STEPS[name] for name in ("world", "vocabulary")} | {"other": other, "encoder": STEPS["encoder"]}
    body = {"space": {"encoder.tokenizer": ["vocabulary", "other"]}, "metric": "encoder.loss"}
    recipe = parse_recipe({"steps": {**steps, "found": {"search": body}}}, "r")
    plans = [
        make_plan(one, Workspace(tmp_path).store, ["found"])["found"]
        for one in (recipe, recipe.overridden({"other.size": 305}))
    ]
    assert set(plans[0].parameters["recipe"]["steps"]) == set(steps)
    assert plans[0].fingerprint != plans[1].fingerprint
    with pytest.raises(InputError, match="unknown"):
        fingerprint("vocabulary.size", 300, space={"encoder.modle": [1, 2]})
    with pytest.raises(InputError, match="unknown step"):
        fingerprint("vocabulary.size", 300, metric="scores.x.y")


def test_a_search_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(json.dumps({"steps": STEPS}))
    file = tmp_path / "widths.yaml"
    given = {"recipe": "recipe.yaml", "space": {"encoder.model.encoder.width": [16, 32]}, "metric": "encoder.loss"}
    file.write_text(json.dumps(given))
    recipe, name = load_search(file, ["encoder.clip=2"], {"evaluations": 2, "seed": None})
    assert name == "widths" and recipe.steps[name]["search"]["evaluations"] == 2
    assert recipe.steps["encoder"]["pretrain"]["clip"] == 2 and "seed" not in recipe.steps[name]["search"]
    file.write_text(json.dumps({**given, "searchr": "tree"}))
    with pytest.raises(InputError, match="did you mean 'searcher'"):
        load_search(file, [], {})
