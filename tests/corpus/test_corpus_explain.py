"""A document's life, told from the finished corpus."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import seedbed
from seedbed.cli.corpus import app
from seedbed.core.errors import InputError
from seedbed.corpus import curation, tables
from seedbed.corpus.explain import explain, lines, place_in
from seedbed.corpus.input import files as files_module
from seedbed.corpus.tagging import edits_json

WORDS = "one two three four five six seven"


class Shorten:
    """A step for tests: takes the word `ad` out of texts and tells so."""

    def __call__(self, frame: Any, /) -> Any:
        from seedbed.corpus.engine import daft

        string = daft.DataType.string()

        @daft.func.batch(return_dtype=daft.DataType.struct({"text": string, "edits": string}), use_process=False)
        def shortened(texts: Any) -> list[dict[str, str | None]]:
            found = [("advertisement", "ad")]
            edits = [edits_json(found if " ad" in text else []) for text in texts.to_pylist()]
            texts = [text.replace(" ad", "") for text in texts.to_pylist()]
            return [{"text": text, "edits": edit} for text, edit in zip(texts, edits, strict=True)]

        frame = frame.with_column("_new", shortened(daft.col("text")))
        return frame.with_columns({name: daft.col("_new").get(name) for name in ("text", "edits")})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explain")


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Any:
    """120 documents, some of them edited, dropped, broken, or called the same; in row groups of a few documents."""
    if "shorten_for_tests" not in curation:
        curation.register("shorten_for_tests")(Shorten)
    rows: list[dict[str, Any]] = [{"id": f"d{n:03d}", "text": f"{WORDS} {n}", "year": 1900 + n} for n in range(120)]
    rows[7]["text"] += " ad"
    rows[8]["text"] = "too short ad"
    rows[9]["text"] = rows[3]["text"]
    rows[11]["id"] = "d010"
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "broken\n")
    with seedbed.workspace(folder / "runs"), pytest.MonkeyPatch.context() as patched:
        patched.setattr(tables, "GROUP_BYTES", 300)
        return seedbed.build_corpus(
            read=[{"jsonl": {"path": str(path), "domain": "web"}}],
            curate=["normalize", "shorten_for_tests", {"keep": "words > 5"}, "exact_duplicates"],
            split={"test": 0.3},
            max_unreadable=0.05,
        )


def test_a_document_that_stays(corpus: Any) -> None:
    life = explain(corpus, "d007")
    assert (
        life.fate == "kept" and life.text == f"{WORDS} 7" and life.domain == "web" and life.metadata == {"year": 1907}
    )
    assert life.split in ("train", "test")
    assert life.text in [row["text"] for row in corpus.documents(life.split)]
    outcomes = [(visit.step, visit.outcome) for visit in life.visits]
    assert outcomes == [
        ("normalize", "passed"),
        ("shorten_for_tests", "edited"),
        ("keep", "passed"),
        ("exact_duplicates", "passed"),
    ]
    assert [tuple(edit) for edit in life.visits[1].edits] == [("advertisement", "ad")]
    assert place_in(corpus, life).endswith("a.jsonl:8")


def test_every_document_is_found(corpus: Any) -> None:
    """The row groups that are passed over hold none that is asked for."""
    ids = {row["id"]: "kept" for split in corpus.splits() for row in corpus.documents(split, ["id"])}
    ids |= {row["id"]: "dropped" for row in corpus.dropped()}
    assert len(ids) == 120 and {id: explain(corpus, id).fate for id in ids} == ids


def test_a_document_that_was_edited_and_then_dropped(corpus: Any) -> None:
    life = explain(corpus, "d008")
    assert life.fate == "dropped" and life.text == "too short"
    assert [visit.outcome for visit in life.visits] == ["passed", "edited", "dropped", "not reached"]
    assert life.visits[2].reason == "not: words > 5; words: 2"
    assert explain(corpus, "d009").visits[3].reason == "same text as d003"


def test_two_documents_that_came_with_one_id(corpus: Any) -> None:
    first, second = explain(corpus, "d010"), explain(corpus, "d010~2")
    assert (first.namesake, second.namesake) == ("d010~2", "d010")
    assert place_in(corpus, first).endswith(":11") and place_in(corpus, second).endswith(":12")


def test_a_document_from_an_earlier_corpus(corpus: Any, folder: Path) -> None:
    with seedbed.workspace(folder / "runs"):
        later = seedbed.build_corpus(read=[{"corpus": {"of": corpus}}], curate=[{"keep": "words > 7"}], split={})
    life = explain(later, "d007")
    place = f"build_corpus, from {folder.name}/a.jsonl:8"
    assert life.fate == "kept" and place_in(later, life) == place
    assert explain(later, "a.jsonl:8") == replace(life, place=place)


def test_file_and_line_of_a_document_with_an_id_of_its_own(corpus: Any, folder: Path) -> None:
    place = f"{folder.name}/a.jsonl:8"
    for id in ("a.jsonl:8", "./a.jsonl:8", place, f"{folder}/a.jsonl:8"):
        life = explain(corpus, id)
        assert (life.id, life.fate, life.place) == ("d007", "kept", place)
    assert f"  read from: {place}" in lines(life)
    ids = {number: explain(corpus, f"a.jsonl:{number}").id for number in (9, 11, 12)}
    assert ids == {9: "d008", 11: "d010", 12: "d010~2"}
    for nowhere in ("b.jsonl:8", "a.jsonl:122", "elsewhere/a.jsonl:8", "sl:8"):
        with pytest.raises(InputError, match="has never seen"):
            explain(corpus, nowhere)


def test_only_the_file_that_is_named_is_read_again(folder: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    files = folder / "files"
    for number, name in enumerate(["0/a.jsonl", "1/b.jsonl", "0/b.jsonl"]):
        rows = [{"id": f"f{number}-{row}", "text": f"{WORDS} {number} {row}"} for row in range(3)]
        helpers.write_jsonl(files / name, rows)
    with zipfile.ZipFile(files / "pack.zip", "w") as archive:
        archive.writestr("c.jsonl", json.dumps({"id": "packed", "text": f"{WORDS} packed"}))
    with seedbed.workspace(folder / "runs"):
        made = seedbed.build_corpus(read=[{"jsonl": {"path": str(files)}}], split={})
    opened, read = [], files_module._local_bytes
    monkeypatch.setattr(files_module, "_local_bytes", lambda path: opened.append(path.name) or read(path))
    life = explain(made, "a.jsonl:2")
    assert (life.id, life.place, opened) == ("f0-1", "files/0/a.jsonl:2", ["a.jsonl"])
    assert explain(made, f"{files}/pack.zip/c.jsonl:1").id == "packed"
    with pytest.raises(InputError, match=r"several places\n.*files/0/b\.jsonl:1, files/1/b\.jsonl:1"):
        explain(made, "b.jsonl:1")
    assert explain(made, "1/b.jsonl:1").id == "f1-0"


def test_what_only_the_quarantine_knows(corpus: Any, folder: Path) -> None:
    for id in ("a.jsonl:121", "a.jsonl", f"{folder}/a.jsonl:121"):
        life = explain(corpus, id)
        assert life.fate == "quarantined" and life.unreadable[0]["line"] == 121
    assert any("a.jsonl:121: not JSON" in line for line in lines(life))
    with pytest.raises(InputError, match="has never seen"):
        explain(corpus, "a.jsonl:122")


def test_files_that_are_gone_cannot_be_read_again(corpus: Any, folder: Path) -> None:
    path = folder / "a.jsonl"
    path.rename(folder / "elsewhere.jsonl")
    with pytest.raises(InputError, match="no file has this path"):
        place_in(corpus, explain(corpus, "d007"))
    with pytest.raises(InputError, match=r"(?s)has never seen.*as long as its file"):
        explain(corpus, "a.jsonl:8")
    (folder / "elsewhere.jsonl").rename(path)


def test_the_command(corpus: Any) -> None:
    shown = CliRunner().invoke(app, ["explain", str(corpus.path), "d008", "--find"])
    assert shown.exit_code == 0, shown.output
    assert (
        "d008: dropped" in shown.output
        and "a.jsonl:9" in shown.output
        and "4. exact_duplicates: not reached" in shown.output
    )
    shown = CliRunner().invoke(app, ["explain", str(corpus.path), "a.jsonl:9"])
    assert "d008: dropped" in shown.output and "a.jsonl:9" in shown.output
    data = CliRunner().invoke(app, ["explain", str(corpus.path), "d007", "--json"])
    assert json.loads(data.output)["visits"][1]["edits"] == [["advertisement", "ad"]]
