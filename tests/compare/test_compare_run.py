"""Arms with paired seeds: shared steps once, interruptions, equal cost, and numbers that are the artifacts' own."""

import json
from dataclasses import replace

import pytest
import yaml
from compare_world import comparison

from seedbed.compare import run as run_module
from seedbed.compare.arms import arm_runs, costs_of
from seedbed.compare.forecast import Forecast, forecast
from seedbed.compare.run import compare, foresight
from seedbed.compare.work import jobs_of
from seedbed.core.artifact import open_any
from seedbed.core.errors import InputError
from seedbed.recipe.execute import Workspace


def quiet(line):
    del line


def test_a_forecast_counts_what_is_to_be_made_and_measures_each_size_once(folder, monkeypatch):
    from seedbed.core.step import Estimate

    asked = []

    def measured():
        asked.append(1)
        return 2.5

    estimates = {"pretrain": Estimate(measured, tokens=4000.0), "evaluate": Estimate()}
    monkeypatch.setattr(
        "seedbed.recipe.plan.Plan.estimate", lambda self, planned: estimates.get(planned.step.name, Estimate(1.0))
    )
    rows = forecast(arm_runs(comparison(folder), Workspace(folder / "forecast"), quiet))
    first = Forecast("corpus", "build_corpus", 1, 1, 1.0), Forecast("vocabulary", "train_tokenizer", 1, 1, 1.0)
    assert tuple(rows[:2]) == first and len(asked) == 1
    by_function = {row.function: (row.number, row.estimated, row.seconds) for row in rows}
    assert by_function["pretrain"] == (4, 4, 10.0) and by_function["evaluate"] == (4, 0, 0)


def test_a_comparison_runs_goes_on_and_tells_what_the_artifacts_tell(folder, monkeypatch):
    place = Workspace(folder / "runs")
    made = comparison(folder)
    jobs = jobs_of(arm_runs(made, place, quiet))
    assert [job.step for job in jobs[:3]] == ["corpus", "vocabulary", "tokenize(corpus, vocabulary)"]
    assert len(jobs) == 3 + 2 * 4  # shared steps once, two for each arm and seed, nothing that no metric needs

    written = []
    original = run_module.write_json

    def stop_after_first(path, value):
        original(path, value)
        written.append(value)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "write_json", stop_after_first)
    with pytest.raises(KeyboardInterrupt):
        compare(made, place, say=quiet)
    assert written[0]["seeds"] == [5] and written[0]["verdict"] == "not resolved"
    monkeypatch.setattr(run_module, "write_json", original)
    lines = []
    result = compare(made, place, say=lines.append)
    assert sum(line.startswith("[") for line in lines) == 4  # the second seed only

    assert result == json.loads((folder / "runs" / "comparisons" / "rates.json").read_text())
    assert result["seeds"] == [5, 6] and result["equal"] == "tokens" and result["quick"] is False
    for arm in ("plain", "high"):
        scores = [open_any(place.root / "store" / name) for name in result["arms"][arm]["artifacts"] if "eval" in name]
        own = [artifact.value("masked_accuracy", "nats") for artifact in scores]
        assert result["arms"][arm]["values"]["nats"] == pytest.approx(own, rel=1e-5)
        assert result["arms"][arm]["cost"]["tokens"] == pytest.approx(4000, rel=0.1)
        assert result["arms"][arm]["cost"]["flops"] > 0
        assert len(set(own)) == 2  # seeds differ
    difference = result["differences"][0]["difference"]["mean"]
    values = {arm: result["arms"][arm]["values"]["nats"] for arm in result["arms"]}
    assert difference == pytest.approx(
        sum(h - p for h, p in zip(values["high"], values["plain"], strict=True)) / 2, rel=1e-3
    )
    assert result["metrics"]["nats"]["higher_is_better"] is False
    assert result["contrasts"][0]["outcome"] in ("holds", "fails", "open")
    assert result["arms"]["plain"]["curves"]["encoder"]["tokens"][-1] >= 4000
    assert "seedbed.objectives.mlm" in result["sources"]


def test_side_by_side_gives_the_same_seeds_and_arms(folder):
    one = compare(comparison(folder, seeds=1), Workspace(folder / "one"), say=quiet)
    two = compare(comparison(folder, seeds=1), Workspace(folder / "two"), processes=2, say=quiet)
    assert one["machine"]["cores"] == two["machine"]["cores"]  # the machine's, whatever each process had
    assert two["threads"] == [max(1, one["machine"]["cores"] // 2)]
    for arm in ("plain", "high"):
        assert two["arms"][arm]["values"]["nats"] == pytest.approx(one["arms"][arm]["values"]["nats"], rel=1e-3)


def test_arms_of_unequal_cost_are_refused_or_adjusted(folder):
    arms = {"plain": {}, "wide": {"encoder.model": {"encoder": {"layers": 2, "width": 64, "heads": 2}}}}
    place = Workspace(folder / "runs")
    made = comparison(folder, arms=arms, equal="flops", expect=None)
    with pytest.raises(InputError, match="do not cost the same flops"):
        arm_runs(made, place, quiet)
    made = comparison(folder, arms=arms, equal="flops", adjust="encoder", expect=None)
    lines = []
    runs = arm_runs(made, place, lines.append)
    assert "wide: encoder trains for" in lines[0]
    costs = {run.arm: run.plan.estimate(run.plan["encoder"]).flops for run in runs}
    assert costs["wide"] == pytest.approx(costs["plain"], rel=0.02)
    again = arm_runs(made, place, quiet)
    assert [run.plan["encoder"].fingerprint for run in again] == [run.plan["encoder"].fingerprint for run in runs]
    longer = comparison(folder, arms={"plain": {}, "long": {"encoder.budget": "8k tokens"}}, expect=None)
    with pytest.raises(InputError, match="do not cost the same tokens"):
        arm_runs(longer, place, quiet)
    assert arm_runs(comparison(folder, arms=longer.arms, equal="none", expect=None), place, quiet)


def test_vocabularies_read_equal_bytes(folder):
    pieces = {"vocabulary.size": 300}
    arms = {"pieces": pieces, "bytes": {**pieces, "vocabulary.algorithm": "bytes"}}
    place = Workspace(folder / "runs")
    made = comparison(folder, arms=arms, equal="bytes", adjust="encoder", expect=None)
    lines = []
    as_they_are = arm_runs(made, place, lines.append, make=False)
    assert "before the data are made" in lines[0]
    assert len({str(run.plan["encoder"].parameters["budget"]) for run in as_they_are}) == 1
    assert not (place.root / "comparisons").exists()
    runs = arm_runs(made, place, quiet)
    read = {}
    for run in runs:
        ((reference, _),) = run.plan["encoder"].parameters["data"].items()
        counts = run.plan.counts_of(reference)["splits"]["train"]
        read[run.arm] = run.plan["encoder"].parameters["budget"].amount * counts["bytes"] / counts["tokens"]
        assert not run.plan["encoder"].is_cached
    assert read["pieces"] == pytest.approx(read["bytes"], rel=0.01)
    budgets = {run.arm: run.plan["encoder"].parameters["budget"].amount for run in runs}
    assert budgets["bytes"] > 1.5 * budgets["pieces"]
    with pytest.raises(InputError, match="do not cost the same bytes"):
        arm_runs(comparison(folder, arms=arms, equal="bytes", expect=None), place, quiet)


def test_what_growing_costs_counts_too(folder):
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    steps = recipe["steps"]
    train = steps["encoder"]["pretrain"]
    grow = {name: train[name] for name in ("data", "objective", "length", "batch_tokens")}
    grow |= {"model": "small", "to": {"encoder": {"layers": 2, "width": 64, "heads": 4}}}
    inserted = {
        "small": {"pretrain": train},
        "grown": {"grow": grow},
        "encoder": {"pretrain": {**train, "model": "grown"}},
    }
    recipe["steps"] = {
        "corpus": steps["corpus"],
        "vocabulary": steps["vocabulary"],
        **inserted,
        "scores": steps["scores"],
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    arms = {"copied": {}, "learned": {"grown.method": {"ligo": {"steps": 4}}}}
    place = Workspace(folder / "runs")
    with pytest.raises(InputError, match=r"do not cost the same tokens: copied 8000, learned 9024"):
        arm_runs(comparison(folder, arms=arms, expect=None), place, quiet)
    with pytest.raises(InputError, match="do not cost the same steps: copied 32, learned 36"):
        arm_runs(comparison(folder, arms=arms, equal="steps", expect=None), place, quiet)
    runs = arm_runs(comparison(folder, arms=arms, adjust="encoder", expect=None), place, quiet)
    assert {run.arm: run.plan["encoder"].parameters["budget"].amount for run in runs} == {
        "copied": 4000,
        "learned": 2976,
    }
    with pytest.raises(InputError, match="no step of this name with a budget"):
        arm_runs(comparison(folder, arms=arms, adjust="grown", expect=None), place, quiet)


def test_the_pairs_to_show_can_be_chosen(folder):
    arms = {"a": {}, "b-1": {}, "b-2": {}}
    made = comparison(folder, arms=arms, expect=None, reference="b-1")
    assert made.pairs == [("a", "b-1"), ("b-2", "b-1")]
    assert comparison(folder, arms=arms, expect=None, differences=["b-2 - a"]).pairs == [("b-2", "a")]


def test_a_comparison_is_the_same_wherever_its_data_lie(folder):
    made = comparison(folder)
    recipe = made.recipe
    recipe.variables |= {"bytes": 9, "amount": "1M tokens"}  # as studies have
    moved = replace(made, recipe=recipe.overridden({"texts": "/elsewhere"}))
    assert moved.digest == made.digest
    for change in ({"bytes": 10}, {"amount": "2M tokens"}):
        assert replace(made, recipe=recipe.overridden(change)).digest != made.digest
    assert replace(made, recipe=recipe.overridden({"encoder.length": 16})).digest != made.digest
    assert comparison(folder, seeds=3).digest != comparison(folder, seeds=2).digest


def test_power_is_told_before_it_runs(folder):
    small = comparison(folder, seeds=3, effect=0.1, spread=0.2, paper="001", claim="c", notes="n", quick={})
    lines = foresight(small)
    assert "probability 0.08" in lines[0] and "too small for its claim" in lines[1] and "34 seeds would do" in lines[1]
    large = comparison(folder, seeds=3, effect=10, spread=0.2)
    assert len(foresight(large)) == 1 and "probability 1.00" in foresight(large)[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": {"plain": {}}}, "at least two"),
        ({"arms": {"plain": {}, "high": {"encodr.length": 8}}}, "did you mean 'encoder'"),
        ({"metric": "score.masked_accuracy.nats"}, "did you mean 'scores'"),
        ({"metric": "scores"}, "leads nowhere"),
        ({"equal": "hours"}, "can be kept equal"),
        ({"reference": "plane"}, "did you mean 'plain'"),
        ({"expect": "plain < low"}, "unknown arm"),
        ({"differences": ["high - plane"]}, "did you mean 'plain'"),
        ({"seeds": 0}, "at least 1"),
        ({"sedes": 2}, "did you mean 'seeds'"),
        ({"seeded": ["encodr"]}, "did you mean 'encoder'"),
    ],
)
def test_mistakes_are_found_before_anything_runs(folder, changes, words):
    with pytest.raises(InputError, match=words):
        comparison(folder, **changes)


def test_a_metric_that_does_not_exist_names_what_does(folder):
    made = comparison(folder, seeds=1, metric="scores.masked_accuracy.nuts", expect=None)
    with pytest.raises(InputError, match="did you mean 'nats'"):
        compare(made, Workspace(folder / "runs"), say=quiet)


def test_what_was_put_together_costs_its_seconds_and_what_is_not_known_stays_so() -> None:
    trained = {"tokens": 4000, "steps": 2, "flops": 1e9, "seconds": 3.5, "parameters": 100}
    assert costs_of(trained) == {"tokens": 4000.0, "steps": 2.0, "flops": 1e9, "seconds": 3.5}
    assert costs_of({"seconds": 0.5, "parameters": 100}) == {"tokens": 0.0, "steps": 0.0, "flops": 0.0, "seconds": 0.5}
    assert costs_of({"tokens": 4000})["flops"] is None
