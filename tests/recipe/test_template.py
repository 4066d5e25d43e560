"""`seedbed new`: what it finds in a folder and what it writes."""

import gzip
import json

import pytest
import yaml

from seedbed.core.errors import InputError
from seedbed.recipe.recipe import load_recipe
from seedbed.recipe.template import write_recipe


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "my texts"
    (home / "sub").mkdir(parents=True)
    (home / "a.txt").write_text("words " * 1000)
    (home / "sub" / "b.md").write_text("more " * 1000)
    (home / ".cache").mkdir()
    (home / ".cache" / "c.txt").write_text("hidden")
    with gzip.open(home / "d.jsonl.gz", "wt") as file:
        file.write(json.dumps({"key": 1, "body": "a long field of text", "title": "t"}) + "\n")
    (home / "e.csv").write_text("number,remarks\n1,some remarks of some length\n")
    return home


@pytest.mark.parametrize("goal", ["encoder", "decoder"])
def test_the_recipe_reads_what_is_there(folder, tmp_path, goal):
    lines = write_recipe(folder, goal, "auto", tmp_path / "r.yaml")
    recipe = load_recipe(tmp_path / "r.yaml")
    assert recipe.name == f"my-texts-{goal}"
    read = recipe.steps["corpus"]["build_corpus"]["read"]
    assert [next(iter(reader)) for reader in read] == ["csv", "jsonl", "text", "text"]
    assert read[0]["csv"]["text"] == "remarks" and read[1]["jsonl"]["text"] == "body"
    assert not any(".cache" in line for line in lines)
    assert goal in recipe.steps and "scores" in recipe.steps
    comments = [line for line in (tmp_path / "r.yaml").read_text().splitlines() if "#" in line]
    assert len(comments) >= 8


def test_more_text_makes_a_larger_model(folder, tmp_path):
    def width(text_bytes):
        (folder / "a.txt").write_bytes(b"word " * (text_bytes // 5))
        write_recipe(folder, "encoder", "auto", tmp_path / "r.yaml")
        return yaml.safe_load((tmp_path / "r.yaml").read_text())["steps"]["encoder"]["pretrain"]["model"]["encoder"][
            "width"
        ]

    assert width(10_000) < width(20_000_000)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"goal": "encodr"}, "did you mean 'encoder'"),
        ({"size": "huge"}, "unknown size"),
        ({"folder": "none"}, "no such folder"),
        ({"folder": "empty"}, "holds no file that a reader knows"),
    ],
)
def test_mistakes(folder, tmp_path, change, words):
    (tmp_path / "empty").mkdir()
    place = tmp_path / change["folder"] if "folder" in change else folder
    with pytest.raises(InputError, match=words):
        write_recipe(place, change.get("goal", "encoder"), change.get("size", "auto"), tmp_path / "r.yaml")
    assert not (tmp_path / "r.yaml").exists()
