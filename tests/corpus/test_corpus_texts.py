"""Which files of a labeled set are for training."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus.input.texts import part_of, training_files


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train.jsonl", "train"),
        ("test-00000.jsonl.zst", "test"),
        ("Dev_1.csv", "dev"),
        ("testimony.jsonl", "testimony"),
        ("a-test.jsonl", "a"),
    ],
)
def test_the_part_that_a_name_speaks_of(name: str, part: str) -> None:
    assert part_of(Path(name)) == part


def test_neither_files_nor_folders_for_testing_are_learned_from(tmp_path: Path) -> None:
    root = tmp_path / "test"  # what the user calls the folder itself does not count
    taken = ["a.jsonl", "train/a.jsonl", "train_0.jsonl"]
    for name in (*taken, "test_0.jsonl", "test/a.jsonl", "x/validation/a.jsonl", "valid.jsonl", "manifest.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")
    found = training_files(Source(str(root)))
    assert [path.relative_to(root).as_posix() for path in found] == taken
    with pytest.raises(InputError, match="holds no file of training texts"):
        training_files(Source(str(root / "valid.jsonl")))
