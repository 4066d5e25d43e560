"""The page of a comparison."""

from __future__ import annotations

import json
import re

import pytest
from report_world import ATTACK, check_page, entry

from seedbed.core.errors import InputError
from seedbed.report import write_report


def page(folder, result):
    path = folder / "masking-rate.json"
    path.write_text(json.dumps(result))
    written = write_report(path)
    assert written == folder / "masking-rate.html"
    html = written.read_text(encoding="utf8")
    return html, check_page(html).text


def test_it_answers_what_was_compared_and_what_came_out(comparison, tmp_path):
    html, text = page(tmp_path, comparison)
    for words in (
        "Should you mask 15%?",
        "Reproduced",
        "✓ holds high > low : left side minus right side +2.9 points [+1.7, +4.1]".replace(" :", ":"),
        "its interval lies on the claimed side of zero",
        "31.2 % [28.7, 33.7]",
        "34.1 % [31.6, 36.6]",
        "encoder.objective.mlm.rate",
        "A model of 4 layers in place of 24.",
        "seedbed study 280",
        "3.20\u00d710¹³",
        "7 min 12 s",
        "The differences spread by 0.5 points",
        "1.1 points; the claim is of 2.0 points",
        "All arms trained on the same number of tokens.",
        "+9.3 %",
    ):
        assert words in text, words
    assert ATTACK not in html and ATTACK in text
    for tone in ("s1", "s2"):
        assert len(re.findall(f'<path d="[^"]+" class="line {tone}"', html)) == 2  # an arm's curve, wide and narrow


@pytest.mark.parametrize(
    ("verdict", "word"),
    [("contradicted", "Contradicted"), ("not resolved", "Not resolved"), (None, "Measured")],
)
def test_every_verdict_has_its_word(comparison, tmp_path, verdict, word):
    comparison["verdict"] = verdict
    text = page(tmp_path, comparison)[1]
    assert word in text and "Reproduced" not in text


def test_a_quick_run_says_that_it_decides_nothing(comparison, tmp_path):
    assert "A quick run." not in page(tmp_path, comparison)[1]
    comparison["quick"] = True
    assert "A quick run." in page(tmp_path, comparison)[1]


def test_what_is_not_known_is_left_out(comparison, tmp_path):
    """One seed, no claim, no curves, no costs."""
    for arm in comparison["arms"].values():
        arm.update(curves={}, cost=dict.fromkeys(arm["cost"]), artifacts=[])
        arm["summary"]["accuracy"] = entry(0.3, None)
        arm["values"]["accuracy"] = [0.3]
    difference = {"difference": entry(0.0, None), "effect_size": None, "relative": None}
    comparison["differences"] = [{"first": "high", "second": "low", "metric": "accuracy", **difference}]
    comparison.update(seeds=[17], contrasts=[], verdict=None, rule=None, power=None, expect=None, claim="", notes="")
    text = page(tmp_path, comparison)[1]
    assert "Loss curves" not in text and "30.0 %" in text and "nan" not in text.lower() and "None" not in text


def test_a_mean_of_several_places_is_explained_by_their_metric(comparison, tmp_path):
    comparison["metrics"]["accuracy"]["path"] = "scores.one.macro_f1, scores.two.macro_f1.untrained"
    assert "macro F1" in page(tmp_path, comparison)[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 99}, "newer version"),
        ({"arms": None}, "no arms and metrics"),
        ({"arms": {}}, "compares nothing"),
    ],
)
def test_other_files_are_refused(comparison, tmp_path, change, words):
    path = tmp_path / "other.json"
    path.write_text(json.dumps({**comparison, **change}))
    with pytest.raises(InputError, match=words):
        write_report(path)
    assert not path.with_suffix(".html").exists()


def test_what_is_no_json_is_refused(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        write_report(tmp_path / "broken.json")
    with pytest.raises(InputError, match="no such run or result"):
        write_report(tmp_path / "nowhere")


def test_a_long_comparison_stays_small(comparison, tmp_path):
    arm = comparison["arms"]["low"]
    many = 5_000
    arm["curves"]["encoder"] = {"tokens": list(range(1, many + 1)), "loss": [3.0] * (many - 1) + [50.0]}
    comparison["arms"] = {f"arm-{number}": arm for number in range(10)}
    comparison.update(reference="arm-0", differences=[], contrasts=[])
    html, _ = page(tmp_path, comparison)
    assert len(html.encode()) < 1_000_000
