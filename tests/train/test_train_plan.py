"""What a plan knows of training that goes on from a model, before and after that model is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pretrain_world import DECODER, ENCODER, SMALL, World

from seedbed.recipe.execute import Workspace, run_plan
from seedbed.recipe.plan import Plan, make_plan
from seedbed.recipe.recipe import Recipe
from seedbed.train import plan as planning
from seedbed.train.probe import fits


def _plan(steps: dict[str, Any], runs: Path) -> Plan:
    return make_plan(Recipe("planned", steps, seed=3), Workspace(runs).store)


def _steps(world: World, model: Any, surgery: dict[str, Any], objective: str) -> dict[str, Any]:
    """A model, what a surgery makes of it, and what is trained on from there."""
    ((name, given),) = surgery.items()
    given = {key: str(world[value].path) if key == "tokenizer" else value for key, value in given.items()}
    common = {**SMALL, "data": {str(world["news"].path): 1.0}, "validate_every": "never"}
    vocabulary, first = ("pieces", "clm") if model == DECODER else ("vocabulary", "mlm")
    base = {"model": model, "tokenizer": str(world[vocabulary].path), "objective": first, "budget": "2 steps"}
    return {
        "base": {"pretrain": {**common, **base}},
        "changed": {name: {"model": "base", **given}},
        "on": {"pretrain": {**common, "model": "changed", "objective": objective, "budget": "3 steps"}},
    }


LEARNED = {"encoder": {**ENCODER["encoder"], "positions": "learned", "norm": "post", "max_length": 32}}
GROWN = {"decoder": {"layers": 3, "width": 64, "heads": 4}}


@pytest.mark.parametrize(
    ("model", "surgery", "objective"),
    [
        (ENCODER, {"change_vocabulary": {"method": "random", "tokenizer": "larger"}}, "mlm"),
        (ENCODER, {"prune": {"density": 0.5}}, "mlm"),
        (ENCODER, {"attach_decoder": {"layers": 1}}, "infilling"),
        (LEARNED, {"extend_positions": {"length": 64}}, "mlm"),
        (DECODER, {"change_attention": {"attention": "prefix"}}, "prefix_lm"),
        (DECODER, {"grow": {"to": GROWN, "method": "bert2bert"}}, "clm"),
    ],
)
def test_what_goes_on_from_a_changed_model_is_foreseen(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Any, surgery: dict[str, Any], objective: str
) -> None:
    """Parameters and FLOPs are those that training then counts, and its speed is measured with that network."""
    probed: list[Any] = []
    monkeypatch.setattr(planning, "_tokens_per_second", lambda _, architecture: probed.append(architecture) or 1e3)
    steps = _steps(world, model, surgery, objective)
    plan = _plan(steps, tmp_path)
    before = plan.estimate(plan["on"])
    assert before.duration() == pytest.approx(before.tokens / 1e3)
    made = run_plan(plan, say=lambda line: None)
    (expected,) = probed
    saved = made["changed"].network().architecture
    assert {**vars(expected), "special": None} == {**vars(saved), "special": None}
    assert before.parameters == made["on"].counts["parameters"]
    assert before.flops == pytest.approx(made["on"].counts["flops"], rel=0.1)
    steps["on"]["pretrain"]["budget"] = "4 steps"
    after = _plan(steps, tmp_path)
    estimate = after.estimate(after["on"])
    assert (estimate.parameters, estimate.flops) == (before.parameters, pytest.approx(before.flops * 4 / 3))


def test_a_folder_from_elsewhere_is_measured(world: World, tmp_path: Path) -> None:
    """Its manifest, which says how fast it was trained somewhere, is gone."""
    made = world.pretrain()
    folder = tmp_path / "foreign"
    folder.mkdir()
    for path in made.path.iterdir():
        if path.name in ("config.json", "model.safetensors") or path.name.startswith(("tokenizer", "special")):
            (folder / path.name).write_bytes(path.read_bytes())
    given = {**SMALL, "model": str(folder), "data": {str(world["news"].path): 1.0}, "budget": "3 steps"}
    plan = _plan({"on": {"pretrain": given}}, tmp_path / "runs")
    estimate = plan.estimate(plan["on"])
    assert estimate.parameters == made.counts["parameters"]
    assert estimate.flops == pytest.approx(made.counts["flops"] / 4, rel=0.1)
    assert estimate.duration() is not None


def test_what_is_too_large_is_not_tried() -> None:
    assert fits(1_000_000, "cpu") and not fits(10**12, "cpu")
