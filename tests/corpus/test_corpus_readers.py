"""Readers: the contract that all of them keep, and what each makes of whole and of broken files."""

from __future__ import annotations

import bz2
import csv
import functools
import gzip
import json
import lzma
import random
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from seedbed.core.errors import InputError
from seedbed.corpus import readers
from seedbed.corpus.documents import COLUMNS, Document
from seedbed.corpus.input.files import InputFile
from seedbed.corpus.input.records import arrow_records
from seedbed.corpus.tables import row_of

TEXTS = ["The first text.", "Ein zweiter, mit Umlaut: größer.", "第三\nwith a line end"]
EMPTY_FILES = {
    "html": ["the page has no text"],
    "epub": ["not a whole book: File is not a zip file"],
    "jats": ["no <article> in it"],
    "mediawiki": ["no <page> in it"],
}
PACK = {
    "": lambda raw: raw,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": functools.partial(lzma.compress, preset=0),
    ".zst": zstandard.compress,
}


def example(name: str, folder: Path, texts: list[str]) -> dict[str, Any]:
    """Input for one reader that holds the given texts; returns the reader's parameters."""
    folder.mkdir(exist_ok=True)
    if name == "text":
        for number, text in enumerate(texts):
            (folder / f"{number}.txt").write_text(text, encoding="utf8")
        (folder / "blank.txt").write_text("")
    elif name == "jsonl":
        rows = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (folder / "a.jsonl").write_text(rows)
    elif name == "parquet":
        pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), folder / "a.parquet")
    elif name == "csv":
        with open(folder / "a.csv", "w", newline="", encoding="utf8") as file:
            csv.writer(file).writerows([["text"], *([text] for text in texts)])
    elif name == "conllu":
        sentences = ["# text = " + text.replace("\n", " ") + "\n" + treebank(text.split()) for text in texts]
        (folder / "a.conllu").write_text("\n".join(sentences), encoding="utf8")
    elif name == "html":
        (folder / "none.html").write_text("")
        for number, text in enumerate(texts):
            (folder / f"{number}.html").write_text(f"<html><body><main><pre>{text}</pre></main></body></html>")
        return {"path": str(folder), "extractor": {"resiliparse": {"main_content": False}}}
    elif name == "warc":
        header = "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\nWARC-Target-URI: http://e.org/"
        records = [
            f"{header}{number}\r\nContent-Length: {len(text.encode())}\r\n\r\n{text}\r\n\r\n"
            for number, text in enumerate(texts)
        ]
        (folder / "a.warc").write_text("".join(records), encoding="utf8", newline="")
    elif name == "jats":
        paragraphs = [text.replace("\n", "</p><p>") for text in texts]
        articles = [f"<article><body><p>{text}</p></body></article>" for text in paragraphs]
        lines = "\n".join(articles)
        (folder / "none.xml").write_text("<articles></articles>")
        if texts:
            (folder / "a.xml").write_text(f"<articles>{lines}</articles>", encoding="utf8")
    elif name == "mediawiki":
        pages = [
            f"<page><title>{number}</title><ns>0</ns><revision><text>{text}</text></revision></page>"
            for number, text in enumerate(texts)
        ]
        (folder / "none.xml").write_text("<mediawiki></mediawiki>")
        if texts:
            (folder / "a.xml").write_text(f"<mediawiki>{''.join(pages)}</mediawiki>", encoding="utf8")
    elif name == "epub":
        for number, text in enumerate(texts):
            with zipfile.ZipFile(folder / f"{number}.epub", "w") as book:
                book.writestr("META-INF/container.xml", '<container><rootfile full-path="a.opf"/></container>')
                item = '<item id="a" href="a.html" media-type="text/html"/>'
                book.writestr("a.opf", f'<package>{item}<itemref idref="a"/></package>')
                book.writestr("a.html", f"<html><body><p>{text}</p></body></html>")
        (folder / "none.epub").write_bytes(b"")
    elif name == "pdf":
        (folder / "none.pdf").write_bytes(b"")
    elif name == "source_tree":
        for number, text in enumerate(texts):
            (folder / f"{number}.py").write_text(text, encoding="utf8")
        (folder / "blank.py").write_text("")
    elif name == "huggingface":
        table = pa.table({"text": pa.array(texts, pa.string())})
        (folder / "data").mkdir()
        pq.write_table(table, folder / "data" / "train-00000-of-00001.parquet")
        pq.write_table(pa.table({"text": ["held out"]}), folder / "data" / "test-00000-of-00001.parquet")
    elif name == "python_source":
        return {"packages": ["pluggy"], "unit": "module"}
    elif name == "corpus":
        row = dict.fromkeys(("source", "domain", "license"), "somewhere") | {"metadata": "{}"}
        rows = [row | {"id": f"d{number}", "text": text} for number, text in enumerate(texts)]
        schema = pa.schema([(column, pa.string()) for column in COLUMNS])
        (folder / "data").mkdir()
        pq.write_table(pa.Table.from_pylist(rows, schema), folder / "data" / "train-00000.parquet")
        return {"of": str(folder)}
    else:
        raise AssertionError(f"write an example for the reader {name}")
    return {"path": str(folder)}


def treebank(words: list[str]) -> str:
    return "".join(f"{number}\t{word}\t_\tNOUN{6 * chr(9)}\n" for number, word in enumerate(words, 1))


@pytest.mark.parametrize("name", readers.names())
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], []], ids=["three", "one", "none"])
def test_every_reader_gives_all_texts_twice_the_same(name: str, texts: list[str], tmp_path: Path, helpers: Any) -> None:
    parameters = example(name, tmp_path / "input", texts)
    reader = helpers.built(readers, name, **parameters)
    first, again = list(reader), list(reader)
    assert first == again == list(helpers.built(readers, name, **parameters))
    documents, broken = helpers.read(name, **parameters)
    assert len({document.id for document in documents}) == len(documents)
    if name not in ("python_source", "pdf"):
        assert [document.text.split() for document in documents] == [text.split() for text in texts]
        assert [row.reason for row in broken] == EMPTY_FILES.get(name, [])
    for document in documents:
        assert document.id and document.source and isinstance(document.metadata, dict)
        json.dumps(document.metadata)


@pytest.mark.parametrize("name", [name for name in readers.names() if name not in ("python_source", "corpus")])
def test_a_missing_path_and_an_empty_folder_are_errors(name: str, tmp_path: Path, helpers: Any) -> None:
    with pytest.raises(InputError, match=f"{name}.path: no file has this path"):
        helpers.built(readers, name, path=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="the folder holds no files"):
        helpers.built(readers, name, path=str(tmp_path / "empty"))
    (tmp_path / "empty" / "picture.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match="the folder holds no"):
        helpers.read(name, path=str(tmp_path / "empty"))


@pytest.mark.parametrize("name", ["jsonl", "parquet", "csv", "huggingface"])
def test_a_wrong_text_field_is_an_error_that_names_the_fields(name: str, tmp_path: Path, helpers: Any) -> None:
    parameters = example(name, tmp_path / "input", TEXTS)
    with pytest.raises(InputError) as caught:
        helpers.read(name, **parameters, text="abstract")
    assert caught.value.key == "text" and caught.value.allowed == "text"


@pytest.mark.parametrize("suffix", PACK)
def test_lines_of_compressed_files(suffix: str, tmp_path: Path) -> None:
    wanted = [f"line {number} ä" for number in range(20_000)]
    raw = b"\xef\xbb\xbf" + "\r\n".join(wanted).encode()
    path = tmp_path / f"a.txt{suffix}"
    # Two streams, one after the other, are one file.
    path.write_bytes(PACK[suffix](raw[:1000]) + PACK[suffix](raw[1000:]))
    assert list(InputFile.at(path).lines()) == list(enumerate(wanted, 1))


@pytest.mark.parametrize("suffix", [suffix for suffix in PACK if suffix])
def test_a_truncated_stream_keeps_what_was_before(suffix: str, tmp_path: Path, helpers: Any) -> None:
    # Texts that do not compress away, so that half of the bytes hold about half of the records.
    random_ = random.Random(5)
    rows = [{"text": " ".join(str(random_.randrange(99_991)) for _ in range(60))} for _ in range(12_000)]
    raw = "".join(json.dumps(row) + "\n" for row in rows).encode()
    packed = PACK[suffix](raw)
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(packed[: len(packed) // 2])
    documents, broken = helpers.read("jsonl", path=str(path))
    assert [document.text for document in documents] == [row["text"] for row in rows[: len(documents)]]
    assert len(documents) > 500
    assert len(broken) == 1 and "truncated" in broken[0].reason and broken[0].line == len(documents) + 1


def test_a_corrupt_stream_is_one_row_of_the_quarantine(tmp_path: Path, helpers: Any) -> None:
    raw = "".join(json.dumps({"text": f"{row * 7919 % 49_999}"}) + "\n" for row in range(50_000)).encode()
    packed = bytearray(gzip.compress(raw))
    packed[len(packed) // 2 : len(packed) // 2 + 64] = bytes(64)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(packed)
    documents, broken = helpers.read("jsonl", path=str(path))
    assert documents and broken
    assert "corrupt" in broken[-1].reason


def test_bytes_that_are_not_utf8_cost_one_line(tmp_path: Path, helpers: Any) -> None:
    path = tmp_path / "in" / "a.jsonl"
    path.parent.mkdir()
    good = [json.dumps({"text": f"text {number}"}).encode() for number in range(6)]
    good[2] = b'{"text": "caf\xe9"}'
    good[4] = b'{"text": "unclosed'
    path.write_bytes(b"\n".join([*good, b"[1, 2]", b'{"text": null}', b'{"text": 3}', b"", b'{"other": "x"}']))
    documents, broken = helpers.read("jsonl", path=str(path))
    assert [document.id for document in documents] == [f"in/a.jsonl:{line}" for line in (1, 2, 4, 6)]
    assert [row.line for row in broken] == [3, 5, 7, 8, 9, 11]
    reasons = [row.reason for row in broken]
    assert reasons[0] == "not UTF-8: invalid continuation byte at byte 13 of the line"
    assert reasons[1].startswith("not JSON")
    assert reasons[2] == "no JSON object but list"
    assert reasons[3] == reasons[5] == "no text: field text missing or null"
    assert reasons[4] == "field 'text' is no text but int"


def test_an_array_in_a_json_file(tmp_path: Path, helpers: Any) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rows: list[Any] = [{"text": "one", "id": "a"}, {"text": "two"}, [3], {"text": "four", "n": {"m": 1}}]
    (folder / "1.json").write_text(json.dumps(rows))
    (folder / "2.json").write_text("\ufeff\n" + json.dumps(rows, indent=2))
    (folder / "3.json.gz").write_bytes(gzip.compress(json.dumps({"text": "alone"}, indent=1).encode()))
    (folder / "4.json").write_text('{"text": "line 1"}\n{"text": "line 2"}\n')
    (folder / "5.json").write_text('[\n{"text": "cut"},\n')  # no array: each line speaks for itself
    (folder / "6.jsonl").write_text('[{"text": "no array in JSON Lines"}]')
    (folder / "7.json").write_text('{"text":\n{"text": "after a broken line"}\n')
    documents, broken = helpers.read("jsonl", path=str(folder))
    texts = ["one", "two", "four"] * 2 + ["alone", "line 1", "line 2", "after a broken line"]
    assert [document.text for document in documents] == texts
    assert [document.id for document in documents[:3]] == ["a", "in/1.json:2", "in/1.json:4"]
    assert documents[2].metadata == {"n": {"m": 1}} and documents[7].id == "in/4.json:1"
    assert [(row.file.rsplit("/", 1)[1], row.line) for row in broken] == [
        ("1.json", 3), ("2.json", 3), ("5.json", 1), ("5.json", 2), ("6.jsonl", 1), ("7.json", 1),
    ]  # fmt: skip


def test_the_fields_of_dolma_and_datatrove(tmp_path: Path, helpers: Any) -> None:
    rows = [
        {"id": "d1", "text": "a", "source": "wiki", "added": "2024", "metadata": {"url": "u"}, "license": "CC0"},
        {"id": 7, "text": "b", "metadata": '{"url": "v"}', "domain": "web"},
        {"text": "c"},
    ]
    path = helpers.write_jsonl(tmp_path / "in" / "a.jsonl", rows)
    (first, second, third), broken = helpers.read("jsonl", path=str(path), domain="books")
    assert not broken
    assert (first.id, first.source, first.license, first.domain) == ("d1", "wiki", "CC0", "books")
    assert first.metadata == {"url": "u", "added": "2024"}
    assert (second.id, second.source, second.metadata) == ("7", "in/a.jsonl", {"url": "v", "domain": "web"})
    assert (third.id, third.metadata) == ("in/a.jsonl:3", {})


def test_text_from_several_and_from_nested_fields(tmp_path: Path, helpers: Any) -> None:
    rows = [
        {"title": "T", "body": {"text": "B"}, "sentences": ["s1", "s2"]},
        {"title": None, "body": {}, "sentences": ["s3"]},
        {"title": None},
    ]
    path = helpers.write_jsonl(tmp_path / "a.jsonl", rows)
    documents, broken = helpers.read("jsonl", path=str(path), text=["title", "body.text", "sentences"])
    assert [document.text for document in documents] == ["T\nB\ns1\ns2", "s3"]
    assert len(broken) == 1
    assert [document.metadata for document in documents] == [{}, {}]
    with pytest.raises(InputError, match="names no field"):
        helpers.built(readers, "jsonl", path=str(path), text=[])


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        ("file", [("in/a.md", "one\ntwo\n\n\nthree")]),
        ("paragraph", [("in/a.md:2", "one\ntwo"), ("in/a.md:6", "three")]),
        ("line", [("in/a.md:2", "one"), ("in/a.md:3", "two"), ("in/a.md:6", "three")]),
    ],
)
def test_units_of_plain_text(unit: str, wanted: list[tuple[str, str]], tmp_path: Path, helpers: Any) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.md").write_bytes(b"\r\none\ntwo\n\n\nthree")
    documents, broken = helpers.read("text", path=str(tmp_path / "in"), unit=unit, license="CC0")
    assert [(document.id, document.text) for document in documents] == wanted
    assert {document.license for document in documents} == {"CC0"} and not broken


def test_a_broken_line_of_plain_text_leaves_the_rest(tmp_path: Path, helpers: Any) -> None:
    (tmp_path / "a.txt").write_bytes(b"good\n\xff\xfe\nalso good\n")
    documents, broken = helpers.read("text", path=str(tmp_path / "a.txt"))
    assert [document.text for document in documents] == ["good\nalso good"]
    assert [row.line for row in broken] == [2]


def test_csv_with_quotes_and_broken_rows(tmp_path: Path, helpers: Any) -> None:
    (tmp_path / "a.tsv").write_bytes(
        b'id\ttext\tkind\n1\t"two\nlines, ""quoted"""\tx\n2\tshort\n3\t"a" b\ty\n4\tcaf\xe9\tz\n\n5\tlast\tz\n'
    )
    documents, broken = helpers.read("csv", path=str(tmp_path / "a.tsv"))
    assert [(document.id, document.text) for document in documents] == [("1", 'two\nlines, "quoted"'), ("5", "last")]
    assert documents[0].metadata == {"kind": "x"}
    assert [row.line for row in broken] == [4, 5, 6]
    assert broken[0].reason == "2 fields, but the header has 3"
    path = tmp_path / "b.csv.xz"
    path.write_bytes(lzma.compress(b"text|n\nhello|1\n"))
    documents, broken = helpers.read("csv", path=str(path), delimiter="|")
    assert [document.text for document in documents] == ["hello"] and not broken


def test_a_broken_line_of_a_treebank_costs_its_sentence(tmp_path: Path, helpers: Any) -> None:
    broken = treebank(["one", "two"]).replace("two\t_", "two")
    raw = f"# sent_id = a\n{treebank(['ein', 'Satz'])}\n{broken}\n{treebank(['last'])}".encode()
    (tmp_path / "a.conllu").write_bytes(raw.replace(b"last", b"l\xffst") + b"\n" + treebank(["end"]).encode())
    documents, rows = helpers.read("conllu", path=str(tmp_path))
    assert [document.text for document in documents] == ["ein Satz", "end"]
    assert documents[0].id == "a" and documents[1].id.endswith("a.conllu:10")
    assert documents[0].metadata["tokens"] == ["ein", "Satz"] and documents[0].metadata["tags"] == ["NOUN", "NOUN"]
    assert [row.line for row in rows] == [5, 8]
    assert rows[0].reason == "line 6 has 9 columns, not the ten of CoNLL-U"


def test_parquet_that_is_broken(tmp_path: Path, helpers: Any) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(pa.table({"text": ["a", None], "n": [1, 2]}), folder / "good.parquet")
    raw = (folder / "good.parquet").read_bytes()
    (folder / "short.parquet").write_bytes(raw[: len(raw) // 2])
    # A string column that holds bytes which are not UTF-8: only its row is lost.
    binary = pa.array([b"fine", b"\xff", b"fine too"], pa.binary())
    column = pa.Array.from_buffers(pa.string(), 3, binary.buffers())
    pq.write_table(pa.table({"text": column}), folder / "wild.parquet")
    documents, broken = helpers.read("parquet", path=str(folder))
    assert [document.text for document in documents] == ["a", "fine", "fine too"]
    assert [(Path(row.file).name, row.line) for row in broken] == [
        ("good.parquet", 2),
        ("short.parquet", 0),
        ("wild.parquet", 2),
    ]
    assert documents[0].metadata == {"n": 1}


def test_html_takes_the_main_content_in_the_declared_encoding(tmp_path: Path, helpers: Any) -> None:
    page = (
        '<html><head><meta charset="iso-8859-1"><title>Café</title></head><body><nav>Home About</nav>'
        f"<main><h1>Menü</h1><p>{'Öffnungszeiten und Preise. ' * 12}</p><script>var x;</script></main></body></html>"
    )
    (tmp_path / "a.html").write_bytes(page.encode("latin-1"))
    (document,), _ = helpers.read("html", path=str(tmp_path / "a.html"))
    assert "Öffnungszeiten und Preise." in document.text and "var x" not in document.text
    assert "Home" not in document.text and document.metadata["title"] == "Café"
    (document,), _ = helpers.read(
        "html", path=str(tmp_path / "a.html"), extractor={"resiliparse": {"main_content": False}}
    )
    assert "Home" in document.text


def test_huggingface_folders_saved_by_the_library(tmp_path: Path, helpers: Any) -> None:
    import datasets

    train = datasets.Dataset.from_dict({"text": [f"t{n}" for n in range(10)], "label": list(range(10))})
    held = datasets.Dataset.from_dict({"text": ["h"], "label": [0]})
    both = datasets.DatasetDict({"train": train, "test": held})
    both.save_to_disk(str(tmp_path / "both"), num_shards={"train": 3, "test": 1})
    documents, broken = helpers.read("huggingface", path=str(tmp_path / "both"))
    assert [document.text for document in documents] == train["text"][:] and not broken
    assert documents[4].metadata == {"label": 4}
    (document,), _ = helpers.read("huggingface", path=str(tmp_path / "both"), split="test")
    assert document.text == "h"
    with pytest.raises(InputError, match="unknown split 'dev'"):
        helpers.read("huggingface", path=str(tmp_path / "both"), split="dev")
    train.save_to_disk(str(tmp_path / "one"))
    assert len(helpers.read("huggingface", path=str(tmp_path / "one"))[0]) == 10
    train.select([1, 3]).save_to_disk(str(tmp_path / "chosen"))
    assert [d.text for d in helpers.read("huggingface", path=str(tmp_path / "chosen"))[0]] == ["t1", "t3"]


def test_an_arrow_stream_that_ends_early(tmp_path: Path, helpers: Any) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    table = pa.table({"text": [f"text number {number}" for number in range(100)]})
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as out,
    ):
        for batch in table.to_batches(max_chunksize=10):
            out.write_batch(batch)
    path = folder / "data-00000-of-00001.arrow"
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": path.name}]}))
    assert len(helpers.read("huggingface", path=str(folder))[0]) == 100
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    documents, broken = helpers.read("huggingface", path=str(folder))
    assert 0 < len(documents) < 100 and len(broken) == 1
    path.unlink()
    (folder / "other.txt").write_text("")
    with pytest.raises(InputError, match="lacks data-00000"):
        helpers.read("huggingface", path=str(folder))


def test_a_nested_text_or_id_is_no_metadata_and_all_else_is(tmp_path: Path, helpers: Any) -> None:
    rows = [{"data": {"text": "a", "meta": {"key": "k1", "lang": "en"}}, "data.n": 1}]
    path = helpers.write_jsonl(tmp_path / "a.jsonl", rows)
    (document,), _ = helpers.read("jsonl", path=str(path), text="data.text", id="data.meta.key")
    assert (document.id, document.text) == ("k1", "a")
    assert document.metadata == {"data": {"meta": {"lang": "en"}}, "data.n": 1}


def test_fields_and_metadata_with_one_name_both_stay(tmp_path: Path, helpers: Any) -> None:
    rows = [
        {"text": "a", "score": 2, "metadata": {"score": 1, "url": "u"}},
        {"text": "b", "metadata": "{" + '"a":[' * 50_000},  # neither JSON nor an end of the step
        {"text": "c", "metadata": '{"a":' + "[" * 50_000 + "]" * 50_000 + "}"},
    ]
    path = helpers.write_jsonl(tmp_path / "a.jsonl", rows)
    documents, broken = helpers.read("jsonl", path=str(path))
    assert documents[0].metadata == {"score": 2, "metadata.score": 1, "url": "u"} and not broken
    assert [document.metadata["metadata"] for document in documents[1:]] == [row["metadata"] for row in rows[1:]]


def test_csv_columns_with_one_name_and_blank_lines_first(tmp_path: Path, helpers: Any) -> None:
    (tmp_path / "a.csv").write_text("\n\ntext,n,n,,\na,1,2,3,4\n")
    (document,), broken = helpers.read("csv", path=str(tmp_path / "a.csv"))
    assert document.metadata == {"n": "1", "n~2": "2", "": "3", "~2": "4"} and not broken


def test_rows_keep_their_numbers_behind_a_broken_row_group(tmp_path: Path, helpers: Any) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"text number {number}" for number in range(30)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=10, compression="zstd", use_dictionary=False)
    start = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    raw = bytearray(path.read_bytes())
    raw[start : start + 60] = b"\xff" * 60
    path.write_bytes(raw)
    documents, broken = helpers.read("parquet", path=str(path))
    assert [(row.line, row.reason.split(":")[0]) for row in broken] == [(11, "row group 1")]
    numbers = [*range(10), *range(20, 30)]
    assert [document.text for document in documents] == [texts[number] for number in numbers]
    assert [int(document.id.rpartition(":")[2]) for document in documents] == [number + 1 for number in numbers]


def test_an_arrow_file_and_one_large_batch(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(2500)]
    table = pa.table({"text": texts})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as raw, pa.ipc.new_file(raw, table.schema) as out:
        out.write_table(table)
    with pa.OSFile(str(tmp_path / "b.arrow"), "wb") as raw, pa.ipc.new_stream(raw, table.schema) as out:
        out.write_table(table)
    wanted = [(number, {"text": text}) for number, text in enumerate(texts, 1)]
    assert list(arrow_records(InputFile.at(tmp_path / "a.arrow"))) == wanted
    assert list(arrow_records(InputFile.at(tmp_path / "b.arrow"))) == wanted


def test_numbers_that_json_does_not_know_become_null() -> None:
    document = Document("a", "text", metadata={"score": float("nan"), "more": {"x": [1.5, float("inf")]}})
    assert row_of(document)[-1] == '{"more": {"x": [1.5, null]}, "score": null}'
