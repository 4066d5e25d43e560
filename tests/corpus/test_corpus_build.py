"""The step: accounting, splits, order, errors, and that nothing depends on the order of files."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seedbed.core.errors import InputError
from seedbed.core.schema import resolve
from seedbed.corpus import tables
from seedbed.corpus.build import build_corpus
from seedbed.corpus.documents import COLUMNS
from seedbed.corpus.splits import Splitter

CURATE = ["normalize", {"keep": "words > 5"}, "exact_duplicates", {"near_duplicates": {"threshold": 0.7}}]


def records(num_records: int, seed: int = 0) -> list[dict[str, Any]]:
    """Records of which some are short, some equal, some nearly so."""
    random_ = random.Random(seed)
    words = [f"w{number}" for number in range(500)]
    rows: list[dict[str, Any]] = []
    for number in range(num_records):
        text = random_.choices(words, k=random_.choice([3, 30, 60]))
        if rows and number % 5 == 0:
            text = random_.choice(rows)["text"].split()
            if number % 2:
                text[random_.randrange(len(text))] = "changed"
        rows.append({"id": f"r{number:04d}", "text": " ".join(text), "group": number // 4})
    return rows


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "README.md"  # it has the corpus's name
    }


def test_what_comes_in_is_kept_dropped_or_quarantined(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    rows = records(400)
    path = helpers.write_jsonl(tmp_path / "in" / "a.jsonl", rows)
    with open(path, "ab") as file:
        file.write(b'broken\n{"text": "caf\xe9"}\n{"text": "lone \\ud800 surrogate"}\n')
    corpus, counts = make_corpus(read=[{"jsonl": {"path": str(path), "domain": "web"}}], curate=CURATE)
    gone = list(corpus.dropped())
    kept = [document for split in corpus.splits() for document in corpus.documents(split)]
    quarantine = list(corpus.quarantine())
    assert {row["id"] for row in rows} == {row["id"] for row in kept} | {row["id"] for row in gone}
    assert len(kept) + len(gone) + len(quarantine) == 403
    assert [(row["file"], row["line"]) for row in quarantine[:2]] == [(str(path), 401), (str(path), 402)]
    assert "surrogate" in quarantine[2]["reason"]

    def tally(documents: list[dict[str, Any]]) -> dict[str, int]:
        return {"documents": len(documents), "bytes": sum(len(d["text"].encode()) for d in documents)}

    assert counts["read"]["documents"] == 400 and counts["quarantined"]["documents"] == 3
    assert counts["kept"] == tally(kept) and counts["domains"] == {"web": tally(kept)}
    for step in ("keep", "exact_duplicates", "near_duplicates"):
        assert counts["dropped"][step] == tally([row for row in gone if row["step"] == step])
        assert counts["dropped"][step]["documents"] > 3
    for split in corpus.splits():
        assert counts["splits"][split] == tally(list(corpus.documents(split)))
        assert corpus.num_bytes(split) == counts["splits"][split]["bytes"]
        assert corpus.num_documents(split) == counts["splits"][split]["documents"]
    assert all(row["reason"] for row in gone)
    assert sorted(path.name for path in corpus.path.iterdir()) == [
        "README.md",
        "data",
        "dropped",
        "quarantine.jsonl",
    ]
    assert sorted(path.name for path in (corpus.path / "dropped").iterdir()) == [
        "02-keep-00000.parquet",
        "03-exact_duplicates-00000.parquet",
        "04-near_duplicates-00000.parquet",
    ]


def test_order_of_files_and_of_lines_changes_nothing(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    rows = records(300)
    folders = []
    for turn in range(2):
        folder = tmp_path / f"in{turn}"
        parts = {"a": rows[:100], "b": rows[100:]} if turn == 0 else {"x": rows[:29:-1], "y": rows[:30]}
        for name, part in parts.items():
            helpers.write_jsonl(folder / f"{name}.jsonl", [{**row, "source": "s"} for row in part])
        corpus, _ = make_corpus(f"c{turn}", read=[{"jsonl": str(folder)}], curate=CURATE)
        folders.append(corpus.path)
    assert contents(folders[0]) == contents(folders[1])


def test_small_runs_and_groups_change_nothing(
    make_corpus: Any, tmp_path: Path, helpers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = records(300)
    random.Random(2).shuffle(rows)
    path = helpers.write_jsonl(tmp_path / "a.jsonl", rows)
    whole, counts = make_corpus("whole", read=[{"jsonl": str(path)}], curate=CURATE)
    monkeypatch.setattr(tables, "RUN_BYTES", 6000)
    monkeypatch.setattr(tables, "GROUP_BYTES", 900)
    monkeypatch.setattr("seedbed.corpus.input.intake.GROUP_BYTES", 900)
    monkeypatch.setattr(tables, "FILE_BYTES", 5000)
    monkeypatch.setattr(tables, "FAN", 2)
    parts, again = make_corpus("parts", read=[{"jsonl": str(path)}], curate=CURATE)
    assert counts == again
    assert len(parts.files("train")) > 3 and len(whole.files("train")) == 1
    for split in whole.splits():
        documents = list(whole.documents(split))
        assert documents == list(parts.documents(split))
        assert [d["id"] for d in documents] == sorted(d["id"] for d in documents)
    assert list(whole.dropped()) == list(parts.dropped())


def test_the_files_are_as_promised(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "a.jsonl", records(60))
    corpus, _ = make_corpus(read=[{"jsonl": str(path)}], split={"held": 0.3, "test": 0.3})
    assert corpus.splits() == ["train", "test", "held"]
    schema = pq.read_schema(corpus.files("train")[0])
    assert tuple(schema.names) == COLUMNS and {str(kind) for kind in schema.types} == {"string"}
    assert pq.ParquetFile(corpus.files("train")[0]).metadata.row_group(0).column(1).compression == "ZSTD"
    first = next(corpus.documents("train", ["id", "metadata"]))
    assert set(first) == {"id", "metadata"} and set(json.loads(first["metadata"])) == {"group"}
    assert corpus.frame("train").count_rows() == corpus.num_documents("train")
    with pytest.raises(InputError, match="unknown split 'tset'"):
        corpus.files("tset")
    with pytest.raises(InputError, match="unknown column 'txt'"):
        next(corpus.documents("train", ["txt"]))


def test_a_corpus_is_read_again_as_it_is(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "a.jsonl", records(80))
    first, _ = make_corpus("first", read=[{"jsonl": {"path": str(path), "domain": "d", "license": "CC0"}}])
    again, _ = make_corpus("again", read=[{"parquet": str(first.path / "data")}])
    for split in first.splits():
        assert list(first.documents(split)) == list(again.documents(split))


def test_no_document_changes_its_split_when_others_come(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    rows = records(400)
    places = []
    for part in (rows[:200], rows):
        path = helpers.write_jsonl(tmp_path / f"{len(part)}.jsonl", part)
        corpus, _ = make_corpus(str(len(part)), read=[{"jsonl": str(path)}], curate=[], split={"test": 0.3})
        places.append({d["id"]: split for split in corpus.splits() for d in corpus.documents(split, ["id"])})
    assert all(places[1][id] == split for id, split in places[0].items())
    share = sum(split == "test" for split in places[1].values()) / 400
    assert 0.2 < share < 0.4


def test_documents_with_one_key_stay_together(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "a.jsonl", records(400))
    read = [{"jsonl": str(path)}]
    corpus, _ = make_corpus(read=read, curate=[], split={"test": 0.4}, split_by="metadata.group")
    groups = {
        split: {json.loads(d["metadata"])["group"] for d in corpus.documents(split, ["metadata"])}
        for split in corpus.splits()
    }
    assert groups["train"] and groups["test"] and not groups["train"] & groups["test"]
    with pytest.raises(InputError, match=r"did you mean 'metadata.group'"):
        make_corpus("wrong", read=read, split_by="metadata.groups")
    with pytest.raises(InputError, match="did you mean 'source'"):
        make_corpus("column", read=read, split_by="sourc")


@pytest.mark.parametrize(
    "split",
    [{"test": 1.0}, {"test": 0.0}, {"a": 0.5, "b": 0.5}, {"train": 0.5}, {"../x": 0.1}, {"a-b": 0.1, "a_b": 0.1}],
    ids=str,
)
def test_splits_that_cannot_be(split: dict[str, float]) -> None:
    with pytest.raises(InputError, match="split"):
        Splitter(split, "id", 0)


def test_the_seed_moves_documents() -> None:
    ids = [str(number) for number in range(200)]
    first, again, other = (list(map(Splitter({"test": 0.5}, "id", seed).split_of, ids)) for seed in (0, 0, 1))
    assert first == again != other


def test_ids_that_are_taken_get_a_number(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    rows = [{"id": id, "text": f"text {n}"} for n, id in enumerate(["a", "a", "a~2", "b", "a", "a~2"])]
    path = helpers.write_jsonl(tmp_path / "a.jsonl", rows)
    corpus, counts = make_corpus(read=[{"jsonl": str(path)}], curate=[], split={})
    found = {document["id"]: document["text"][-1] for document in corpus.documents("train")}
    assert found == {"a": "0", "a~2": "1", "a~2~2": "2", "b": "3", "a~3": "4", "a~2~3": "5"}
    assert counts["renamed"] == 4


def test_too_much_that_is_unreadable(make_corpus: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "good"}\n' * 98 + b"broken\n" * 2)
    with pytest.raises(InputError, match=r"max_unreadable: 2 of 100 records could not be read, such as .*a.jsonl:99"):
        make_corpus("one", read=[{"jsonl": str(path)}])
    _, counts = make_corpus("two", read=[{"jsonl": str(path)}], max_unreadable=0.02, curate=[])
    assert counts["quarantined"] == {"documents": 2, "kinds": {"not JSON": 2}}


def test_errors_name_their_place(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "a.jsonl", records(20))
    read = [{"jsonl": str(path)}]
    with pytest.raises(InputError, match=r"^read.1.jsonl.text: no record of .* has this field"):
        make_corpus("a", read=[*read, {"jsonl": {"path": str(path), "text": "body"}}])
    with pytest.raises(InputError, match=r"^curate.1.keep.expression: unknown column 'word'"):
        make_corpus("b", read=read, curate=["normalize", {"keep": "word > 3"}])
    with pytest.raises(InputError, match=r"^curate.0.keep: drops every document"):
        make_corpus("c", read=read, curate=[{"keep": "words > 3000"}])
    with pytest.raises(InputError, match=r"^read: names no reader"):
        make_corpus("d", read=[])
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(InputError, match=r"^read: the input holds no documents"):
        make_corpus("e", read=[{"jsonl": str(tmp_path / "empty.jsonl")}])
    assert not list((tmp_path / "made").rglob("work"))


def test_a_tiny_corpus_has_its_splits_though_empty(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "a.jsonl", [{"text": "only one"}])
    corpus, _ = make_corpus(read=[{"jsonl": str(path)}])
    assert corpus.splits() == ["train", "validation", "test"]
    assert [corpus.num_documents(split) for split in corpus.splits()] == [1, 0, 0]
    assert list(corpus.documents("test")) == [] and corpus.frame("test").count_rows() == 0


def test_scores_stay_and_scratch_goes(tmp_path: Path, helpers: Any) -> None:
    from seedbed.corpus.engine import daft
    from seedbed.corpus.input.intake import Intake
    from seedbed.corpus.stages import kept_runs, run_stage, write_dropped, write_splits

    def score(frame: Any) -> Any:
        scored = frame.with_column("length", daft.functions.length(daft.col("text"))).with_column("_x", daft.lit(1))
        return scored.with_column("reason", daft.functions.when(daft.col("length") > 200, "long").otherwise(None))

    path = helpers.write_jsonl(tmp_path / "a.jsonl", records(50))
    reader = helpers.built(helpers.readers, "jsonl", path=str(path))
    paths = Intake(tmp_path / "read", tmp_path / "q.jsonl").read([reader], lambda number, _: str(number))
    stage = run_stage(helpers.built(helpers.curation, "keep", expression="words > 3"), "keep", 1, paths, tmp_path / "w")
    last = run_stage(score, "score", 2, stage.tagged, tmp_path / "w")
    runs = kept_runs(last.tagged, tmp_path / "runs")
    splits, _ = write_splits(tmp_path / "out", runs, Splitter({}, "id", 0))
    write_dropped(tmp_path / "out", [stage, last], runs[0])
    kept = pq.read_table(tmp_path / "out" / "data")
    assert kept.column_names == [*COLUMNS, "length"] and kept.num_rows == splits["train"]["documents"]
    gone = pq.read_table(tmp_path / "out" / "dropped")
    assert gone.column_names == [*COLUMNS, "length", "step", "reason"]
    lengths = {step: set() for step in ("keep", "score")}
    for row in gone.to_pylist():
        lengths[row["step"]].add(row["length"] is None)
    assert lengths == {"keep": {True}, "score": {False}}


def test_a_step_that_loses_documents_is_caught(tmp_path: Path, helpers: Any) -> None:
    from seedbed.corpus.engine import daft
    from seedbed.corpus.input.intake import Intake
    from seedbed.corpus.stages import run_stage

    path = helpers.write_jsonl(tmp_path / "a.jsonl", records(20))
    reader = helpers.built(helpers.readers, "jsonl", path=str(path))
    paths = Intake(tmp_path / "read", tmp_path / "q.jsonl").read([reader], lambda number, _: str(number))
    with pytest.raises(AssertionError, match="20 documents came in"):
        run_stage(lambda frame: frame.where(daft.col("id") != "r0003"), "lossy", 1, paths, tmp_path / "w")


def test_the_estimate_follows_the_size_of_the_input(tmp_path: Path, helpers: Any) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 3_000_000)
    parameters = resolve(build_corpus.function, {"read": [{"text": str(tmp_path / "a.txt")}]})
    estimate = build_corpus.estimated(parameters, lambda reference: {})
    assert estimate.seconds and estimate.seconds > 1 and "3.0 MB" in estimate.notes
    parameters = resolve(build_corpus.function, {"read": ["python_source"]})
    assert build_corpus.estimated(parameters, lambda reference: {}).seconds is None


@pytest.mark.long
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    script = """
import json, random, resource, sys
from pathlib import Path
from seedbed.core.schema import build_value, resolve
from seedbed.core.step import StepContext
from seedbed.corpus.build import build_corpus
folder, num_documents = Path(sys.argv[1]), int(sys.argv[2])
folder.mkdir()
random_ = random.Random(0)
pages = [" ".join(f"w{random_.randrange(5000)}" for _ in range(300)) for _ in range(1000)]
with open(folder / "a.jsonl", "w") as file:
    for _ in range(num_documents):
        file.write(json.dumps({"text": "\\n".join(random_.sample(pages, 30))}) + "\\n")
given = {"read": [{"jsonl": str(folder / "a.jsonl")}], "curate": ["normalize", "exact_duplicates"]}
(folder / "out").mkdir()
context = StepContext(folder=folder / "out", name="c", parameters={})
build_corpus.function(context, **build_value(resolve(build_corpus.function, given)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, context.counts["read"]["bytes"] / 2**20)
"""
    peaks, sizes = [], []
    for num_documents in (6_000, 16_000):
        command = [sys.executable, "-c", script, str(tmp_path / str(num_documents)), str(num_documents)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peak, size = map(float, done.stdout.split())
        peaks.append(peak)
        sizes.append(size)
    assert peaks[1] - peaks[0] < 0.7 * (sizes[1] - sizes[0]), (peaks, sizes)


def test_the_room_is_cheap_to_import_and_daft_is_silent() -> None:
    script = """
import sys
from seedbed.corpus import readers, curation
import seedbed.corpus.build, seedbed.corpus.artifact
assert readers.names() and curation.names()
heavy = {"torch", "daft", "pyarrow", "tokenizers", "transformers"} & set(sys.modules)
assert not heavy, heavy
import socket
def refuse(*arguments, **named): raise AssertionError("the network was used")
socket.socket.connect = refuse
from seedbed.corpus.engine import daft
import os
from daft.scarf_telemetry import track_import_on_scarf
assert os.environ["DO_NOT_TRACK"] == os.environ["SCARF_NO_ANALYTICS"] == "true"
track_import_on_scarf()
assert daft.from_pydict({"a": [1]}).count_rows() == 1
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout and not done.stderr, done.stderr


def test_what_is_taken_out_of_texts_is_kept_and_counted(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    from seedbed.corpus.engine import daft
    from seedbed.corpus.tagging import edits_json

    class Shorten:
        """Takes the last word of every text that has two."""

        def __call__(self, frame: Any, /) -> Any:
            rows = frame.to_pylist()
            for row in rows:
                head, _, last = row["text"].rpartition(" ")
                row["edits"] = edits_json([("last word", last)] if head else [])
                row["text"] = head or last
                row["reason"] = "one word" if last == "gone" else None
            return daft.from_pylist(rows)

    path = helpers.write_jsonl(
        tmp_path / "a.jsonl",
        [{"id": "a", "text": "one two"}, {"id": "b", "text": "three"}, {"id": "c", "text": "gone"}],
    )
    helpers.curation._entries.pop("shorten", None)
    helpers.curation.register("shorten")(Shorten)
    try:
        corpus, counts = make_corpus(read=[{"jsonl": str(path)}], curate=["shorten", "shorten"], split={})
    finally:
        helpers.curation._entries.pop("shorten")
    assert list(corpus.edited()) == [{"id": "a", "step": "shorten", "edits": [("last word", "two")]}]
    assert counts["edited"] == {"shorten": {"documents": 1, "bytes": 4}}
    assert {row["id"]: row["text"] for row in corpus.documents()} == {"a": "one", "b": "three"}


def test_a_scorer_adds_columns(make_corpus: Any, tmp_path: Path, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "a.jsonl", [{"id": "a", "text": "one two"}, {"id": "b", "text": ""}])
    scorer = str(helpers.length_scorer(tmp_path / "scorer"))
    corpus, _ = make_corpus(read=[{"jsonl": str(path)}], curate=[{"score": {"by": scorer, "name": "size"}}], split={})
    found = {row["id"]: (row["size"], row["size_first"]) for row in corpus.documents()}
    assert found == {"a": (7.0, "one"), "b": (None, None)}


def test_files_do_not_depend_on_how_rows_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups end at the same rows, whether rows come one by one or all at once."""
    monkeypatch.setattr(tables, "GROUP_BYTES", 50)
    monkeypatch.setattr(tables, "FILE_BYTES", 200)
    rows = pa.table({"id": [f"{n:03d}" for n in range(100)], "text": ["x" * (n * 7 % 23) for n in range(100)]})
    folders = []
    for size in (1, 9, 100):
        writer = tables.ParquetWriter(tmp_path / str(size), "train", rows.schema)
        for start in range(0, 100, size):
            writer.add(rows.slice(start, size))
        assert writer.close() == {"documents": 100, "bytes": tables.text_bytes(rows)}
        folders.append(contents(tmp_path / str(size)))
    assert folders[0] == folders[1] == folders[2] and len(folders[0]) > 3
    parts = [pq.read_table(path) for path in sorted((tmp_path / "9").iterdir())]
    assert pa.concat_tables(parts).equals(rows)
    groups = pq.ParquetFile(tmp_path / "9" / "train-00000.parquet").metadata
    sizes = [groups.row_group(n).num_rows for n in range(groups.num_row_groups)]
    filled = [parts[0].slice(sum(sizes[:n]), size) for n, size in enumerate(sizes)]
    strings = [tables.text_bytes(group) + tables.text_bytes(group, "id") for group in filled]
    assert len(strings) > 1 and all(50 <= size < 50 + 3 + 23 for size in strings)


def test_totals_by_the_values_of_a_column() -> None:
    """As a plain count; what has no value is one with what has an empty one."""
    values = [None, "", "a", "b", "a", None] * 50
    texts = ["é" * (number % 7) for number in range(len(values))]
    table = pa.table({"text": texts, "domain": pa.array(values, pa.string())})
    wanted: dict[str, tuple[int, int]] = {}
    for value, text in zip(values, texts, strict=True):
        documents, size = wanted.get(value or "", (0, 0))
        wanted[value or ""] = documents + 1, size + len(text.encode())
    assert tables.totals_by(table, "domain") == wanted and tables.totals_by(table.slice(0, 0), "domain") == {}
