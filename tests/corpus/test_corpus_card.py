"""The card of a built corpus: what `datasets` makes of it, and that its figures are the files'."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import yaml

from seedbed.corpus.card import CARD

datasets = pytest.importorskip("datasets")


@pytest.fixture
def corpus(make_corpus: Any, tmp_path: Path, helpers: Any) -> Any:
    licenses = ["CC BY 4.0", "Apache-2.0", "their own", ""]
    rows = [
        {
            "id": f"d{n:02d}",
            "text": f"text {n} " * (1 + 50 * (n % 3)),
            "license": licenses[n % 4],
            "source": f"s|{n % 20}",
        }
        for n in range(60)
    ]
    rows += [{"id": "e1", "text": rows[1]["text"]}, {"id": "e2", "text": "<script>"}, {"id": "e3", "text": "é"}]
    path = helpers.write_jsonl(tmp_path / "a.jsonl", rows)
    found, counts = make_corpus(
        read=[{"jsonl": {"path": str(path), "domain": "web"}}],
        curate=["normalize", "exact_duplicates", {"keep": "words > 1"}],
        split={"held-out": 0.2, "held": 0.2, "empty": 0.0001},
    )
    return found, counts


def head_of(corpus: Any) -> dict[str, Any]:
    return dict(yaml.safe_load((corpus.path / CARD).read_text(encoding="utf8").split("---\n")[1]))


def test_datasets_finds_splits_and_rows(corpus: Any, tmp_path: Path) -> None:
    found, counts = corpus
    loaded = datasets.load_dataset(str(found.path), cache_dir=str(tmp_path / "cache"))
    assert {name: rows.num_rows for name, rows in loaded.items()} == {
        name.replace("-", "_"): row["documents"] for name, row in counts["splits"].items() if row["documents"]
    }
    assert counts["splits"]["empty"]["documents"] == 0
    assert loaded["train"]["text"][:] == [row["text"] for row in found.documents("train")]


def test_the_head(corpus: Any) -> None:
    head = head_of(corpus[0])
    assert head["license"] == ["apache-2.0", "cc-by-4.0", "other", "unknown"] and head["size_categories"] == ["n<1K"]
    assert head["configs"][0]["data_files"][0] == {
        "split": "train",
        "path": "data/train-[0-9][0-9][0-9][0-9][0-9].parquet",
    }
    assert "language" not in head


def test_the_tables_add_up(corpus: Any) -> None:
    found, counts = corpus
    card = (found.path / CARD).read_text(encoding="utf8")
    sections = dict(re.findall(r"^## ([^\n]+)\n\n(.*?)(?=\n\n## |\Z)", card, flags=re.M | re.S))
    for name in ("Splits", "By domain", "By source", "By license", "Length"):
        rows = [line.rsplit("|", 3)[1:3] for line in sections[name].splitlines()[2:]]
        totals = [sum(int(row[column].replace(",", "")) for row in rows) for column in (0, 1)]
        assert totals == [counts["kept"]["documents"], counts["kept"]["bytes"]], name
    assert "8 others" in sections["By source"] and r"s\|1" in sections["By source"]
    assert "| exact_duplicates | 1 |" in card and "same text as d01" in card and "| keep | 2 |" in card
    assert "<script>" not in card


def test_what_was_taken_out_is_not_told(tmp_path: Path, make_corpus: Any, helpers: Any) -> None:
    """Reasons and statements that quote a text: a card says what kind they are of."""
    from seedbed.corpus.card import write_card
    from seedbed.corpus.stages import write_edits
    from seedbed.corpus.tables import RunWriter

    secret = "the secret of the house is hidden under the third stone"
    rows = [{"id": f"a{n}", "text": f"{n} {secret}" if n == 1 else f"text {n} of some words"} for n in range(9)]
    held = helpers.write_jsonl(tmp_path / "held.jsonl", [{"text": secret}])
    corpus, counts = make_corpus(
        read=[{"jsonl": str(helpers.write_jsonl(tmp_path / "a.jsonl", rows))}],
        curate=[{"decontaminate": {"against": [str(held)], "ngram": 3}}],
        split={},
    )
    assert secret in next(corpus.dropped())["reason"]
    card = (corpus.path / CARD).read_text(encoding="utf8")
    assert "secret" not in card and "3-grams stand in evaluation texts" in card
    # A program's statement, as the step `prox` leaves it.
    runs = RunWriter(tmp_path / "runs", measured="edits")
    why = 'normalize(source_str="the \\"secret\\" word", target_str="")'
    edits = json.dumps([[why, "the secret word"]])
    runs.add(pa.table({"id": ["a2"], "step": ["decontaminate"], "edits": [edits]}))
    stage = SimpleNamespace(label="01-decontaminate", edited=runs.close())
    write_edits(corpus.path, [stage])  # type: ignore[list-item]
    write_card(corpus.path, "again", counts, {})
    card = (corpus.path / CARD).read_text(encoding="utf8")
    assert "secret" not in card and r'edited: normalize(source\_str="...", target\_str="...")' in card


def test_languages_stand_in_the_head(tmp_path: Path, corpus: Any) -> None:
    """A column `language`, as a scorer gives it; what is no code of a language stays out."""
    import pyarrow.parquet as pq

    from seedbed.corpus.card import write_card

    found, counts = corpus
    for split in found.splits():
        for path in found.files(split):
            table = pq.read_table(path)
            column = [["en", "sl", "und?"][n % 3] for n in range(table.num_rows)]
            pq.write_table(table.append_column("language", [column]), path)
    write_card(found.path, "again", counts, {})
    assert head_of(found)["language"] == ["en", "sl"]
