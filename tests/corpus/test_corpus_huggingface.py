"""Configurations and splits of dataset folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seedbed.core.errors import InputError

CARD = """---
license: cc0-1.0
configs:
- config_name: first
  data_files:
  - split: train
    path:
    - one/b*.jsonl
    - one/**
  - split: train_sft
    path: two/sft.jsonl
  - split: gone
    path: ../outside.jsonl
- config_name: second
  data_dir: deep/er
- config_name: third
  data_files: "*.csv"
---
# A dataset
---
no: yaml
---
"""
FILES = ["one/a.jsonl", "one/b.jsonl", "one/c/d.jsonl", "one/.hidden.jsonl", "one/x.txt", "two/sft.jsonl"]
FILES += ["deep/er/data/train_sft-00000-of-00002.jsonl", "deep/er/data/train_sft-00001-of-00002.jsonl"]
FILES += ["deep/er/data/train-00000-of-00001.jsonl", "deep/er/dev/a.jsonl", "top.csv"]


def dataset(folder: Path, card: str | None = CARD, files: list[str] = FILES) -> Path:
    root = folder / "set"
    for name in [*files, "../outside.jsonl"]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text\n{name}\n" if name.endswith(".csv") else json.dumps({"text": name}) + "\n")
    if card is not None:
        (root / "README.md").write_text(card)
    return root


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"config": "first"}, ["one/b.jsonl", "one/a.jsonl", "one/c/d.jsonl"]),
        ({"config": "first", "split": "train_sft"}, ["two/sft.jsonl"]),
        ({"config": "second"}, ["deep/er/data/train-00000-of-00001.jsonl"]),
        ({"config": "second", "split": "train_sft"}, FILES[6:8]),
        ({"config": "second", "split": "validation"}, ["deep/er/dev/a.jsonl"]),
        ({"config": "third"}, ["top.csv"]),
    ],
)
def test_configurations_of_a_card(given: dict[str, str], wanted: list[str], tmp_path: Path, helpers: Any) -> None:
    documents, broken = helpers.read("huggingface", path=str(dataset(tmp_path)), **given)
    assert [document.text for document in documents] == wanted and not broken
    assert documents[0].source == f"set/{wanted[0]}"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "several configurations"),
        ({"config": "frist"}, "did you mean 'first'"),
        ({"config": "first", "split": "test"}, "unknown split 'test'"),
        ({"config": "first", "split": "gone"}, "none of the files of split gone"),
    ],
)
def test_what_a_card_does_not_have(given: dict[str, str], problem: str, tmp_path: Path, helpers: Any) -> None:
    with pytest.raises(InputError, match=problem):
        helpers.read("huggingface", path=str(dataset(tmp_path)), **given)


@pytest.mark.parametrize("mark", ["default: true", ""])
def test_the_default_configuration(mark: str, tmp_path: Path, helpers: Any) -> None:
    name = "second" if mark else "default"
    card = CARD.replace("config_name: second", f"config_name: {name}\n  {mark}")
    documents, _ = helpers.read("huggingface", path=str(dataset(tmp_path, card)), split="validation")
    assert [document.text for document in documents] == ["deep/er/dev/a.jsonl"]


@pytest.mark.parametrize(
    "head",
    ["configs: [", "configs: 7", "configs: [7]", "configs: [{a: 1}]", "configs: [{config_name: a, data_dir: ../b}]"],
)
def test_a_card_that_cannot_be_understood(head: str, tmp_path: Path, helpers: Any) -> None:
    with pytest.raises(InputError, match=r"the head of README.md cannot be understood"):
        helpers.read("huggingface", path=str(dataset(tmp_path, f"---\n{head}\n---\n")), config="a")


@pytest.mark.parametrize("card", [None, "# No head", "---\nlicense: mit\n---\n"])
def test_without_a_declaration_a_configuration_is_a_folder(card: str | None, tmp_path: Path, helpers: Any) -> None:
    root = str(dataset(tmp_path, card))
    documents, _ = helpers.read("huggingface", path=root, config="one")
    assert [document.text for document in documents] == ["one/a.jsonl", "one/b.jsonl", "one/c/d.jsonl"]
    with pytest.raises(InputError, match=r"unknown configuration '\.\.'"):
        helpers.read("huggingface", path=root, config="..")


def test_a_saved_dataset_names_no_file_elsewhere(tmp_path: Path, helpers: Any) -> None:
    root = dataset(tmp_path, None)
    (root / "one" / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../../outside.jsonl"}]}))
    with pytest.raises(InputError, match="names a file that is not in it"):
        helpers.read("huggingface", path=str(root), config="one")
    (root / "dataset_dict.json").write_text("[")
    with pytest.raises(InputError, match=r"dataset_dict.json is broken"):
        helpers.read("huggingface", path=str(root))
