"""Input of a size that nobody should send: it is refused or taken in, counted, and in bounded memory.

Each test builds a corpus in a process of its own, whose largest memory is asserted. Figures in the comments are those
of two cores.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from seedbed.corpus.artifact import Corpus

SCRIPT = """
import json, resource, sys
from pathlib import Path
from seedbed.core.schema import build_value, resolve
from seedbed.core.step import StepContext
from seedbed.corpus.build import build_corpus
folder, given = Path(sys.argv[1]), json.loads(sys.argv[2])
context = StepContext(folder=folder, name="c", parameters={})
build_corpus.function(context, **build_value(resolve(build_corpus.function, given)))
(folder / "counts.json").write_text(json.dumps(context.counts))
status = Path("/proc/self/status")
if status.exists():  # Linux, where getrusage's figure is that of the parent if that is larger
    peak = int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(peak)
"""
GOOD = [{"id": f"good{number}", "text": f"A short text that stands beside, number {number}."} for number in range(20)]

pytestmark = pytest.mark.long


def build(folder: Path, reader: dict[str, Any], **given: Any) -> tuple[Corpus, dict[str, Any], float]:
    """The corpus, its counts, and the MiB that the process took at most."""
    folder.mkdir()
    parameters = json.dumps({"read": [reader], "max_unreadable": 0.5, "split": {}, **given})
    command = [sys.executable, "-c", SCRIPT, str(folder), parameters]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads((folder / "counts.json").read_text())
    peak = float(done.stdout.split()[-1])
    print(f"peak {peak:.0f} MiB")  # shown by `pytest -s`
    return Corpus(folder), counts, peak


def good_texts(corpus: Corpus) -> list[str]:
    return sorted(row["text"] for row in corpus.documents("train", ["text"]) if row["text"])


@pytest.mark.parametrize("extractor", ["trafilatura", "resiliparse"])
def test_a_page_of_100_mb(extractor: str, tmp_path: Path) -> None:
    pages = tmp_path / "in"
    pages.mkdir()
    paragraph = b"<p>A paragraph of a page that never ends, as some that are made by machines do.</p>\n"
    with open(pages / "a.html", "wb") as file:
        file.write(b"<html><body><main>\n")
        while file.tell() < 100_000_000:
            file.write(paragraph * 10_000)
        file.write(b"</main></body></html>\n")
    text = "A page of an honest length, which is read after the one that is refused. " * 20
    (pages / "b.html").write_text(f"<html><body><main><p>{text}</p></main></body></html>")
    corpus, counts, peak = build(tmp_path / "out", {"html": {"path": str(pages), "extractor": extractor}})
    assert counts["read"]["documents"] == counts["kept"]["documents"] == 1
    assert counts["quarantined"]["documents"] == 1
    (row,) = corpus.quarantine()
    assert row["file"].endswith("a.html") and row["reason"] == "more than 67108864 bytes"
    assert peak < 600


@pytest.mark.parametrize("form", ["jsonl", "csv", "text"])
def test_a_document_of_1_gb(form: str, tmp_path: Path) -> None:
    """On a line of its own; in CSV it is a quoted field, and as text a file."""
    source = tmp_path / "in"
    source.mkdir()
    before, after = GOOD[:10], GOOD[10:]
    path = source / f"a.{'txt' if form == 'text' else form}"
    with open(path, "wb") as file:
        if form == "jsonl":
            file.write(b"".join(json.dumps(row).encode() + b"\n" for row in before))
            file.write(b'{"id": "long", "text": "')
        elif form == "csv":
            file.write(b"id,text\n" + b"".join(f'{row["id"]},"{row["text"]}"\n'.encode() for row in before))
            file.write(b'long,"')
        piece = b"words without end " * 60_000
        for _ in range(1_000_000_000 // len(piece) + 1):
            file.write(piece)
        if form == "jsonl":
            file.write(b'"}\n' + b"".join(json.dumps(row).encode() + b"\n" for row in after))
        elif form == "csv":
            file.write(b'"\n' + b"".join(f'{row["id"]},"{row["text"]}"\n'.encode() for row in after))
    size = path.stat().st_size
    assert size > 1_000_000_000
    if form == "text":
        for row in GOOD:
            (source / f"{row['id']}.txt").write_text(row["text"])
    corpus, counts, peak = build(tmp_path / "out", {form: {"path": str(source)}})
    path.unlink()
    assert counts["read"]["documents"] == counts["kept"]["documents"] == len(GOOD)
    assert good_texts(corpus) == sorted(row["text"] for row in GOOD)
    assert counts["quarantined"]["documents"] == 1
    (row,) = corpus.quarantine()
    assert "more than 67108864 bytes" in row["reason"] and len(json.dumps(row)) < 1000
    assert peak < 600


def test_10_million_documents_without_text(tmp_path: Path) -> None:
    number = 10_000_000
    source = tmp_path / "in"
    source.mkdir()
    with gzip.open(source / "a.jsonl.gz", "wb", compresslevel=1) as file:
        file.write(b"".join(json.dumps(row).encode() + b"\n" for row in GOOD))
        for start in range(0, number, 100_000):
            file.write(b"".join(b'{"id": "e%d", "text": ""}\n' % n for n in range(start, start + 100_000)))
    corpus, counts, peak = build(tmp_path / "out", {"jsonl": {"path": str(source)}})
    assert counts["read"]["documents"] == number + len(GOOD) and counts["quarantined"]["documents"] == 0
    dropped = sum(row["documents"] for row in counts["dropped"].values())
    assert counts["kept"]["documents"] + dropped == number + len(GOOD)
    assert counts["kept"]["documents"] == len(GOOD) == len(good_texts(corpus))
    written = sum(pq.read_metadata(path).num_rows for path in (corpus.path / "dropped").glob("*.parquet"))
    assert written == dropped
    assert peak < 2048
