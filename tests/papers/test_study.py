"""Studies and the ledger: what ships is whole, quick runs need no data, and a result knows when it is stale."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_recipe import tiny_steps
from typer.testing import CliRunner

from seedbed.cli.main import app
from seedbed.compare.arms import arm_runs
from seedbed.compare.result import sources
from seedbed.core.errors import InputError
from seedbed.papers import ledger
from seedbed.papers.study import STUDIES, load_study, study_files
from seedbed.recipe.execute import Workspace

SHIPPED = sorted(STUDIES.glob("*.yaml"))
TINY = {
    "paper": "280",
    "claim": "A claim.",
    "notes": "Small.",
    "recipe": {
        "name": "tiny",
        "seed": 3,
        "steps": tiny_steps(
            {"encoder": {"layers": 1, "width": 32, "heads": 1}},
            documents=200,
            test=0.2,
            vocabulary={"algorithm": "wordpiece"},
            budget="4k tokens",
            validate_every="never",
        ),
    },
    "arms": {
        "low": {"encoder.optimizer": {"adamw": {"lr": 1e-4}}},
        "high": {"encoder.optimizer": {"adamw": {"lr": 1e-2}}},
    },
    "metric": "encoder.loss",
    "seeds": 3,
    "expect": "high < low",
    "quick": {"seeds": 2, "overrides": {"encoder.budget": "2k tokens"}},
}


def named_tasks(parameters: dict[str, Any]) -> set[str]:
    """What the tasks of an evaluation are called."""
    pairs = [(task, {}) if isinstance(task, str) else next(iter(task.items())) for task in parameters["tasks"]]
    return {(settings or {}).get("name", task) for task, settings in pairs}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_metrics_of_a_shipped_study_are_measured_in_every_arm(path: Path) -> None:
    study = load_study(path)
    for overrides in study.arms.values():
        steps = study.recipe.overridden(overrides).steps
        for metric in study.metrics:
            for step, part, *_ in (named.split(".") for named in metric.paths):
                ((function, parameters),) = steps[step].items()
                assert function != "evaluate" or part in named_tasks(parameters), metric.name


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_study_is_whole_and_its_quick_form_needs_no_data(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = load_study(path)
    assert study.study["paper"] == path.stem.split("-")[0] and study.title and study.statements
    assert study.seeds >= 3 and study.command == f"seedbed check {path.stem}"
    quick = load_study(path, quick=True)
    assert quick.seeds == 2 and quick.name == f"{study.name}-quick"
    runs = arm_runs(quick, Workspace(tmp_path), lambda line: None)
    assert len(runs) == 2 * len(study.arms) and (study.equal == "none" or all(run.training for run in runs))
    tokens = [
        sum(step.parameters["budget"].amount for step in run.training if "budget" in step.parameters) for run in runs
    ]
    assert max(tokens) <= 100_000


def test_the_command_says_what_was_overridden_but_not_where_data_lie() -> None:
    path = STUDIES / "160-domain-upsampling.yaml"
    study = load_study(path, quick=True, overrides=["data=/a/folder/of/mine", "base.clip=0.5"])
    assert study.command == "seedbed check 160-domain-upsampling data=FOLDER base.clip=0.5 --quick"
    study = load_study(STUDIES / "086-late-adapters.yaml", overrides=["tokens=10k tokens"])
    assert study.command == "seedbed check 086-late-adapters 'tokens=10k tokens'"


def test_studies_are_found_by_number_name_and_path(tmp_path):
    assert [path.stem for path in study_files(["280"])] == ["280-masking-schedules"]
    assert study_files(["18"]) == study_files(["018-masking-rate"])
    assert study_files() == SHIPPED
    (tmp_path / "mine.yaml").write_text("x: 1")
    assert study_files([str(tmp_path / "mine.yaml")]) == [tmp_path / "mine.yaml"]
    with pytest.raises(InputError, match="did you mean '018-masking-rate'"):
        study_files(["018-masking-rat"])


@pytest.mark.parametrize("key", ["paper", "claim", "notes", "quick", "expect"])
def test_a_study_without_one_of_its_parts_is_refused(key, tmp_path):
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({name: TINY[name] for name in TINY if name != key}))
    with pytest.raises(InputError, match=f"{key}: is required in a study"):
        load_study(tmp_path / "s.yaml")


def test_check_runs_a_study_and_the_ledger_knows_when_it_is_stale(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "280-tiny.yaml"
    path.write_text(yaml.safe_dump(TINY, sort_keys=False))
    monkeypatch.setattr("seedbed.papers.study.STUDIES", tmp_path)
    done = CliRunner().invoke(app, ["check", "280"])
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "runs" / "ledger" / "280-tiny.json").read_text())
    assert result["verdict"] == "reproduced" and f"verdict: {result['verdict']}" in done.output  # 1e-4 learns nothing
    assert result["paper"] == "280" and result["quick"] is False and result["command"] == "seedbed check 280-tiny"
    folder = tmp_path / "runs" / "ledger"
    assert ledger.stale("280-tiny", folder) == []
    assert "no result yet" in CliRunner().invoke(app, ["check", "--changed"]).output  # none in the package's own

    quick = CliRunner().invoke(app, ["check", "280", "--quick"])
    assert "no evidence" in quick.output and (folder / "280-tiny-quick.json").is_file()
    refused = CliRunner().invoke(app, ["check", "280", "--quick", "--record"])
    assert isinstance(refused.exception, InputError)

    path.write_text(yaml.safe_dump({**TINY, "seeds": 4}, sort_keys=False))
    assert ledger.stale("280-tiny", folder) == ["its file or its recipe has changed"]
    path.write_text(yaml.safe_dump(TINY, sort_keys=False))
    result["sources"]["seedbed.train.pretrain"] = "0"
    (folder / "280-tiny.json").write_text(json.dumps(result))
    assert ledger.stale("280-tiny", folder) == ["seedbed.train.pretrain has changed"]


def test_the_sources_of_a_result_are_the_modules_that_it_used(tmp_path):
    path = tmp_path / "280-tiny.yaml"
    path.write_text(yaml.safe_dump(TINY, sort_keys=False))
    runs = arm_runs(load_study(path), Workspace(tmp_path / "runs"), lambda line: None)
    found = sources(runs)
    used = {
        "seedbed.worlds.kinds.facts",
        "seedbed.objectives.mlm",
        "seedbed.train.pretrain",
        "seedbed.optim.rules.adamw",
    }
    assert used <= set(found) and "seedbed.evaluate.step" not in found
    assert found == {name: ledger._module_digest(name) for name in found}


@pytest.mark.parametrize("path", sorted(ledger.LEDGER.glob("*.json")), ids=lambda path: path.stem)
def test_a_committed_result_follows_from_its_own_numbers(path):
    """The verdict is what the rule makes of the values that stand in the file."""
    from seedbed.compare.expect import parse_expectation, verdict

    result = json.loads(path.read_text())
    values = {arm: facts["values"] for arm, facts in result["arms"].items()}
    statements = parse_expectation(result["expect"], values, list(result["metrics"]))
    outcomes = [statement.outcome(statement.difference(values)) for statement in statements]
    assert verdict(outcomes) == result["verdict"]
    assert outcomes == [row["outcome"] for row in result["contrasts"]]
    assert not result["quick"] and path.stem in [study.stem for study in SHIPPED]
    assert all(len(found) == len(result["seeds"]) for facts in values.values() for found in facts.values())
