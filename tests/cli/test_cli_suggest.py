"""`seedbed suggest` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from tiny_recipe import tiny_steps
from typer.testing import CliRunner

from seedbed.cli.suggest import suggest
from seedbed.core.errors import InputError
from seedbed.core.files import write_json

RECIPE: dict[str, Any] = {
    "seed": 3,
    "steps": tiny_steps(
        {"decoder": {"layers": 1, "width": 32, "heads": 1}},
        vocabulary={"style": "decoder", "algorithm": "bpe"},
        objective="clm",
        budget="4k tokens",
        validate_every="never",
    ),
}


def told(*arguments: object) -> str:
    app = typer.Typer()
    app.command()(suggest)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception:
        raise done.exception
    return done.stdout


def test_from_numbers() -> None:
    said = told("--parameters", "14M", "--tokens", "300M", "--length", "256")
    assert "learning rate  0.00576" in said
    assert "157 rows of 256" in said
    assert "outside the law's data: parameters 4.29 times below" in said
    assert "batch_tokens: 40192" in said
    facts = json.loads(told("--parameters", "400M", "--tokens", "2e10", "--json"))
    assert facts["outside"] == []
    assert facts["lr"] == pytest.approx(1.79 * 4e8**-0.713 * 2e10**0.307)


def test_from_a_recipe_over_the_sweep_to_its_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The written comparison runs, and its result is read (with arms and tokens cut down, to take seconds)."""
    from seedbed.compare.comparison import load_comparison
    from seedbed.compare.run import compare
    from seedbed.recipe.execute import Workspace

    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False))
    said = told("recipe.yaml", "decoder.budget=3k tokens", "--sweep", "sweep.yaml")
    assert "decoder: 1.034e+04 parameters without embeddings, 3000 tokens" in said
    assert "now 0.001 " in said
    assert "now 256 " in said
    written = yaml.safe_load(Path("sweep.yaml").read_text())
    names = ["suggested", "lr-half-batch-same", "lr-double-batch-same"]
    Path("sweep.yaml").write_text(yaml.safe_dump({**written, "arms": {name: written["arms"][name] for name in names}}))
    compare(load_comparison(Path("sweep.yaml")), Workspace(Path("runs")), say=lambda line: None)
    said = told("--fit", "runs/comparisons/sweep.json")
    assert said.startswith("sweep: best arm ")
    assert "the suggestion's loss is" in said
    found = json.loads(told("--fit", "runs/comparisons/sweep.json", "--json"))
    assert found["sweeps"][0]["best_arm"] in names and found["law"] is None
    with pytest.raises(InputError, match="exists already"):
        told("recipe.yaml", "--sweep", "sweep.yaml")


def test_json_stays_json_and_the_next_commands_know_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False))
    facts = json.loads(told("recipe.yaml", "--json", "--sweep", "one.yaml"))
    assert facts["tokens"] == 4000 and Path("one.yaml").is_file()
    said = told("recipe.yaml", "--sweep", "other.yaml", "--runs", "elsewhere")
    assert "seedbed compare other.yaml --runs elsewhere; " in said
    assert "--fit elsewhere/comparisons/other.json" in said


def test_a_law_from_a_table(tmp_path: Path) -> None:
    rows = [
        f"{n},{d},{1.7 + 40 / n**0.3 + 90 / d**0.25}" for n in (1e6, 4e6, 16e6, 64e6) for d in (1e7, 4e7, 16e7, 64e7)
    ]
    (tmp_path / "runs.csv").write_text("\n".join(["parameters,tokens,loss", *rows]))
    found = json.loads(told("--law", tmp_path / "runs.csv", "--flops", "1e17", "--json"))
    assert [found["floor"], *found["factors"], *found["exponents"]] == pytest.approx([1.7, 40, 90, 0.3, 0.25], rel=1e-3)
    assert 6 * found["split"][0] * found["split"][1] == pytest.approx(1e17)
    said = told("--law", tmp_path / "runs.csv", "--flops", "1e19")
    assert "16 runs (Hoffmann et al., 2022, approach 3)" in said
    assert "times the FLOPs of the largest run: an extrapolation" in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "of what"),
        (["--parameters", "many", "--tokens", "3M"], "is no number"),
        (["recipe.yaml", "--parameters", "1M", "--tokens", "3M"], "a recipe and a step, or"),
        (["--parameters", "1M", "--tokens", "3M", "--sweep", "sweep.yaml"], "needs a recipe"),
        (["--fit"], "wants a sweep's result"),
        (["--fit", "sweep.json", "--parameters", "1M", "--tokens", "3M"], "asked of several sweeps"),
        (["--law"], "hold no runs"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        told(*arguments)


def test_a_fit_without_a_minimum_says_so(tmp_path: Path) -> None:
    arms = {
        f"arm{i}": {"overrides": {"m.optimizer.adamw.lr": 1e-3 * 2**i}, "values": {"loss": [3.0 - i]}} for i in range(3)
    }
    write_json(tmp_path / "s.json", {"metrics": {"loss": {"higher_is_better": False}}, "arms": arms})
    assert "no optimum to fit: the best lr lies at the edge of the grid" in told("--fit", tmp_path / "s.json")


def test_the_law_of_several_sweeps(tmp_path: Path) -> None:
    """Rates between which the best is 100 / N, at three sizes; then asked for a fourth."""
    for number, size in enumerate((1e5, 2e5, 4e5)):
        arms = {
            f"arm{i}": {
                "overrides": {"m.optimizer.adamw.lr": 100 / size * 2**i},
                "values": {"loss": [3.0 + i**2]},
                "cost": {"tokens": 1e6, "flops": 6e6 * size},
                "summary": {"loss": {"mean": 3.0 + i**2}},
            }
            for i in (-1, 0, 1)
        }
        content = {"metrics": {"loss": {"higher_is_better": False}}, "arms": arms}
        write_json(tmp_path / f"s{number}.json", content)
    files = [tmp_path / f"s{number}.json" for number in range(3)]
    said = told("--fit", *files, "--parameters", "800k", "--tokens", "1M")
    assert "the law of these sweeps (3 optima)" in said
    assert "N^-1 [-1, -1] (there -0.713) (D was the same in all)" in said
    assert "for this run 0.000125 [0.000125, 0.000125]" in said
    facts = json.loads(told("--fit", *files, "--json"))
    assert facts["law"]["lr"]["exponents"] == pytest.approx([-1, 0]) and facts["law"]["batch"] is None
    assert "no law" in told("--fit", files[0], files[0])
