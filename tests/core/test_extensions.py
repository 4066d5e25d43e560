"""Methods of the user's own. Each case has a process for itself: what is registered stays."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent.parent / "docs" / "extend.md").read_text()
SCORER = """
from seedbed.optim import schedules

@schedules.register("{name}")
class Own:
    "A schedule of the user's."
    def __init__(self, level: float = 1.0) -> None:
        self.level = level
    def __call__(self, progress: float) -> float:
        return self.level
"""


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def run(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "SEEDBED_RUNS": str(folder / "runs"), **environment}
    return subprocess.run([sys.executable, *words], cwd=folder, env=given, capture_output=True, text=True, timeout=300)


def seedbed(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("-m", "seedbed", *words, folder=folder, **environment)


def is_there(recipe: Path, folder: Path) -> dict[str, bool]:
    """Which of a recipe's named steps are in the store."""
    code = f"""
import json
from seedbed.core.store import Store
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import load_recipe
plan = make_plan(load_recipe({str(recipe)!r}), Store("runs/store"))
print(json.dumps({{planned.name: planned.is_cached for planned in plan if not planned.implicit}}))
"""
    found: dict[str, bool] = json.loads(run("-c", code, folder=folder).stdout)
    return found


def test_the_objective_of_the_documentation_trains_and_its_code_is_in_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "deshuffling.py").write_text(block("python"))
    (tmp_path / "recipe.yaml").write_text(block("yaml"))
    done = seedbed("run", "recipe.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "runs" / "deshuffled" / "encoder" / "manifest.json").read_text())
    assert manifest["parameters"]["objective"] == {"deshuffling": {"window": 5}}
    assert set(manifest["components"]) >= {"objective deshuffling", "backbone encoder"}
    assert re.fullmatch(r"1, [0-9a-f]{16,}", manifest["components"]["objective deshuffling"])
    losses = [
        json.loads(line) for line in (tmp_path / "runs/deshuffled/encoder/metrics.jsonl").read_text().splitlines()
    ]
    assert losses[-1]["loss"] < losses[0]["loss"]

    as_it_was_run = tmp_path / "runs" / "deshuffled" / "recipe.yaml"
    assert is_there(as_it_was_run, folder=tmp_path) == {"world": True, "vocabulary": True, "encoder": True}
    with (tmp_path / "deshuffling.py").open("a") as file:
        file.write("\n# changed\n")
    assert is_there(as_it_was_run, folder=tmp_path) == {"world": True, "vocabulary": True, "encoder": False}
    wrong = seedbed("plan", "recipe.yaml", "encoder.objective.deshuffling.window=1", folder=tmp_path)
    assert wrong.returncode != 0 and "window" in wrong.stderr and "at least 2" in wrong.stderr


def test_methods_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(SCORER.format(name="own_level"))
    shown = seedbed("show", "schedule", "own_level", folder=tmp_path, SEEDBED_METHODS=str(tmp_path / "own.py"))
    assert shown.returncode == 0 and "A schedule of the user's." in shown.stdout, shown.stderr


def test_methods_of_an_installed_package(tmp_path: Path) -> None:
    (tmp_path / "their_package.py").write_text(SCORER.format(name="their_level"))
    facts = tmp_path / "their_package-2.5.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 2.5\n")
    (facts / "entry_points.txt").write_text("[seedbed]\nlevels = their_package\n")
    code = "from seedbed.optim import schedules; print(schedules.get('their_level').identity)"
    shown = run("-c", code, folder=tmp_path, PYTHONPATH=os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    assert shown.stdout.strip() == "1, their-package 2.5", shown.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SCORER.format(name="wsd"), "there is a schedule of this name already"),
        ("import no_such_module_at_all", "cannot be imported: ModuleNotFoundError"),
        (None, "there is no such file"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "own.py").write_text(content)
    code = (
        "from seedbed.recipe.recipe import parse_recipe; parse_recipe({'methods': 'own.py', 'steps': {'a': {'b': {}}}})"
    )
    done = run("-c", code, folder=tmp_path)
    assert said in done.stderr and "InputError" in done.stderr


def test_a_file_that_changes_within_a_process(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(SCORER.format(name="own_level"))
    code = """
from pathlib import Path
from seedbed.core.extensions import load_methods
from seedbed.optim import schedules
load_methods(["own.py"]); load_methods(["own.py"])
assert schedules.create("own_level", level=0.5)(0.1) == 0.5
Path("own.py").write_text("")
load_methods(["own.py"])
"""
    done = run("-c", code, folder=tmp_path)
    assert "has changed since it was imported" in done.stderr, done.stderr
