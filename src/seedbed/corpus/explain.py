"""One document's life: where it was read, what each step did with it, and where it is now.

Everything is found in the finished corpus. Its files are sorted by id, so that only the row groups whose range of ids
holds the wanted one are read: a few megabytes, whatever the size of the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from seedbed.core.errors import InputError

from .artifact import Corpus
from .documents import COLUMNS, Unreadable

Fate = Literal["kept", "dropped", "quarantined"]
_UNREADABLE = 20  # rows of one file that are told
_SHOWN = 300  # characters of a text
_ARTIFACT = "artifact:"  # how a manifest's parameters name one


@dataclass(frozen=True)
class Visit:
    """What one curation step did with the document."""

    step: str
    outcome: Literal["passed", "edited", "dropped", "not reached"]
    reason: str = ""
    edits: list[tuple[str, str]] = field(default_factory=list)  # why, and the (beginning of the) text that went


@dataclass(frozen=True)
class Life:
    """What is known of a document. `text` is its last one: as it stands in the corpus, or as it was dropped."""

    id: str
    fate: Fate
    source: str = ""
    domain: str = ""
    license: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    split: str = ""
    visits: list[Visit] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    unreadable: list[dict[str, Any]] = field(default_factory=list)  # rows of the quarantine: file, line, reason
    namesake: str = ""  # another document that came with the same id


def explain(corpus: Corpus, id: str) -> Life:
    """The life of the document with this id, or of what stands in quarantine under `file:line` or `file`.

    Raises InputError if the corpus has never seen it.
    """
    found = next(rows_with(_files(corpus, "data") + _files(corpus, "dropped"), id), None)
    if found is not None:
        path, row = found
        kept = path.parent.name == "data"
        return Life(
            id=id,
            fate="kept" if kept else "dropped",
            source=row["source"] or "",
            domain=row["domain"] or "",
            license=row["license"] or "",
            metadata=json.loads(row["metadata"] or "{}"),
            split=_label(path) if kept else "",
            visits=_visits(corpus, id, "" if kept else _label(path), row.get("reason") or ""),
            scores={name: value for name, value in row.items() if name not in (*COLUMNS, "step", "reason")},
            text=row["text"] or "",
            namesake=_namesake(corpus, id),
        )
    unreadable = list(islice(_quarantined(corpus, id), _UNREADABLE))
    if not unreadable:
        fix = "an id stands in the column id of data/ and dropped/; in quarantine.jsonl it is FILE:LINE"
        raise InputError(str(corpus.path), "has never seen this document", value=id, fix=fix)
    return Life(id, "quarantined", source=unreadable[0]["file"], unreadable=unreadable)


def place_in(corpus: Corpus, life: Life) -> str:
    """The file and line that a document was read from, by reading the input again until it comes; empty if it does not.
    Of a document from an earlier corpus, where that one has it from.

    Raises InputError if the files are no longer where they were.
    """
    from . import readers

    # An id that was taken when the document came has a number behind it.
    name, _, number = life.id.rpartition("~")
    wanted = {life.id: 1} | ({name: int(number)} if name and number.isdigit() else {})
    for given in (corpus.manifest or {}).get("parameters", {}).get("read", []):
        if _ARTIFACT in json.dumps(given):
            if place := _place_before(corpus, given, life.id):
                return place
            continue
        for item in readers.parse(_paths(given)).build():
            if isinstance(item, Unreadable) or item.id not in wanted:
                continue
            wanted[item.id] -= 1
            if not wanted[item.id]:
                return item.place or item.id
    return ""


def _place_before(corpus: Corpus, reader: Any, id: str) -> str:
    """Where the earlier corpora that a reader takes have a document from."""
    for parent in corpus.inputs():
        if isinstance(parent, Corpus) and f"{_ARTIFACT}{parent.fingerprint}" in json.dumps(reader):
            try:
                place = place_in(parent, explain(parent, id))
            except InputError:
                continue
            label = (parent.manifest or {}).get("name", parent.path.name)
            return f"{label}{f', from {place}' if place else ''}"
    return ""


def lines(life: Life, place: str = "") -> Iterator[str]:
    """For people."""
    yield f"{life.id}: {life.fate}{f', in the split {life.split}' if life.split else ''}"
    facts = {"read from": place, "source": life.source, "domain": life.domain, "license": life.license}
    facts |= {name: _short(value) for name, value in (life.metadata | life.scores).items()}
    yield from (f"  {name}: {value}" for name, value in facts.items() if value != "")
    for row in life.unreadable:
        yield f"  {row['file']}:{row['line']}: {row['reason']}"
    for number, visit in enumerate(life.visits, 1):
        yield f"  {number}. {visit.step}: {visit.outcome}{f', {visit.reason}' if visit.reason else ''}"
        yield from (f"       {why}: {_short(text)}" for why, text in visit.edits)
    if life.namesake:
        yield f"  another document came with the same id: {life.namesake}"
    if life.text:
        yield f"  {len(life.text)} characters: {_short(life.text, _SHOWN)}"


def rows_with(paths: Iterable[Path], id: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The rows with an id, and their files, from files that are sorted by it."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                column = file.metadata.row_group(group).column(0)
                assert column.path_in_schema == "id"
                bounds = column.statistics
                # Both sort by code points, Parquet in UTF-8 and Python in characters.
                if bounds is not None and bounds.has_min_max and not bounds.min <= id <= bounds.max:
                    continue
                found = pc.equal(file.read_row_group(group, ["id"])["id"], id)
                if pc.any(found).as_py():
                    yield from ((path, row) for row in file.read_row_group(group).filter(found).to_pylist())


def _visits(corpus: Corpus, id: str, dropped_by: str, reason: str) -> list[Visit]:
    """One for each step. A step is known by its label, such as `03-keep`: it may come twice."""
    edits = {_label(path): json.loads(row["edits"]) for path, row in rows_with(_files(corpus, "edited"), id)}
    visits = []
    gone = False
    for label in _labels(corpus):
        told = [(why, text) for why, text in edits.get(label, [])]
        outcome: Any = "not reached" if gone else "dropped" if label == dropped_by else "edited" if told else "passed"
        gone = gone or label == dropped_by
        visits.append(Visit(label[3:], outcome, reason if outcome == "dropped" else "", told))
    return visits


def _labels(corpus: Corpus) -> list[str]:
    """The steps in their order; without a manifest those that have left files."""
    steps = (corpus.manifest or {}).get("parameters", {}).get("curate")
    if steps is None:
        return sorted({_label(path) for folder in ("dropped", "edited") for path in _files(corpus, folder)})
    return [f"{number:02d}-{next(iter(step))}" for number, step in enumerate(steps, 1)]


def _files(corpus: Corpus, folder: str) -> list[Path]:
    return sorted((corpus.path / folder).glob("*.parquet"))


def _label(path: Path) -> str:
    """The split or step whose file it is."""
    return path.name.rsplit("-", 1)[0]


def _namesake(corpus: Corpus, id: str) -> str:
    """The second document that came with this id, or the one that came first."""
    first, _, number = id.rpartition("~")
    for name in [f"{id}~2"] + [first] * number.isdigit():
        if any(True for _ in rows_with(_files(corpus, "data") + _files(corpus, "dropped"), name)):
            return name
    return ""


def _quarantined(corpus: Corpus, id: str) -> Iterator[dict[str, Any]]:
    """By `file:line`, or all rows of a file; a file may be given by the end of its path."""
    for row in corpus.quarantine():
        names = (str(row["file"]), f"{row['file']}:{row['line']}")
        if any(name == id or name.endswith(f"/{id}") for name in names):
            yield row


def _paths(given: Any) -> Any:
    """A reader's parameters as they stood in the recipe: files by their path alone."""
    if isinstance(given, dict):
        if set(given) == {"path", "contents"}:
            return given["path"]
        return {name: _paths(value) for name, value in given.items() if name != "inputs"}
    return list(map(_paths, given)) if isinstance(given, list) else given


def _short(value: Any, limit: int = 100) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[:limit] + " ..."
