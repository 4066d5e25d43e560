"""Dictionaries from text, JSON lines, lists of concepts, and from a ciphered corpus that knows its own."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from made_languages import run

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.core.step import StepContext
from seedbed.recipe.execute import workspace
from seedbed.vectors.artifact import Dictionary
from seedbed.vectors.dictionary import read_dictionary
from seedbed.worlds import worlds
from seedbed.worlds.generate import generate


def read(folder: Path, **given: Any) -> tuple[StepContext, Dictionary]:
    return run(read_dictionary, folder, **{"test_share": 0.0, **given}), Dictionary(folder)


def test_every_kind_of_file_gives_the_same_pairs(tmp_path: Path) -> None:
    pairs = [("dog", "Hund"), ("cat", "Katze"), ("cat", "Kater")]
    (tmp_path / "d.tsv").write_text("dog\tHund\ncat\tKatze\tKater\n\nhot dog\tHotdog\ndog\tHund\n")
    (tmp_path / "d.txt").write_text("dog Hund\ncat  Katze\ncat\tKater\n")
    rows = [{"en": "dog", "tr": ["Hund", "der Hund"]}, {"en": "cat", "tr": ["Katze", "Kater"]}]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with zipfile.ZipFile(tmp_path / "lists.zip", "w") as archive:
        archive.writestr("lists/long/eng.txt", "dog\n\ncat\nhot dog\n")
        archive.writestr("lists/long/deu.txt", "Hund\nleer\nKatze\tKater\n\n")
        archive.writestr("lists/short/eng.txt", "other\n")
    made, found = read(tmp_path / "1", source=Source(tmp_path / "d.tsv"))
    assert found.pairs() == pairs and found.pairs("test") == []
    assert made.counts == {"train": 3, "test": 0, "left_out": {"several words": 1, "repeated": 1}}
    assert read(tmp_path / "2", source=Source(tmp_path / "d.txt"))[1].pairs() == pairs
    assert read(tmp_path / "3", source=Source(tmp_path / "d.jsonl"), fields=("en", "tr"))[1].pairs() == pairs
    lists = ("long/eng.txt", "long/deu.txt")
    assert read(tmp_path / "4", source=Source(tmp_path / "lists.zip"), lists=lists)[1].pairs() == pairs
    turned = read(tmp_path / "5", source=Source(tmp_path / "d.txt"), reverse=True)[1].pairs()
    assert turned == [(b, a) for a, b in pairs]


def test_a_source_word_is_in_one_part_with_all_its_translations(tmp_path: Path) -> None:
    lines = [f"{word}\tt{number}\n" for number in range(400) for word in (f"w{number}", f"W{number}", f"w{number}")]
    lines += [f"w{number}\tu{number}\n" for number in range(400)]
    (tmp_path / "d.tsv").write_text("".join(lines))
    made, found = read(tmp_path / "1", source=Source(tmp_path / "d.tsv"), test_share=0.25)
    parts = [{word.lower() for word, _ in found.pairs(part)} for part in ("train", "test")]
    assert not parts[0] & parts[1] and len(parts[0] | parts[1]) == 400
    assert 70 < len(parts[1]) < 130 and len(found.pairs("test")) == 3 * len(parts[1])
    assert made.counts["left_out"]["repeated"] == 400
    other = read(tmp_path / "2", source=Source(tmp_path / "d.tsv"), test_share=0.25, seed=1)[1]
    assert other.pairs("test") != found.pairs("test")


def test_a_ciphered_corpus_knows_its_dictionary(tmp_path: Path) -> None:
    with workspace(tmp_path / "runs"):
        ciphered = generate(world=worlds.parse({"cipher": {"documents": 4}}), split={})  # type: ignore[arg-type]
        made = read_dictionary(corpus=ciphered, test_share=0.5)
    rows = [json.loads(line) for line in (ciphered.path / "truth/dictionary.jsonl").open()]
    found = made.pairs("train") + made.pairs("test")
    assert sorted(found) == sorted((row["source"], row["target"]) for row in rows) and len(found) > 20


@pytest.mark.parametrize(
    ("name", "text", "given", "problem"),
    [
        ("d.txt", "a line of prose\n", {}, "no line of a dictionary"),
        ("d.tsv", "two words\tzwei\n", {}, "no pair"),
        ("d.jsonl", '{"en": "dog", "tr": ["Hund"]}\n', {}, "'source' is no word"),
        ("d.jsonl", "{\n", {}, "not JSON"),
        ("d.txt", "a b\n", {"lists": ("x.txt", "y.txt")}, "no file's name ends so"),
        ("d.txt", "a b\n", {"test_share": 1.0}, "must lie in"),
    ],
)
def test_what_is_no_dictionary_is_said(
    name: str, text: str, given: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=problem):
        read(tmp_path / "out", source=Source(tmp_path / name), **given)
    with pytest.raises(InputError, match="either files or"):
        read(tmp_path / "none")
