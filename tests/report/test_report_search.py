"""The page of a search, by itself and within a run's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from report_world import ATTACK, check_page

from seedbed.core.errors import InputError
from seedbed.recipe.execute import Workspace, run_recipe
from seedbed.recipe.recipe import parse_recipe
from seedbed.report import write_report
from seedbed.report.collect.search import search_of
from seedbed.report.numbers import significant

SPACE = {"width": {"between": [1, 9]}, "kind": ["narrow", "wide", "none"]}


def point(number: int, value: float | None, best: float | None, kind: str, size: float = 2e6) -> dict[str, Any]:
    row = {"number": number, "values": {"encoder.width": 64 * number, "encoder.kind": kind}, "value": value}
    return row | {"best": best, "parameters": size, "tokens": 1e6, "flops": 1.5e12}


@pytest.fixture
def result() -> dict[str, Any]:
    refused = [{"values": {}, "problem": f"3000000 are more than max_parameters ({ATTACK})"}] * 2
    return {
        "format": 1,
        "name": "widths",
        "metric": "scores.masked_accuracy.accuracy",
        "goal": "most",
        "searcher": {"tree": {"bins": 3}},
        "points": [
            point(1, 0.30, 0.30, "a"),
            point(2, None, 0.30, "b"),
            point(3, 0.42, 0.42, ATTACK),
            point(4, 0.41, 0.42, ATTACK),
        ],
        "best": point(3, 0.42, 0.42, ATTACK),
        "confirmed": [0.38, 0.40],
        "refused": [*refused, {"values": {}, "problem": "heads do not divide the width"}],
    }


def test_points_are_ranked_and_told_by_what_differs(result: dict[str, Any]) -> None:
    found = search_of(result, "widths")
    assert [tried.number for tried in found.points] == [3, 4, 1] and found.num_points == 4 and found.num_failed == 1
    assert found.best is not None and list(found.best.settings) == ["encoder.width", "encoder.kind"]
    assert found.points[1].settings == {"encoder.width": "256"} and found.points[2].settings["encoder.kind"] == "a"
    assert [count for _, count in found.refused] == [2, 1]
    result["goal"] = "least"
    assert [tried.number for tried in search_of(result, "widths").points] == [1, 4, 3]


def test_the_page_of_a_file(result: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "widths.json").write_text(json.dumps(result))
    html = write_report(tmp_path / "widths.json").read_text(encoding="utf8")
    outline = check_page(html)
    assert ATTACK not in html and ATTACK in outline.text
    for words in ("0.4200", "0.3900mean of 2", "the best was number 3; 1 diverged", "tree (bins=3)", "2.00 M"):
        assert words in outline.text, words
    assert "2 times: 3000000 are more than max_parameters" in outline.text and "More is better" in outline.text
    result["points"] = [point(1, None, None, "a")]
    (tmp_path / "widths.json").write_text(json.dumps(result))
    assert "No point has a value" in write_report(tmp_path / "widths.json").read_text(encoding="utf8")
    del result["points"][0]["values"], result["points"][0]["value"]
    (tmp_path / "widths.json").write_text(json.dumps(result))
    with pytest.raises(InputError, match="is not the result of a search"):
        write_report(tmp_path / "widths.json")


def test_a_search_in_a_run_done_and_in_the_making(tmp_path: Path) -> None:
    step = {"search": {"space": SPACE, "surface": "effects", "searcher": "random", "evaluations": 12, "confirm": 2}}
    recipe = parse_recipe({"name": "small", "seed": 3, "steps": {"found": step}})
    place = Workspace(tmp_path / "runs")
    made = run_recipe(recipe, place, say=lambda line: None)["found"]
    outline = check_page(write_report(place.folder(recipe)).read_text(encoding="utf8"))
    assert significant(made.counts["best"], 4) in outline.text and "12 points tried" in outline.text
    assert ("a", {"href": "#searches"}) in outline.tags

    # As it is while it runs: the store has a working folder, and the run no result of the step yet.
    working = place.store.root / "unfinished" / made.path.name
    made.path.resolve().rename(working)
    (working / "manifest.json").unlink()
    rows = json.loads((place.folder(recipe) / "steps.json").read_text())
    del rows["found"]
    (place.folder(recipe) / "steps.json").write_text(json.dumps(rows))
    outline = check_page(write_report(place.folder(recipe)).read_text(encoding="utf8"))
    assert "found not finished" in outline.text and "in the making" in outline.text
