"""`seedbed papers` as a user meets it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from seedbed.cli import papers as command
from seedbed.core.errors import InputError
from seedbed.papers import catalogue
from seedbed.papers.catalogue import FOLDER, load_catalogue

app = typer.Typer()
app.add_typer(command.app, name="papers")


def run(*arguments):
    done = CliRunner().invoke(app, ["papers", *arguments], env={"COLUMNS": "150", "NO_COLOR": "1"})
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def interval(mean):
    return {"mean": mean, "low": mean - 0.05, "high": mean + 0.05, "interval": "t", "num": 3}


@pytest.fixture
def checked(tmp_path, monkeypatch):
    """The package's catalogue, and a result for 280."""
    difference = {"first": "high", "second": "low", "metric": "accuracy", "difference": interval(-0.2)}
    difference |= {"effect_size": -2.5, "relative": -0.4}
    cost = {"tokens": 1000.0, "steps": 10.0, "flops": 1e9, "seconds": None}
    arms = {
        name: {"summary": {"accuracy": interval(mean)}, "cost": cost} for name, mean in (("low", 0.5), ("high", 0.3))
    }
    result = {
        "format": 1,
        "name": "280-rates",
        "paper": "280",
        "title": "Falling masking rates",
        "quick": False,
        "command": "seedbed check 280-rates",
        "finished": "2026-11-21T10:00:00+00:00",
        "equal": "tokens",
        "seeds": [17, 18, 19],
        "metrics": {"accuracy": {"path": "scores.masked_accuracy.accuracy", "higher_is_better": True}},
        "arms": arms,
        "differences": [difference],
        "contrasts": [{**difference, "statement": "high < low", "outcome": "holds"}],
        "verdict": "reproduced",
        "rule": "The interval of the difference decides.",
    }
    for folder, suffix, text in (("studies", "yaml", 'paper: "280"\n'), ("ledger", "json", json.dumps(result))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"280-rates.{suffix}").write_text(text, encoding="utf8")
    (tmp_path / "catalogue.jsonl").write_bytes((FOLDER / "catalogue.jsonl").read_bytes())
    made = load_catalogue(tmp_path)
    monkeypatch.setattr(catalogue, "load_catalogue", lambda: made)
    return result


def test_overview_counts_every_paper_once(checked):
    counted = json.loads(run("--json"))
    assert counted["papers"] == 399 == counted["planned"] + counted["runs"] + counted["checked"]
    assert counted["checked"] == counted["reproduced"] == 1 and counted["contradicted"] == 0
    for name in ("papers", "planned", "reproduced"):
        assert sum(family[name] for family in counted["families"].values()) == counted[name]
    shown = run()
    assert "domain-language-model" in shown and "reproduced" in shown and "contradicted" not in shown
    assert shown.splitlines()[-1].split()[:2] == ["all", "399"]


def test_lists(checked):
    assert [row["id"] for row in json.loads(run("--status", "checked", "--json"))] == ["280"]
    rows = json.loads(run("--family", "objective", "--modality", "text", "--json"))
    assert "280" in {row["id"] for row in rows}
    assert {(row["family"], row["modality"]) for row in rows} == {("objective", "text")}
    assert "reproduced" in run("--family", "objective")
    with pytest.raises(InputError, match="did you mean 'objective'"):
        run("--family", "objectiv")
    with pytest.raises(InputError, match="planned, runs"):
        run("--status", "done")


def test_show_with_evidence(checked):
    shown = run("show", "280")
    for text in (
        "Dynamic Masking Rate Schedules",
        "objective mlm",
        "mask",
        "schedule linear",
        "seedbed check 280-rates",
        "0.3 [0.25, 0.35]",
        "high - low",
        "-0.2 [-0.25, -0.15]",
        "high < low: holds",
        "verdict: reproduced",
        "The interval of the difference decides.",
        "2026-11-21T10:00",
    ):
        assert text in shown, text
    assert "planned check" not in shown
    told = json.loads(run("show", "280", "--json"))
    assert told["results"] == [checked] and told["verdicts"] == ["reproduced"] and told["status"] == "checked"
    rate = next(row for row in told["parameters"]["objective mlm"] if row["name"] == "rate")
    assert rate == {"name": "rate", "type": "float | schedule", "required": False, "default": 0.15}


def test_show_without_evidence(checked):
    shown = run("show", "76")
    assert "nothing here runs it yet" in shown and "planned check" in shown and "verdict" not in shown
    assert "recipes/biomedical.yaml" in run("show", "29")
    assert json.loads(run("show", "29", "--json"))["results"] == []
    with pytest.raises(InputError, match="nearest is 399"):
        run("show", "500")


def test_show_a_method_that_is_a_plan_of_steps():
    shown = run("show", "261")
    assert "studies/recipes/cascade.yaml" in shown and "arms:   raw, rules, learned, cascade, clean" in shown
    assert "run it: seedbed check 261-cascade" in shown and "nothing here runs it yet" not in shown


def test_search_says_why():
    shown = run("search", "replace the tokenizer of a trained model", "--limit", "3")
    assert shown.count("; matches ") == 3 and "replace tokenizer as" in shown
    rows = json.loads(run("search", "membership inference", "--limit", "3", "--json"))
    assert len(rows) == 3 and "membership" in rows[0]["matched"] and rows[0]["score"] >= rows[1]["score"]
    assert "no paper has" in run("search", "qqqqzzzz")
