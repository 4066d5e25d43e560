"""Paths of the user's files."""

import pytest

from seedbed.core import source
from seedbed.core.errors import InputError
from seedbed.core.schema import check
from seedbed.core.source import Source, without_places


@pytest.fixture(autouse=True)
def own_memory(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(source, "_memory", None)


def test_files_folders_and_globs(tmp_path):
    for name in ("b.txt", "a.txt", "sub/c.txt", "sub/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [p.name for p in Source(tmp_path / "a.txt").files] == ["a.txt"]
    assert [p.name for p in Source(tmp_path).files] == ["a.txt", "b.txt", "c.txt"]
    assert [p.name for p in Source(tmp_path / "**" / "*.txt").files] == ["a.txt", "b.txt", "c.txt"]
    assert Source(tmp_path / "**" / "*.txt").root == tmp_path


def test_names_begin_with_the_folder_that_was_given(tmp_path):
    for name in ("in/b.txt", "in/a.txt", "in/sub/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    def names(place):
        return [(file.name, file.size, file.place.name) for file in Source(place).listed]

    every = [("in/a.txt", 8, "a.txt"), ("in/b.txt", 8, "b.txt"), ("in/sub/c.txt", 12, "c.txt")]
    assert names(tmp_path / "in") == names(tmp_path / "in" / "**" / "*.txt") == every
    assert names(tmp_path / "in" / "[b-z].txt") == names(tmp_path / "in" / "b.txt") == every[1:2]
    assert names(tmp_path / "in" / "s*" / "*.txt") == every[2:]
    assert Source(tmp_path / "in").is_folder and not Source(tmp_path / "in" / "*.txt").is_folder


@pytest.mark.parametrize(("name", "words"), [("nowhere", "no file has this path"), ("empty", "holds no files")])
def test_what_is_not_there_is_an_error(tmp_path, name, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=words) as caught:
        check(Source, str(tmp_path / name), "read.path")
    assert "read.path" in str(caught.value)


def test_contents_count(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one")
    before = Source(file).canonical()
    assert Source(file).canonical() == before
    source.remember_hashes()
    source._memory = None
    assert Source(file).canonical() == before
    file.write_text("two!")
    assert Source(file).canonical() != before


def test_where_files_lie_does_not_count(tmp_path):
    for place in ("here", "there"):
        folder = tmp_path / place / "data"
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text("one")
    here, there = (Source(tmp_path / place / "data").canonical() for place in ("here", "there"))
    assert here["path"] != there["path"] and without_places([here]) == without_places([there])
    (tmp_path / "there/data/a.txt").rename(tmp_path / "there/data/b.txt")
    assert without_places(Source(tmp_path / "there/data").canonical()) != without_places(here)
