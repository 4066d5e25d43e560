"""Tables of glyphs and sounds: formats, the order of the vocabulary, and what is wrong with them."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_characters import character_tokenizer, characters, looks_and_sounds, written

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.side_tables import side_table

TOKENS = [*characters(12), "\u4e03\u4e04", "x"]
MADE = looks_and_sounds(characters(12))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return character_tokenizer(tmp_path_factory.mktemp("tokenizer") / "made", TOKENS)


def pixels(bitmap: str) -> list[int]:
    return [255 * (mark == "#") for mark in bitmap if mark != "/"]


def array_file(path: Path, **arrays: Any) -> Source:
    np.savez(path, **arrays)
    return Source(path)


def test_glyphs_stand_in_the_order_of_the_vocabulary(tokenizer: Tokenizer, tmp_path: Path) -> None:
    given = {"\u9fff": MADE["glyph"]["\u4e00"], **MADE["glyph"]}
    found = side_table(written(tmp_path / "glyphs.tsv", "glyph", given), "glyph", tokenizer)
    assert found.values.shape == (5 + len(TOKENS), 12) and found.unused == 1
    for index, token in enumerate(tokenizer.vocabulary().tokens):
        known = token in MADE["glyph"]
        assert found.known_V[index] == known, "the token of two characters has no row of its own"
        assert found.values[index].tolist() == (pixels(MADE["glyph"][token]) if known else [0] * 12)


def test_sounds_are_numbers_of_letters(tokenizer: Tokenizer, tmp_path: Path) -> None:
    given = {**MADE["sound"], "\u4e03\u4e04": "bazhang1"}
    found = side_table(written(tmp_path / "sounds.tsv", "sound", given), "sound", tokenizer)
    assert found.values.shape == (5 + len(TOKENS), 8) and found.unused == 0
    alphabet = sorted(set("".join(given.values())))
    for index, token in enumerate(tokenizer.vocabulary().tokens):
        letters = [alphabet.index(letter) + 1 for letter in given.get(token, "")]
        assert found.values[index].tolist() == letters + [0] * (8 - len(letters))


@pytest.mark.parametrize("channel", ["glyph", "sound"])
def test_all_formats_say_the_same(channel: Any, tokenizer: Tokenizer, tmp_path: Path) -> None:
    values = MADE[channel]
    wanted = side_table(written(tmp_path / "a.tsv", channel, values), channel, tokenizer)
    packed = tmp_path / "b.tsv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.tsv").read_bytes().replace(b"\n", b"\r\n\r\n")))
    raw: Any = list(values.values())
    if channel == "glyph":
        raw = np.array([pixels(bitmap) for bitmap in raw]).reshape(-1, 1, 3, 4) / 255  # one font
    others = [
        written(tmp_path / "c.jsonl", channel, values),
        Source(packed),
        array_file(tmp_path / "d.npz", tokens=list(values), **{f"{channel}s": raw}),
    ]
    for source in others:
        found = side_table(source, channel, tokenizer)
        assert np.array_equal(found.values, wanted.values) and np.array_equal(found.known_V, wanted.known_V)
        assert found.values.dtype == wanted.values.dtype


def test_gray_pixels_are_scaled(tokenizer: Tokenizer, tmp_path: Path) -> None:
    gray = np.linspace(0, 40, 12 * 4).reshape(12, 2, 2)
    found = side_table(array_file(tmp_path / "g.npz", tokens=characters(12), glyphs=gray), "glyph", tokenizer)
    assert found.values[5:17].ravel().tolist() == [round(255 * value / 40) for value in gray.ravel()]


GOOD = MADE["glyph"]["\u4e01"]


@pytest.mark.parametrize(
    ("channel", "values", "problem"),
    [
        ("glyph", {"a": GOOD}, "knows no token"),
        ("glyph", {"\u4e00": GOOD, "\u4e01": "..#./...#"}, "not of the size of the first one, 3 rows of 4"),
        ("glyph", {"\u4e00": "...#/..", "\u4e01": "...#/.."}, "not of the size"),
        ("glyph", {"\u4e00": GOOD, "\u4e01": GOOD.replace("#", "X")}, r"not of \. and #"),
        ("sound", {"\u4e00": "zhuangzh1"}, "has not 1 to 8 letters"),
        ("sound", {"\u4e00": ""}, "line 1 has no token and sound"),
        ("sound", {"\u4e00": "ba1\tba2"}, "line 1 has no token and sound"),
    ],
)
def test_wrong_tables_are_named(
    channel: Any, values: dict[str, str], problem: str, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        side_table(written(tmp_path / "t.tsv", channel, values), channel, tokenizer)
    assert caught.value.key == f"{channel}s"


def test_wrong_files_are_named(tokenizer: Tokenizer, tmp_path: Path) -> None:
    def refused(problem: str, source: Source, channel: Any = "glyph") -> None:
        with pytest.raises(InputError, match=problem):
            side_table(source, channel, tokenizer)

    (tmp_path / "twice.tsv").write_text("\u4e00\tba1\n\u4e00\tba2\n", encoding="utf8")
    refused("two rows for a token", Source(tmp_path / "twice.tsv"), "sound")
    (tmp_path / "empty.tsv").write_text("\n")
    refused("is an empty table", Source(tmp_path / "empty.tsv"))
    refused("is one file, and these are 2", Source(tmp_path / "*.tsv"))
    (tmp_path / "broken.jsonl").write_text('{"token": "\u4e00", "glyph": 3}', encoding="utf8")
    refused("line 1 has no token and glyph", Source(tmp_path / "broken.jsonl"))
    (tmp_path / "broken.npz").write_bytes(b"PK")
    refused(r"is not an \.npz file", Source(tmp_path / "broken.npz"))
    names = characters(2)
    refused("has as many rows", array_file(tmp_path / "a.npz", tokens=names, glyphs=np.ones((3, 2, 2))))
    refused("rows and columns", array_file(tmp_path / "b.npz", tokens=names, glyphs=["x", "y"]))
    refused("not negative", array_file(tmp_path / "c.npz", tokens=names, glyphs=-np.ones((2, 2, 2))))
    refused("array of texts", array_file(tmp_path / "d.npz", tokens=names, sounds=np.ones(2)), "sound")
    refused(r"is not an \.npz file", array_file(tmp_path / "e.npz", tokens=names, glyphs=np.ones((2, 2, 2))), "sound")
