"""The waterfall of a corpus whose steps dropped documents and edited others, and its examples."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seedbed.corpus.artifact import Corpus
from seedbed.report.collect.corpus import EXAMPLES, corpus_report, stages_of
from seedbed.report.collect.steps import StepFacts
from seedbed.report.page import Page
from seedbed.report.run_page import waterfall

COUNTS = {
    "read": {"documents": 10, "bytes": 1000},
    "quarantined": {"documents": 0},
    "dropped": {"rules": {"documents": 6, "bytes": 300}, "lines": {"documents": 0, "bytes": 0}},
    "edited": {"rules": {"documents": 0, "bytes": 0}, "lines": {"documents": 2, "bytes": 120}},
    "splits": {"train": {"documents": 4, "bytes": 580}},
    "domains": {"web": {"documents": 4, "bytes": 580}},
    "kept": {"documents": 4, "bytes": 580},
}


def test_edits_are_a_row_of_their_own() -> None:
    stages = stages_of(COUNTS, [])
    assert [(stage.label, stage.kind, stage.documents, stage.bytes) for stage in stages] == [
        ("read", "total", 10, 1000),
        ("rules", "drop", 6, 300),
        ("lines: edits", "edit", 2, 120),
        ("kept", "total", 4, 580),
    ]


def test_examples_of_different_reasons_come_first(tmp_path: Path) -> None:
    report = corpus_report(_step(tmp_path))
    rules, lines = report.examples
    assert (rules.step, rules.num_dropped, rules.num_edited) == ("rules", 6, 0)
    assert [example.reason for example in rules.dropped] == [
        "too short: 1 words",
        "no stop words",
        "too short: 2 words",
    ]
    assert len(rules.dropped) == EXAMPLES and not rules.edited
    assert [(example.id, example.reason, example.text) for example in lines.edited] == [
        ("a1", "javascript", "Enable <b>JavaScript</b>"),
        ("a2", "short line", "Menu"),
    ]


def test_the_page_shows_them_as_text(tmp_path: Path) -> None:
    report = corpus_report(_step(tmp_path))
    page = Page()
    names = {"run": type("Run", (), {"corpora": [report]}), "waterfall": waterfall}
    html = page._environment.from_string(
        '{% import "macros.html" as m %}{% include "run_corpora.html" %}'
    ).render(names)  # fmt: skip
    assert "6 documents dropped" in html and "2 edited" in html and "Taken out of texts that stayed" in html
    assert "Enable &lt;b&gt;JavaScript" in html and "<b>" not in html


def _step(folder: Path) -> StepFacts:
    """A corpus as `build_corpus` leaves it, in the few files that the report reads."""
    columns = ("id", "text", "source", "domain", "license", "metadata")
    kept = [dict.fromkeys(columns, "x") | {"id": "a1"}]
    reasons = ["too short: 1 words", "too short: 2 words", "too short: 3 words", "no stop words"]
    dropped = [
        dict.fromkeys(columns, "x") | {"id": f"d{number}", "step": "rules", "reason": reason}
        for number, reason in enumerate(reasons)
    ]
    edits = [("a1", [["javascript", "Enable <b>JavaScript</b>"]]), ("a2", [["short line", "Menu"]])]
    edited = [{"id": id, "step": "lines", "edits": json.dumps(pairs)} for id, pairs in edits]
    for name, rows in {
        "data/train": kept, "dropped/01-rules": dropped, "edited/02-lines": edited
    }.items():  # fmt: skip
        path = folder / f"{name}-00000.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
    (folder / "manifest.json").write_text(
        json.dumps({"kind": "corpus", "fingerprint": "f", "files": {}, "format": 1, "counts": COUNTS})
    )
    return StepFacts("texts", "build_corpus", "corpus", "f", "done", Corpus(folder))
