"""Plans: what runs, what is taken from the store, what depends on what. With two toy steps."""

from typing import Annotated

import pytest

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError
from seedbed.core.registry import Registry
from seedbed.core.source import Source
from seedbed.core.step import Call, Estimate, StepContext, step
from seedbed.recipe.execute import Workspace, run_recipe, workspace
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import parse_recipe

runs: list[str] = []
spices: Registry = Registry("spice")


@spices.register("salt")
class Salt:
    """Salty."""

    def __init__(self, grams: float = 1.0) -> None:
        self.grams = grams


class Dough(Artifact):
    kind = "test-dough"


class Crumbs(Artifact):
    kind = "test-crumbs"


@step("toy_dough", gives=Dough)
def toy_dough(context: StepContext, *, flour: Source, seed: int = 0) -> None:
    """Read flour."""
    runs.append(context.name)
    (context.folder / "dough.txt").write_text(f"{flour.files[0].read_text()} {seed}")
    context.counts["tokens"] = 7


@step("toy_crumble", gives=Crumbs)
def toy_crumble(context: StepContext, *, dough: Dough) -> None:
    """Crumble."""
    runs.append(context.name)
    context.counts["tokens"] = 5
    (context.folder / "crumbs.txt").write_text((dough.path / "dough.txt").read_text())


@step("toy_bread", gives=Dough, resumable=True)
def toy_bread(
    context: StepContext,
    *,
    crumbs: dict[Crumbs | Dough, float],
    spice: Annotated[Salt, spices] = "salt",
    hot: bool = True,
) -> None:
    """Bake."""
    runs.append(context.name)
    for artifact, weight in crumbs.items():
        assert isinstance(artifact, Crumbs)
        (context.folder / "dough.txt").write_text(
            f"{(artifact.path / 'crumbs.txt').read_text()} {weight} {spice.grams}"
        )


@toy_crumble.estimate
def crumbs_estimate(parameters, counts_of):
    return Estimate(counts={"tokens": 6})


@toy_bread.prepare
def crumble_first(parameters, kind_of):
    crumbs = {
        Call("toy_crumble", {"dough": key}) if kind_of(key) == "test-dough" else key: value
        for key, value in parameters["crumbs"].items()
    }
    return {**parameters, "crumbs": crumbs}


@toy_bread.estimate
def bread_estimate(parameters, counts_of):
    return Estimate(seconds=1.0, tokens=counts_of(next(iter(parameters["crumbs"]))).get("tokens"))


@pytest.fixture
def recipe(tmp_path):
    runs.clear()
    (tmp_path / "flour.txt").write_text("rye")
    return parse_recipe(
        {
            "name": "bakery",
            "seed": 4,
            "steps": {
                "dough": {"toy_dough": {"flour": str(tmp_path / "flour.txt")}},
                "bread": {"toy_bread": {"crumbs": {"dough": 0.5}}},
            },
        }
    )


def test_steps_run_once_and_links_lead_to_results(tmp_path, recipe):
    place = Workspace(tmp_path / "runs")
    made = run_recipe(recipe, place, say=lambda _: None)
    assert runs == ["dough", "toy_crumble(dough)", "bread"]
    assert (made["bread"].path / "dough.txt").read_text() == "rye 4 0.5 1.0"
    assert (tmp_path / "runs" / "bakery" / "bread" / "dough.txt").read_text() == "rye 4 0.5 1.0"
    run_recipe(recipe, place, say=lambda _: None)
    assert len(runs) == 3
    assert {a.kind for a in made["bread"].ancestors()} == {"test-dough", "test-crumbs"}


@pytest.mark.parametrize(
    ("override", "again"),
    [
        ("bread.toy_bread.spice.salt.grams=2", ["bread"]),
        ("bread.toy_bread.crumbs.dough=0.25", ["bread"]),
        ("dough.toy_dough.seed=9", ["dough", "toy_crumble(dough)", "bread"]),
    ],
)
def test_a_change_costs_only_what_depends_on_it(tmp_path, recipe, override, again):
    place = Workspace(tmp_path / "runs")
    run_recipe(recipe, place, say=lambda _: None)
    runs.clear()
    run_recipe(recipe.overridden([override]), place, say=lambda _: None)
    assert runs == again
    runs.clear()
    run_recipe(recipe, place, say=lambda _: None)
    assert runs == []


def test_an_edited_input_file_runs_again(tmp_path, recipe):
    place = Workspace(tmp_path / "runs")
    run_recipe(recipe, place, say=lambda _: None)
    (tmp_path / "flour.txt").write_text("wheat")
    made = run_recipe(recipe, place, say=lambda _: None)
    assert (made["bread"].path / "dough.txt").read_text().startswith("wheat")


def test_rebuild_makes_a_step_and_its_dependents_anew(tmp_path, recipe):
    place = Workspace(tmp_path / "runs")
    run_recipe(recipe, place, say=lambda _: None)
    runs.clear()
    run_recipe(recipe, place, say=lambda _: None, rebuild=["toy_crumble(dough)"])
    assert runs == ["toy_crumble(dough)", "bread"]
    with pytest.raises(InputError, match="unknown step"):
        run_recipe(recipe, place, say=lambda _: None, rebuild=["brad"])


def test_changed_code_under_the_same_version_is_said(tmp_path, recipe, monkeypatch):
    place = Workspace(tmp_path / "runs")
    run_recipe(recipe, place, say=lambda _: None)
    assert not any(planned.code_changed for planned in make_plan(recipe, place.store))
    monkeypatch.setattr("seedbed.recipe.plan.source_digest", lambda targets: "other")
    assert all(planned.code_changed and planned.is_cached for planned in make_plan(recipe, place.store))


def test_estimates_see_what_is_known(tmp_path, recipe):
    place = Workspace(tmp_path / "runs")
    plan = make_plan(recipe, place.store)
    assert plan.estimate(plan["bread"]).duration() == 1.0 and plan.estimate(plan["bread"]).tokens == 6
    run_recipe(recipe, place, say=lambda _: None)
    plan = make_plan(recipe.overridden(["bread.toy_bread.hot=false"]), place.store)
    assert plan.estimate(plan["bread"]).tokens == 5  # what the crumbs' manifest says


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "bread.toy_bread.crumbs={doug: 1.0}",
            ["bread.toy_bread.crumbs", "'doug' is neither an earlier step nor a folder"],
        ),
        ("bread.toy_bread.crumbs={bread: 1.0}", ["stands later in the recipe"]),
        ("bread.toy_bread.hott=1", ["bread.toy_bread.hott", "did you mean 'hot'"]),
        ("bread.toy_bread.spice.salt.gram=1", ["spice.salt.gram", "did you mean 'grams'"]),
        ("dough.toy_dough.flour=nowhere.txt", ["dough.toy_dough.flour", "no file has this path"]),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, recipe, override, words):
    with pytest.raises(InputError) as caught:
        run_recipe(recipe.overridden([override]), Workspace(tmp_path / "runs"), say=lambda _: None)
    for word in words:
        assert word in str(caught.value)
    assert runs == []


def test_a_plan_for_one_step_needs_nothing_of_the_others(tmp_path, recipe):
    recipe.steps["lost"] = {"toy_dough": {"flour": str(tmp_path / "nowhere.txt")}}
    store = Workspace(tmp_path / "runs").store
    with pytest.raises(InputError, match="no file has this path"):
        make_plan(recipe, store)
    last = list(recipe.steps)[-2]
    planned = [planned.name for planned in make_plan(recipe, store, [last])]
    assert planned[-1] == last and "lost" not in planned and len(planned) > 1
    with pytest.raises(InputError, match="unknown step"):
        make_plan(recipe, store, ["loaf"])
    (first,) = recipe.steps[next(iter(recipe.steps))].values()
    first["flavor"] = 1
    with pytest.raises(InputError) as raised:
        make_plan(recipe, store, [last])
    assert raised.value.key == f"{next(iter(recipe.steps))}.toy_dough.flavor"


def test_python_calls_share_the_store_with_recipes(tmp_path, recipe):
    with workspace(tmp_path / "runs") as place:
        run_recipe(recipe, place, say=lambda _: None)
        runs.clear()
        dough = toy_dough(flour=str(tmp_path / "flour.txt"), seed=4)
        assert runs == []
        bread = toy_bread(crumbs={dough: 0.5}, spice=Salt(3.0))
        assert (bread.path / "dough.txt").read_text() == "rye 4 0.5 3.0"


def test_a_path_can_stand_for_a_step(tmp_path, recipe):
    place = Workspace(tmp_path / "runs")
    made = run_recipe(recipe, place, say=lambda _: None)
    other = parse_recipe(
        {"name": "next", "steps": {"crumbs": {"toy_crumble": {"dough": str(tmp_path / "runs" / "bakery" / "dough")}}}}
    )
    again = run_recipe(other, place, say=lambda _: None)
    assert again["crumbs"].ancestors() == [made["dough"]]
    wrong = parse_recipe({"name": "next", "steps": {"crumbs": {"toy_crumble": {"dough": str(again["crumbs"].path)}}}})
    with pytest.raises(InputError, match="is a test-crumbs, but a test-dough is wanted"):
        run_recipe(wrong, place, say=lambda _: None)


def test_an_input_that_changed_after_planning_is_refused(tmp_path, recipe):
    from seedbed.recipe.execute import run_plan

    place = Workspace(tmp_path / "runs")
    made = run_recipe(recipe, place, say=lambda _: None)
    other = parse_recipe({"name": "next", "steps": {"crumbs": {"toy_crumble": {"dough": str(made["dough"].path)}}}})
    plan = make_plan(other, place.store)
    plan.steps[0].artifact = None
    manifest = made["dough"].path / "manifest.json"
    manifest.write_text(manifest.read_text().replace(made["dough"].fingerprint, "0" * 32))
    with pytest.raises(InputError, match="--rebuild"):
        run_plan(plan, say=lambda _: None, rebuild=["crumbs"])
