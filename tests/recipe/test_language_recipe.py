"""`recipes/language.yaml`: every preset plans and does something, and two are run whole on small text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_german import GERMAN

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError
from seedbed.core.store import Store
from seedbed.recipe.execute import Workspace, run_plan
from seedbed.recipe.plan import Plan, make_plan
from seedbed.recipe.recipe import load_recipe
from seedbed.report import write_report

RECIPE = load_recipe(Path(__file__).parent.parent.parent / "recipes" / "language.yaml")
TINY = ["encoder.model={encoder: {layers: 1, width: 32, heads: 1}}", "encoder.batch_tokens=512", "budget=4k tokens"]
ENGLISH = [f"The old house number {i} stands near the river and nobody lives in it." for i in range(6)]
THAI_PLACES = ["ในสวน", "ที่บ้าน", "ริมแม่น้ำ", "บนภูเขา", "ในเมือง", "ที่ตลาด"]
THAI_THINGS = ["แมว", "หมา", "นก", "ปลา", "ช้าง", "ม้า", "วัว", "ไก่"]
THAI = [f"วันนี้{thing}ตัวใหญ่อยู่{place} และเราเห็นมันทุกวัน" for thing in THAI_THINGS for place in THAI_PLACES]


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    """Overrides that name a folder of text, and one of labeled records."""
    texts, labels = tmp_path / "texts", tmp_path / "labels"
    texts.mkdir()
    labels.mkdir()
    (texts / "a.txt").write_text("\n\n".join(GERMAN[::2] + ENGLISH))
    (texts / "b.md").write_text("\n\n".join(GERMAN[1::2]))
    for name, part in (("train", GERMAN[:24]), ("test", GERMAN[24:36])):
        words = [text.split() for text in part]
        records = [{"text": " ".join(w), "label": w[5], "tokens": w, "tags": [x[:1] for x in w]} for w in words]
        (labels / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return [f"data={texts}", f"labels={labels}"]


def planned(root: Path, *overrides: str) -> Plan:
    return make_plan(RECIPE.overridden(list(overrides)), Store(root / "store"))


def made(root: Path, *overrides: str) -> dict[str, Artifact]:
    recipe = RECIPE.overridden([*overrides, *TINY, "name=mine"])
    place = Workspace(root / "runs")
    return run_plan(make_plan(recipe, place.store), say=lambda line: None, links=place.folder(recipe))


@pytest.mark.parametrize("name", RECIPE.presets)
def test_every_preset_plans_and_does_something(name: str, data: list[str], tmp_path: Path) -> None:
    plan, plain = planned(tmp_path, *data, f"preset={name}"), planned(tmp_path, *data)
    assert {step.name for step in plan if not step.implicit} == set(RECIPE.steps)
    changed = {step for step in RECIPE.steps if plan[step].fingerprint != plain[step].fingerprint}
    assert "scores" in changed
    named = {path.split(".")[0] for path in RECIPE.presets[name]} & set(RECIPE.steps)
    assert named <= changed  # no part of a preset says what the recipe says already
    for preset in ("tagging", "classification"):
        planned(tmp_path, *data, f"preset={name}", f"preset={preset}")


def test_only_text_of_the_language_becomes_a_model_that_transformers_load(data: list[str], tmp_path: Path) -> None:
    found = made(tmp_path, *data, "preset=gottbert", "preset=classification", "length=64", "size=400")
    corpus: Any = found["corpus"]
    texts = [row["text"] for split in corpus.splits() for row in corpus.documents(split)]
    assert sorted(texts) == sorted(GERMAN[:24] + GERMAN[36:])  # the others are what the labeled test asks about
    dropped = list(corpus.dropped())
    assert sorted(row["text"] for row in dropped) == sorted(ENGLISH)
    assert all(row["step"] == "language" and row["reason"].startswith("language eng") for row in dropped)
    card = (corpus.path / "README.md").read_text()
    assert "language:\n- deu" in card
    summary = json.loads((found["scores"].path / "summary.json").read_text())
    assert set(summary) == {"masked_accuracy", "classification"}
    systems = summary["masked_accuracy"]["systems"]
    assert {"model", "untrained", "unigram", "neighbors"} == set(systems)
    page = write_report(tmp_path / "runs" / "mine").read_text()
    assert "bits_per_masked_byte" in page or "bits a masked byte" in page or "bits per masked byte" in page
    transformers = pytest.importorskip("transformers")
    folder = str(found["encoder"].path)
    tokenizer, model = (getattr(transformers, name).from_pretrained(folder) for name in ("AutoTokenizer", "AutoModel"))
    assert tokenizer.decode(tokenizer(GERMAN[0])["input_ids"], skip_special_tokens=True) == GERMAN[0]
    assert model(**tokenizer(GERMAN[0], return_tensors="pt")).last_hidden_state.shape[-1] == 32


def test_two_tasks_or_detection_in_place_of_masks(data: list[str], tmp_path: Path) -> None:
    """BERT's two tasks, and ELECTRA, whose scores are of what it has learned."""
    given = [*data, "language=deu", "contact=eng", "size=400", "length=32"]
    two = made(tmp_path, *given, "preset=tunbert")["encoder"]
    line = json.loads((two.path / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["relation.loss"] > 0
    found = made(tmp_path, *given, "preset=banglabert", "preset=classification")
    summary = json.loads((found["scores"].path / "summary.json").read_text())
    assert set(summary) == {"replaced_tokens", "classification"}
    assert set(summary["replaced_tokens"]["systems"]) == {"model", "untrained", "neighbors"}


def test_a_space_of_thai_is_a_token(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "thai.txt").write_text("\n".join(THAI))
    given = [f"data={tmp_path / 'texts'}", "preset=wangchanberta", "preset=lines", "size=400", "length=32"]
    found = made(tmp_path, *given)
    corpus, vocabulary = found["corpus"], found["vocabulary"]
    assert corpus.counts["kept"]["documents"] == len(THAI)
    assert next(iter(corpus.documents("train")))["text"].count(" ") == 1  # type: ignore[attr-defined]
    tokens = vocabulary.load().encode("วันนี้ และ", add_special_tokens=False).tokens  # type: ignore[attr-defined]
    assert tokens.count("\u2581") == 1


def test_of_fifty_files_some_are_held_out_whole(tmp_path: Path) -> None:
    """By the recipe's usual shares (2% and 5%) the validation part of these has no file."""
    (tmp_path / "texts").mkdir()
    for number in range(50):
        first, second = GERMAN[number % 24], GERMAN[24 + number % 12]
        (tmp_path / "texts" / f"{number}.txt").write_text(f"{first}\n\n{second}\n\nDas ist der {number}. Text.")
    parts = {}
    for changes in ([], ["corpus.split={validation: 0.02, test: 0.05}"]):
        recipe = RECIPE.overridden([f"data={tmp_path / 'texts'}", "language=deu", "preset=files", *changes])
        plan = make_plan(recipe, Store(tmp_path / "store"), ["corpus"])
        corpus: Any = run_plan(plan, say=lambda line: None)["corpus"]
        parts[len(changes)] = {split: len(list(corpus.documents(split))) for split in ("train", "validation", "test")}
        assert all(row["text"].count("\n\n") == 2 for row in corpus.documents("train"))
    assert parts[1]["validation"] == 0 < min(parts[0]["validation"], parts[0]["test"])


def test_a_language_that_was_not_named_is_an_error_before_anything_is_trained(data: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown language 'und'") as caught:
        made(tmp_path, *data)
    assert "curate.2.language" in str(caught.value)


def test_a_corpus_without_a_language_that_is_known_keeps_all(data: list[str], tmp_path: Path) -> None:
    corpus = made(tmp_path, *data, "preset=unlisted", "preset=monobyte", "budget=600 tokens")["corpus"]
    assert corpus.counts["read"]["documents"] == len(GERMAN) + len(ENGLISH)
    assert corpus.counts["kept"]["documents"] == len(GERMAN) + len(ENGLISH)
