"""Regimes of pruning: a made-up grid whose answers are known, the command, and what is no grid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from seedbed.cli.main import app
from seedbed.compare.regimes import judge, read_grid
from seedbed.core.errors import InputError

RATES, DENSITIES = (0.001, 0.004, 0.016), (0.05, 0.2, 0.8)
# from cold to hot (rows) and from low to high density: heat helps at the lowest, is open, and hurts at the highest
LOSS = ((4.0, 3.2, 2.0), (3.8, 3.1, 2.2), (3.5, 3.2, 2.3))
LMC = ((-0.5, 0.01, 0.0), (-0.3, 0.0, 0.02), (-0.01, -0.03, 0.0))
CKA = ((0.5, 0.7, 0.95), (0.6, 0.75, 0.9), (0.62, 0.8, 0.8))


def result(path: Path, knob: str = "base.optimizer.adamw.lr", values: Any = RATES) -> Path:
    arms = {}
    for k, value in enumerate(values):
        for d, density in enumerate(DENSITIES):
            measured = {
                "loss": [LOSS[k][d] + seed for seed in (0.0, 0.01 * (k + d), 0.02)],  # seeds differ, alike in all arms
                "barrier": [LMC[k][d] - 0.001, LMC[k][d], LMC[k][d] + 0.001],
                "alike": [CKA[k][d]] * 3,
            }
            arms[f"a{k}{d}"] = {"overrides": {knob: value, "pruned.density": density}, "values": measured}
    metrics = {
        "loss": {"path": "scores.pair.loss", "higher_is_better": False},
        "barrier": {"path": "scores.pair.lmc", "higher_is_better": True},
        "alike": {"path": "scores.pair.cka", "higher_is_better": True},
    }
    path.write_text(json.dumps({"metrics": metrics, "arms": arms}))
    return path


def test_regimes_advice_and_choice(tmp_path: Path) -> None:
    grid = read_grid(result(tmp_path / "grid.json"))
    assert grid.values == list(RATES) and grid.densities == list(DENSITIES)
    assert grid.arms_KD[2][1] == "a21" and grid.loss_KDS[1, 2].tolist() == pytest.approx([2.2, 2.23, 2.22])
    found = judge(grid)
    assert found["similar"] == pytest.approx((0.62 + 0.95) / 2)
    by_arm = {cell["arm"]: cell for cell in found["cells"]}
    regimes = [[by_arm[f"a{k}{d}"]["regime"] for d in range(3)] for k in range(3)]
    assert regimes == [["I", "II-A", "II-B"], ["I", "II-A", "II-B"], ["II-A", "I", "II-B"]]
    advice = [[by_arm[f"a{k}{d}"]["advice"] for d in range(3)] for k in range(3)]
    assert advice == [["raise", "lower", "keep"], ["raise", "lower", "keep"], ["lower", "raise", "keep"]]
    right = [[by_arm[f"a{k}{d}"]["right"] for d in range(3)] for k in range(3)]
    assert right == [[True, None, True], [True, False, False], [False, None, False]]
    low, middle, high = found["densities"]
    assert [row["raising"] for row in (low, middle, high)] == ["helps", "open", "hurts"]
    slopes = [np.polyfit([0, 1, 2], grid.loss_KDS[:, 0, seed], 1)[0] for seed in range(3)]
    assert low["trend"]["mean"] == pytest.approx(np.mean(slopes))
    assert (low["chosen"], low["best"], low["regret"]) == (0.016, 0.016, 0)
    assert (middle["chosen"], middle["best"]) == (0.004, 0.004), "the connected ones first"
    strict = judge(grid, barrier=0.001, similar=0.99)
    assert {cell["regime"] for cell in strict["cells"]} == {"I", "II-A"}
    assert strict["densities"][0]["chosen"] == 0.016, "none is connected: the smallest barrier"
    assert {cell["regime"] for cell in judge(grid, barrier=1.0, similar=0.0)["cells"]} == {"II-B"}


def test_what_is_hotter(tmp_path: Path) -> None:
    budgets = read_grid(result(tmp_path / "a.json", "base.budget", ("2M tokens", "900k tokens", "100k tokens")))
    assert budgets.values == ["2M tokens", "900k tokens", "100k tokens"], "from cold to hot"
    other = result(tmp_path / "b.json", "base.clip", (3, 2, 1))
    with pytest.raises(InputError, match=r"is base.clip hotter when it is higher or lower"):
        read_grid(other)
    assert read_grid(other, "lower").values == [3, 2, 1]
    with pytest.raises(InputError, match="is no number"):
        read_grid(result(tmp_path / "c.json", "base.model", ("small", "large", "huge")), "lower")


def test_the_command(tmp_path: Path) -> None:
    path = str(result(tmp_path / "grid.json"))
    done = CliRunner().invoke(app, ["regimes", path], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert done.output.index("0.016") < done.output.index("0.004") < done.output.index("0.001"), "hot ones on top"
    assert "4.007 I" in done.output and "helps" in done.output
    assert "the advice is right in 3 of the 7 cells" in done.output
    told = json.loads(CliRunner().invoke(app, ["regimes", path, "--json", "--barrier", "0.1"]).output)
    assert told["barrier"] == 0.1 and len(told["cells"]) == 9


def test_what_is_no_grid(tmp_path: Path) -> None:
    path = result(tmp_path / "grid.json")
    whole = json.loads(path.read_text())

    def refused(message: str, **changes: Any) -> None:
        (tmp_path / "bad.json").write_text(json.dumps({**whole, **changes}))
        with pytest.raises(InputError, match=message):
            read_grid(tmp_path / "bad.json")

    arms, metrics = whole["arms"], whole["metrics"]
    refused("has no metric cka", metrics={name: metrics[name] for name in ("loss", "barrier")})
    refused("its first metric is no loss", metrics={"alike": metrics["alike"], **metrics})
    refused("make no grid", arms={name: arm for name, arm in arms.items() if name != "a11"})
    refused("must differ in a density and one other path", arms={name: arms[name] for name in ("a00", "a01")})
    refused("is no result", arms=[])
    with pytest.raises(InputError, match="is no result"):
        read_grid(tmp_path / "missing.json")
