"""`seedbed lexicon` as a user meets it: vectors whose rotation is known, and what is wrong said as elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from seedbed.cli.lexicon import lexicon
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.vectors.artifact import AlignedVectors

NUMBER, WIDTH = 150, 12


def told(*arguments: object) -> str:
    app = typer.Typer()
    app.command()(lexicon)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception:
        raise done.exception
    return done.stdout


def write_vectors(path: Path, words: list[str], matrix: np.ndarray) -> None:
    rows = [" ".join([word, *(f"{value:.5f}" for value in row)]) for word, row in zip(words, matrix, strict=True)]
    path.write_text("\n".join([f"{len(rows)} {matrix.shape[1]}", *rows]) + "\n")


def languages(folder: Path, noise: float) -> None:
    """Two languages whose vectors differ by a rotation and some noise; the other one's words stand in another order."""
    dice = np.random.default_rng(3)
    here = dice.standard_normal((NUMBER, WIDTH))
    turn = np.linalg.qr(dice.standard_normal((WIDTH, WIDTH)))[0]
    there = here @ turn + noise * dice.standard_normal((NUMBER, WIDTH))
    order = dice.permutation(NUMBER)
    write_vectors(folder / "here.vec", [f"a{i}" for i in range(NUMBER)], here)
    write_vectors(folder / "there.vec", [f"b{i}" for i in order], there[order])
    (folder / "pairs.tsv").write_text("".join(f"a{i}\tb{i}\n" for i in range(NUMBER)) + "unknown\tb3\n")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return tmp_path


FILES = ("here.vec", "there.vec", "pairs.tsv")


def test_a_rotation_is_found_and_without_alignment_there_is_chance(home: Path) -> None:
    languages(home, 0.02)
    found = json.loads(told(*FILES, "--json"))
    rows = {(row["method"], row["retrieval"]): row for row in found["rows"]}
    assert set(rows) == {(m, r) for m in ("none", "procrustes", "refined") for r in ("nearest", "csls")}
    for retrieval in ("nearest", "csls"):
        assert rows["procrustes", retrieval]["precision_1"]["mean"] == 1
        assert rows["refined", retrieval]["precision_1"]["mean"] == 1
        assert rows["none", retrieval]["precision_1"]["mean"] <= 0.1  # chance is 1 in 150
        assert rows["none", retrieval]["precision_10"]["mean"] <= 0.3
        assert rows["none", retrieval]["pairs"] is None
        assert rows["procrustes", retrieval]["seconds"] >= 0
    kept = [f"a{i}" for i in range(NUMBER) if float(uniform(key(0, "dictionary", f"a{i}"), 0)) < 0.2]
    assert found["covered"] == len(kept) and found["test_words"] - found["covered"] in (0, 1)
    assert found["coverage"] == found["covered"] / found["test_words"]
    assert found["source_words"] == found["target_words"] == NUMBER and found["dimensions"] == WIDTH
    assert rows["procrustes", "csls"]["pairs"] == NUMBER - len(kept)
    said = told(*FILES, "--methods", "procrustes")  # from the store
    assert "refined" not in said
    assert "1.000 [1.000, 1.000]" in said
    assert f"vectors: {NUMBER} source words, {NUMBER} target words, {WIDTH} dimensions" in said
    items = home / "runs" / "lexicon-here-vec-there-vec" / "procrustes-scores" / "items" / "lexicon.parquet"
    assert items.is_file()


def slow_precision(aligned: AlignedVectors, test: list[int], neighbors: int, rank: int) -> float:
    """The share of test words whose translation is among the best by 2 cos(x, y) - r(x) - r(y), pair by pair."""
    one, other = aligned.source, aligned.target
    cosines = np.array(
        [
            [float(x @ y) / float(np.sqrt(x @ x) * np.sqrt(y @ y)) for y in other.matrix_WD.astype(float)]
            for x in one.matrix_WD.astype(float)
        ]
    )
    hub = [sum(sorted(cosines[:, j])[-neighbors:]) / neighbors for j in range(len(other.words))]
    right = 0
    for number in test:
        row = one.words.index(f"a{number}")
        own = sum(sorted(cosines[row])[-neighbors:]) / neighbors
        scores = {other.words[j]: 2 * cosines[row, j] - own - hub[j] for j in range(len(other.words))}
        right += f"b{number}" in sorted(scores, key=lambda word: -scores[word])[:rank]
    return right / len(test)


def test_precision_by_csls_is_that_of_the_slow_formula(home: Path) -> None:
    languages(home, 0.9)  # so much noise that some words are wrong
    arguments = (*FILES, "--methods", "procrustes", "--neighbors", "4", "--seed", "5", "--test-share", "0.4", "--json")
    (row,) = (row for row in json.loads(told(*arguments))["rows"] if row["retrieval"] == "csls")
    aligned = AlignedVectors.open(home / "runs" / "lexicon-here-vec-there-vec" / "procrustes")
    test = [i for i in range(NUMBER) if float(uniform(key(5, "dictionary", f"a{i}"), 0)) < 0.4]
    for rank in (1, 5, 10):
        entry = row[f"precision_{rank}"]
        assert entry["mean"] == pytest.approx(slow_precision(aligned, test, 4, rank))
        assert entry["low"] <= entry["mean"] <= entry["high"]
    assert 0.1 < row["precision_1"]["mean"] < 0.9


def test_larger_dictionaries_translate_more(home: Path) -> None:
    languages(home, 0.3)
    arguments = (*FILES, "--pairs", "100,6,30,9999", "--methods", "none,procrustes")
    found = json.loads(told(*arguments, "--json"))
    rows = [row for row in found["rows"] if row["retrieval"] == "nearest"]
    assert [row["wanted_pairs"] for row in rows] == [None, 6, 30, 100, 9999]
    most = found["training_pairs"] - (found["test_words"] == found["covered"])  # `unknown` has no vector
    assert [row["pairs"] for row in rows] == [None, 6, 30, 100, most]
    means = [row["precision_1"]["mean"] for row in rows[1:]]
    assert means[0] < 0.5 and 0.9 < means[1] <= means[2] <= means[3] + 0.1
    said = told(*arguments)
    assert "fewer pairs than asked for: 9999;" in said


def test_json_lines_the_other_way_round_and_a_search_among_few(home: Path) -> None:
    languages(home, 0.02)
    lines = [json.dumps({"en": f"b{i}", "de": [f"a{i}", "two words"]}) for i in range(NUMBER)]
    (home / "pairs.jsonl").write_text("\n".join(lines) + "\n")
    arguments: tuple[Any, ...] = ("here.vec", "there.vec", "pairs.jsonl", "--fields", "en,de", "--reverse", "--json")
    found = json.loads(told(*arguments, "--methods", "procrustes", "--candidates", "75", "--words", "140"))
    assert found["source_words"] == found["target_words"] == 140
    assert 0.2 < found["coverage"] < 0.8  # the other translations are not among the candidates
    assert found["rows"][0]["precision_1"]["mean"] == 1


def test_results_of_steps_stand_for_files(home: Path) -> None:
    """Vectors that a recipe has made, and a corpus on which they are trained here."""
    from seedbed.recipe.execute import Workspace, run_recipe
    from seedbed.recipe.recipe import Recipe

    languages(home, 0.02)
    dice = np.random.default_rng(0)
    (home / "texts").mkdir()
    (home / "texts" / "a.txt").write_text(
        "\n".join(" ".join(f"b{i}" for i in dice.integers(0, 90, 300)) for _ in range(20))
    )
    steps = {
        "vectors": {"read_word_vectors": {"source": "here.vec"}},
        "corpus": {"build_corpus": {"read": [{"text": {"path": "texts", "unit": "line"}}], "curate": [], "split": {}}},
    }
    run_recipe(Recipe("mine", steps), Workspace(home / "runs"), say=lambda line: None)
    found = json.loads(told("runs/mine/vectors", "there.vec", "pairs.tsv", "--methods", "procrustes", "--json"))
    assert found["rows"][0]["precision_1"]["mean"] == 1
    found = json.loads(told("here.vec", "runs/mine/corpus", "pairs.tsv", "--json", "--methods", "none"))
    assert 0 < found["target_words"] <= 90
    with pytest.raises(InputError, match="is an artifact, of which all words are taken"):
        told("runs/mine/vectors", "there.vec", "pairs.tsv", "--words", "10")


@pytest.mark.parametrize(
    ("arguments", "key", "problem"),
    [
        (["nowhere.vec", "there.vec", "pairs.tsv"], "SOURCE", "no file has this path"),
        (["here.vec", "nowhere.vec", "pairs.tsv"], "TARGET", "no file has this path"),
        (["here.vec", "there.vec", "nowhere.tsv"], "DICTIONARY", "no file has this path"),
        (["here.vec", "texts", "pairs.tsv"], "TARGET", r"is a folder of files[\s\S]*train_word_vectors"),
        (["here.vec", "texts/a.txt", "pairs.tsv"], "source", r"holds no word vectors[\s\S]*train_word_vectors"),
        (["here.vec", "there.vec", "columns.txt"], "source", "is no line of a dictionary"),
        (["here.vec", "there.vec", "pairs.jsonl"], "fields", "'source' is no word or list of words"),
        (
            ["here.vec", "there.vec", "other.tsv", "--methods", "refined"],
            "dictionary",
            "only 0 of [0-9]+ pairs have vectors on both sides",
        ),
        (["here.vec", "there.vec", "other.tsv", "--methods", "none"], "dictionary", "none of its [0-9]+ test words"),
        (["here.vec", "there.vec", "pairs.tsv", "--test-share", "0"], "dictionary", "none of its 0 test words"),
        (["here.vec", "there.vec", "pairs.tsv", "--test-share", "1"], "test_share", "must lie in"),
        (
            ["here.vec", "there.vec", "pairs.tsv", "--methods", "none,procustes"],
            "--methods",
            "did you mean 'procrustes'",
        ),
        (["here.vec", "there.vec", "pairs.tsv", "--methods", ","], "--methods", "names none"),
        (["here.vec", "there.vec", "pairs.tsv", "--pairs", "many"], "--pairs", "is no size of a dictionary"),
        (["here.vec", "there.vec", "pairs.tsv", "--fields", "en"], "--fields", "two names are wanted"),
        (["here.vec", "there.vec", "pairs.tsv", "--words", "0"], "limit", "must be at least 1"),
        (["here.vec", "there.vec", "pairs.tsv", "--neighbors", "0"], "neighbors", "is too small"),
    ],
)
def test_what_is_wrong_is_said(home: Path, arguments: list[str], key: str, problem: str) -> None:
    languages(home, 0.02)
    (home / "texts").mkdir()
    (home / "texts" / "a.txt").write_text("The river rises in the hills.\nIt runs for many miles past the town.\n")
    (home / "columns.txt").write_text("one two three\n")
    (home / "pairs.jsonl").write_text(json.dumps({"en": "a1", "de": "b1"}) + "\n")
    (home / "other.tsv").write_text("".join(f"un{i}\tdeux{i}\n" for i in range(50)))
    with pytest.raises(InputError, match=problem) as caught:
        told(*arguments)
    assert caught.value.key == key
