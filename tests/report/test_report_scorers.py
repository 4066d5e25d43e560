"""The sections of a run's page on scorers and extractors, from steps that ran, and what controls become in words."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from report_world import ATTACK, check_page

from seedbed.core.artifact import MANIFEST
from seedbed.recipe.execute import Workspace, run_recipe
from seedbed.recipe.recipe import parse_recipe
from seedbed.report import write_report
from seedbed.report.collect.run import RunReport, collect_run
from seedbed.report.collect.scorers import concluded

WORDS = {
    "good": ["river", "stone", "moss", "fern", "trout", "mill", "bridge", "water"],
    "bad": ["offer", "cheap", "click", "now", "win", "buy"],
}


def _texts(kind: str, num: int) -> list[str]:
    draw = random.Random(kind)
    return [" ".join(draw.choices([*WORDS[kind], "the", "of", "a"], k=40)) for _ in range(num)]


def _page(number: int) -> dict[str, Any]:
    text = f"Page {number} tells at length of the mill. " + " ".join(_texts("good", 4)) + "."
    menu = "".join(f"<li><a href='/{n}'>link {n}</a></li>" for n in range(6))
    html = f"<html><body><nav><ul>{menu}</ul></nav><main><p>{text}</p><p>{text}</p></main></body></html>"
    return {"url": f"https://site{number}.example/x", "html": html, "article": f"{text}\n{text}"[number:]}


def _write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scorers")
    files = {kind: _write(root / f"{kind}.jsonl", [{"text": t} for t in _texts(kind, 120)]) for kind in WORDS}
    pages = _write(root / "pages.jsonl", [_page(number) for number in range(30)])
    steps: dict[str, Any] = {
        "corpus": {"build_corpus": {"read": [{"jsonl": {"path": files["good"]}}]}},
        "quality": {
            "train_scorer": {
                "method": {"ngram_classifier": {"good": "corpus", "bad": files["bad"], "bits": 10, "held_back": 0.3}}
            }
        },
        "insults": {"train_scorer": {"method": {"lexicon": {"terms": {ATTACK: 1.0, "cheap": 2.0}}}}},
        "learned": {"train_extractor": {"pages": [pages], "width": 16, "layers": 1, "epochs": 1, "folds": 3}},
        "ruled": {"measure_extraction": {"extractor": "resiliparse", "pages": [pages], "folds": 3}},
        "elsewhere": {"measure_extraction": {"extractor": "resiliparse", "pages": [pages], "folds": 0}},
    }
    recipe = parse_recipe({"name": "filters", "steps": steps})
    place = Workspace(root / "runs")
    run_recipe(recipe, place, say=lambda line: None)
    return place.folder(recipe)


@pytest.fixture(scope="module")
def run(folder: Path) -> RunReport:
    return collect_run(folder)


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    html = write_report(folder).read_text(encoding="utf8")
    assert ATTACK not in html
    return check_page(html).text


def test_what_a_scorer_reaches_and_its_controls(folder: Path, run: RunReport, text: str) -> None:
    counts = json.loads((folder / "quality" / MANIFEST).read_text())["counts"]
    scorer = next(found for found in run.scorers if found.name == "quality")
    assert scorer.method == "ngram_classifier" and scorer.settings["good"] == "corpus"
    assert scorer.qualities["auc"] == counts["auc"] and scorer.sizes["held_back"] == counts["held_back"]
    assert scorer.classes == counts["examples"] and f"bad{counts['examples']['bad']}" in text
    losses = counts["filter"]["bits_per_byte"]
    assert scorer.gains["low"] == losses["1.0"]["low"] - losses["0.1"]["low"]
    assert scorer.conclusion is not None
    for words in (scorer.conclusion.words, *scorer.conclusion.sentences, f"{counts['filter']['good']} good texts"):
        assert words.lower() in text.lower()
    for row in losses.values():
        assert f"{row['high']:.3f}" in text
    assert "Scorers" in text and "Extraction" in text and "surely better" in text


def test_a_scorer_without_controls(run: RunReport, text: str) -> None:
    scorer = next(found for found in run.scorers if found.name == "insults")
    assert scorer.conclusion is None and scorer.gains == {} and scorer.sizes["terms"] == 2
    assert "comes without the controls" in text


def test_extractors_on_the_same_pages_stand_together(folder: Path, run: RunReport, text: str) -> None:
    learned, ruled, elsewhere = (
        next(found for found in run.extractions if found.name == name) for name in ("learned", "ruled", "elsewhere")
    )
    assert learned.test == ruled.test != elsewhere.test and learned.pages == ruled.pages < elsewhere.pages == 30
    assert ruled.words is not None and ruled.span["low"] <= ruled.words.f1 <= ruled.span["high"]
    assert learned.is_trained and learned.nodes is not None and learned.span["low"] is None
    counts = json.loads((folder / "ruled" / MANIFEST).read_text())["counts"]
    assert ruled.words.f1 == counts["words"]["f1"] and ruled.without_text == counts["without_text"]
    assert "On the same 30 pages" in text and "resiliparse (" in text and "trained here" in text


SURE = {"all": True, "high": True, "low": True}
GAINS = {"all": 0.2, "high": 0.3, "low": 0.1}


@pytest.mark.parametrize(
    ("better", "gains", "sees", "state", "said"),
    [
        (SURE, GAINS, True, "good", "also those that it scores low"),
        (SURE, GAINS, False, "open", "also those that it scores low"),
        (SURE | {"low": False}, GAINS | {"low": -0.1}, True, "bad", "has chosen that part itself"),
        (SURE | {"all": False, "low": False}, GAINS | {"low": -0.1}, True, "bad", "has chosen that part itself"),
        (SURE | {"low": False}, GAINS, True, "open", "but not surely those that it scores low"),
        (SURE | {"high": False}, GAINS, True, "open", "together and those that it scores low better"),
        (dict.fromkeys(SURE, False), GAINS, True, "open", "might show a gain"),
        (dict.fromkeys(SURE, False), GAINS | {"all": -0.1}, True, "bad", "better than one of everything."),
        ({}, {}, True, "unknown", "too few to tell"),
    ],
)
def test_what_the_controls_say_in_words(
    better: dict[str, bool], gains: dict[str, float], sees: bool, state: str, said: str
) -> None:
    noise = {"texts": 40, "sees_noise": sees, "mean_score": {}}
    found = concluded(noise, {"good": 40, "pool": 400, "better": better}, gains)
    assert found.state == state and said in found.sentences[0]
    assert ("does not surely" in found.sentences[1]) == (not sees)
    assert (found.words == "does what it claims") == (state == "good")


def test_too_few_texts_for_noise_are_no_blindness() -> None:
    noise = {"texts": 1, "sees_noise": False, "mean_score": {}}
    assert "too few" in concluded(noise, {"good": 1, "pool": 3, "better": {}}, {}).sentences[1]
