"""`recipes/text-to-text.yaml`: every preset plans and does something, and one is run whole on small text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_german import GERMAN, PLACES

from seedbed.core.store import Store
from seedbed.recipe.execute import Workspace, run_plan
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import load_recipe

RECIPE = load_recipe(Path(__file__).parent.parent.parent / "recipes" / "text-to-text.yaml")
TINY = [
    "writer.model={encoder_decoder: {layers: 1, width: 32, heads: 1}}",
    "writer.batch_tokens=512",
    "budget=4k tokens",
]


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    """Files of German text, and pairs of a sentence and its place."""
    texts, labels = tmp_path / "texts", tmp_path / "labels"
    texts.mkdir()
    labels.mkdir()
    for number in range(20):
        (texts / f"{number}.txt").write_text(" ".join(GERMAN[number : number + 8]))
    pairs = [{"source": text, "target": place} for text in GERMAN for place in PLACES if place in text]
    for name, part in (("train", pairs[:24]), ("test", pairs[40:])):
        (labels / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in part))
    return [f"data={texts}", f"labels={labels}", "language=deu"]


@pytest.mark.parametrize("name", RECIPE.presets)
def test_every_preset_plans_and_does_something(name: str, data: list[str], tmp_path: Path) -> None:
    given = data if name != "ptt5" else data[:2]
    plain, plan = (
        make_plan(RECIPE.overridden([*given, *more]), Store(tmp_path / "store")) for more in ([], [f"preset={name}"])
    )
    changed = {step for step in RECIPE.steps if plan[step].fingerprint != plain[step].fingerprint}
    named = {path.split(".")[0] for path in RECIPE.presets[name]} & set(RECIPE.steps)
    assert "scores" in changed and named <= changed


def test_a_model_that_writes_comes_out_and_transformers_load_it(data: list[str], tmp_path: Path) -> None:
    recipe = RECIPE.overridden([*data, *TINY, "preset=pairs", "size=500", "length=64", "name=mine", "scores.seeds=1"])
    recipe = recipe.overridden(
        ["corpus.curate.5.near_duplicates.threshold=0.99", "scores.tasks.1.text_to_text.epochs=1"]
    )
    recipe = recipe.overridden(["scores.tasks.0.text_to_text.epochs=1", "scores.tasks.0.text_to_text.max_test=2"])
    recipe = recipe.overridden(
        [f"scores.tasks.{n}.text_to_text.max_target=8" for n in (0, 1)] + ["scores.baselines=false"]
    )
    place = Workspace(tmp_path / "runs")
    found = run_plan(make_plan(recipe, place.store), say=lambda line: None, links=place.folder(recipe))
    summary = json.loads((found["scores"].path / "summary.json").read_text())
    assert set(summary) == {"going_on", "pairs"}
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(str(found["writer"].path))
    assert type(model).__name__ == "T5ForConditionalGeneration"
