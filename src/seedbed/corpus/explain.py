"""One document's life: where it was read, what each step did with it, and where it is now.

Everything is found in the finished corpus. Its files are sorted by id, so that only the row groups whose range of ids
holds the wanted one are read: a few megabytes, whatever the size of the corpus. Only for file and line of a document
that has an id of its own the input is read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from seedbed.core.errors import InputError
from seedbed.core.remote import SCHEME
from seedbed.core.source import Source

from .artifact import Corpus
from .documents import COLUMNS, Document, Unreadable
from .input.files import OneOf

Fate = Literal["kept", "dropped", "quarantined"]
_UNREADABLE = 20  # rows of one file that are told
_SHOWN = 300  # characters of a text
ARTIFACT = "artifact:"  # how a manifest's parameters name one
HOW_TO_NAME = (
    "an id stands in the column id of data/ and dropped/; a record is also known as FILE:LINE, as long as its file "
    "stands where it was read"
)


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
    place: str = ""  # file and line that it was read from, where these are known


def explain(corpus: Corpus, id: str) -> Life:
    """The life of the document with this id, or of what was read from `file:line`, or stands in quarantine under
    `file`; a file may be given by the end of its path.

    Raises InputError if the corpus has never seen it.
    """
    life = find(corpus, id)
    if life is None:
        raise InputError(str(corpus.path), "has never seen this document", value=id, fix=HOW_TO_NAME)
    return life


def find(corpus: Corpus, id: str) -> Life | None:
    """As `explain`; None if the corpus has never seen it."""
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
    if unreadable:
        return Life(id, "quarantined", source=unreadable[0]["file"], unreadable=unreadable)
    read = _read_from(corpus, id)
    if len(read) > 1:
        raise InputError(id, "may be any of several places", allowed=list(read), fix="give more of the file's path")
    for place, own in read.items():
        return replace(explain(corpus, own), place=place)
    return None


def place_in(corpus: Corpus, life: Life) -> str:
    """The file and line that a document was read from, by reading the input again until it comes; empty if it does not.
    Of a document from an earlier corpus, where that one has it from.

    Raises InputError if the files are no longer where they were.
    """
    # An id that was taken when the document came has a number behind it.
    name, _, number = life.id.rpartition("~")
    wanted = {life.id: 1} | ({name: int(number)} if name and number.isdigit() else {})
    for given in parameters(corpus, "read"):
        if ARTIFACT in json.dumps(given):
            if place := _place_before(corpus, given, life.id):
                return place
            continue
        for document in _read_again(given):
            if document.id not in wanted:
                continue
            wanted[document.id] -= 1
            if not wanted[document.id]:
                return document.place or document.id
    return ""


def _place_before(corpus: Corpus, reader: Any, id: str) -> str:
    """Where the earlier corpora that a reader takes have a document from."""
    for parent in corpora_in(corpus, reader):
        with suppress(InputError):
            return _named(parent, place_in(parent, explain(parent, id)))
    return ""


def _read_from(corpus: Corpus, place: str) -> dict[str, str]:
    """Places, whole, and ids of the documents that were read from `file:line`: the first one of each file that may be
    meant, which is read again up to it. Of an earlier corpus's document, where that one has it from."""
    file, _, line = place.rpartition(":")
    file = file.removeprefix(SCHEME).removeprefix("./")
    found: dict[str, str] = {}
    if not file or not line.isdecimal():
        return found
    for given in parameters(corpus, "read"):
        for parent in corpora_in(corpus, given):
            found |= {_named(parent, whole): id for whole, id in _read_from(parent, place).items()}
        ((name, configured),) = given.items()
        source = configured.get("path") if isinstance(configured, dict) else None
        for one in OneOf.named(Source(source["path"]), file) if isinstance(source, dict) else ():
            with suppress(InputError):  # such as a column that this file does not have
                read = _read_again({name: {**configured, "path": one}})
                document = next((item for item in read if _is_at(item, file, line)), None)
                if document is not None:
                    found.setdefault(document.place or document.id, _id_in(corpus, document))
    return found


def _is_at(document: Document, file: str, line: str) -> bool:
    name, _, number = (document.place or document.id).rpartition(":")
    # The file's name begins at the folder that the recipe names; its path may be given from the root on.
    return number == line and (f"/{name}".endswith(f"/{file}") or f"/{file}".endswith(f"/{name}"))


def _id_in(corpus: Corpus, document: Document) -> str:
    """The id that a document got, which has a number if others came with the same one before: only then all the input
    is read again."""
    count = 0
    if _has(corpus, f"{document.id}~2"):
        for given in parameters(corpus, "read"):
            for other in _read_again(given) if ARTIFACT not in json.dumps(given) else ():
                count += other.id == document.id
                if other.id == document.id and other.place == document.place:
                    return f"{document.id}~{count}" if count > 1 else document.id
    return document.id


def _read_again(given: Any) -> Iterator[Document]:
    """The documents of a reader. Raises InputError if its files are no longer where they were."""
    from . import readers

    return (item for item in readers.parse(_paths(given)).build() if not isinstance(item, Unreadable))


def _named(corpus: Corpus, place: str) -> str:
    label = (corpus.manifest or {}).get("name", corpus.path.name)
    return f"{label}{f', from {place}' if place else ''}"


def parameters(corpus: Corpus, name: str) -> list[Any]:
    """What the corpus was made with: its readers (`read`), or its steps (`curate`)."""
    return list((corpus.manifest or {}).get("parameters", {}).get(name) or [])


def corpora_in(corpus: Corpus, given: Any) -> list[Corpus]:
    """The corpora that stand in the parameters which a corpus was made with, as far as they are still there."""
    named = json.dumps(given)
    parents = [parent for parent in corpus.inputs() if isinstance(parent, Corpus)]
    return [parent for parent in parents if f"{ARTIFACT}{parent.fingerprint}" in named]


def lines(life: Life) -> Iterator[str]:
    """For people."""
    yield f"{life.id}: {life.fate}{f', in the split {life.split}' if life.split else ''}"
    facts = {"read from": life.place, "source": life.source, "domain": life.domain, "license": life.license}
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
        if _has(corpus, name):
            return name
    return ""


def _has(corpus: Corpus, id: str) -> bool:
    return any(True for _ in rows_with(_files(corpus, "data") + _files(corpus, "dropped"), id))


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
