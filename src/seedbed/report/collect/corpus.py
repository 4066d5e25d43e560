"""What a corpus became, step by step, with examples of what was dropped and why."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from seedbed.corpus.artifact import Corpus

from .steps import StepFacts
from .texts import called, clipped, documentation, ends

EXAMPLES = 3  # of each curation step
CHOICE = 60  # rows that they are chosen from
QUARANTINED = 6
DOMAINS = 12


@dataclass(frozen=True)
class Stage:
    """A level of the waterfall, what one step took away with documents (drop), or out of those that stay (edit).
    None: not known.
    """

    label: str
    kind: Literal["total", "drop", "edit"]
    documents: int
    bytes: int | None
    about: str = ""
    settings: str = ""


@dataclass(frozen=True)
class Example:
    """The beginning of a document, and why it was dropped; or of what was taken out of one that stayed."""

    step: str
    id: str
    source: str
    reason: str
    text: str


@dataclass
class StepExamples:
    """What one curation step took away."""

    step: str
    num_dropped: int
    num_edited: int
    dropped: list[Example]
    edited: list[Example]


@dataclass
class CorpusReport:
    """One corpus."""

    name: str
    read_from: str
    stages: list[Stage]
    kept: dict[str, int]
    splits: dict[str, dict[str, int]]
    domains: dict[str, dict[str, int]]
    settings: dict[str, str]
    renamed: int
    examples: list[StepExamples] = field(default_factory=list)  # of the steps that took something away
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    num_quarantined: int = 0
    sample: list[Example] = field(default_factory=list)  # a document that stayed


def corpus_report(step: StepFacts) -> CorpusReport:
    """From counts in the manifest, and a few rows of the files."""
    assert isinstance(step.artifact, Corpus)
    counts = step.counts
    parameters = step.parameters
    report = CorpusReport(
        step.name,
        ", ".join(map(_origin, parameters.get("read", []))) or "unknown readers",
        stages_of(counts, parameters.get("curate", [])),
        counts.get("kept", {"documents": 0, "bytes": 0}),
        {name: counts["splits"][name] for name in step.artifact.splits() if name in counts.get("splits", {})},
        _largest(counts.get("domains", {})),
        {
            "read": called(parameters.get("read", [])),
            "curate": called(parameters.get("curate", [])),
            "held out": f"{called(parameters.get('split', {}))}, by the hash of {parameters.get('split_by', 'id')}",
        },
        int(counts.get("renamed", 0)),
        num_quarantined=int(counts.get("quarantined", {}).get("documents", 0)),
    )
    if isinstance(parameters.get("split"), dict):
        held = ", ".join(f"{100 * share:g}% {name}" for name, share in parameters["split"].items())
        report.settings["held out"] = f"{held or 'nothing'}, by the hash of each document's {parameters['split_by']}"
    report.examples = _examples(step.artifact, counts)
    report.quarantine = [
        {"file": ends(str(row["file"])), "line": row["line"], "reason": clipped(str(row["reason"]))}
        for row in islice(step.artifact.quarantine(), QUARANTINED)
    ]
    report.sample = _sample(step.artifact)
    return report


def stages_of(counts: dict[str, Any], curate: list[Any]) -> list[Stage]:
    """The waterfall: in = kept + dropped + quarantined, and for the bytes also what was rewritten."""
    read, kept = counts.get("read"), counts.get("kept")
    if not read or not kept:
        return []
    stages = []
    quarantined = int(counts.get("quarantined", {}).get("documents", 0))
    if quarantined:
        stages.append(Stage("came in", "total", read["documents"] + quarantined, None, "All records of the input."))
        stages.append(Stage("quarantine", "drop", quarantined, None, "Could not be read."))
    stages.append(Stage("read", "total", read["documents"], read["bytes"], "Documents that could be read."))
    edited = counts.get("edited", {})
    for name, row in counts.get("dropped", {}).items():
        settings = [called(item) for item in curate if isinstance(item, dict) and name in item]
        edits = edited.get(name, {"documents": 0, "bytes": 0})
        if row["documents"] or not any(edits.values()):
            about = documentation("curation", name)[0]
            stages.append(Stage(name, "drop", row["documents"], row["bytes"], about, "; ".join(settings)))
        if any(edits.values()):
            about = "Bytes by which it changed texts that stayed."
            stages.append(Stage(f"{name}: edits", "edit", edits["documents"], edits["bytes"], about))
    gone = sum(row["bytes"] for what in ("dropped", "edited") for row in counts.get(what, {}).values())
    rewritten = read["bytes"] - gone - kept["bytes"]
    if rewritten:  # of a corpus that was made before this was counted by step
        about = "Bytes by which the steps changed texts that stayed, such as line ends and stray blanks."
        stages.append(Stage("rewriting", "edit", 0, rewritten, about))
    stages.append(Stage("kept", "total", kept["documents"], kept["bytes"], "The corpus."))
    return stages


def _origin(reader: Any) -> str:
    """A reader by its path, where it has one."""
    ((name, settings),) = reader.items()
    path = settings.get("path")
    return f"{called(path)} ({name})" if path else str(name)


def _largest(domains: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The domains by size, the small ones together."""
    ordered = sorted(domains.items(), key=lambda item: -item[1]["bytes"])
    found = {name or "no domain": dict(row) for name, row in ordered[:DOMAINS]}
    rest = [row for _, row in ordered[DOMAINS:]]
    if rest:
        found[f"{len(rest)} others"] = {key: sum(row[key] for row in rest) for key in ("documents", "bytes")}
    return found


def _examples(corpus: Corpus, counts: dict[str, Any]) -> list[StepExamples]:
    """A few of what each step dropped, and of what it took out of texts that stayed."""
    dropped = {step: list(map(_example, rows)) for step, rows in _first_rows(corpus, "dropped", "text").items()}
    edited = {
        step: [
            Example(step, ends(row["id"]), "", *map(clipped, pair)) for row in rows for pair in json.loads(row["edits"])
        ]
        for step, rows in _first_rows(corpus, "edited", "edits").items()
    }
    found = []
    for step in dict.fromkeys([*counts.get("dropped", {}), *dropped, *edited]):
        num_dropped, num_edited = (counts.get(what, {}).get(step, {"documents": 0}) for what in ("dropped", "edited"))
        gone, taken = _varied(dropped.get(step, [])), _varied(edited.get(step, []))
        if gone or taken:
            found.append(StepExamples(step, num_dropped["documents"], num_edited["documents"], gone, taken))
    return found


def _first_rows(corpus: Corpus, folder: str, column: str) -> dict[str, list[dict[str, Any]]]:
    """By step, rows from the first file that it left."""
    columns = ["id", "step", column] + ["source", "reason"] * (folder == "dropped")
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((corpus.path / folder).glob("*-00000.parquet")):
        rows = rows_of(path, columns, CHOICE)
        for row in rows:
            found.setdefault(str(row["step"]), []).append(row)
    return found


def _varied(examples: list[Example]) -> list[Example]:
    """As many as are shown, with different reasons first; what differs by numbers alone is one reason."""
    seen: Counter[str] = Counter()
    ranked = []
    for example in examples:
        kind = re.sub(r"\W*\d[\d.]*", "", example.reason)[:40]
        ranked.append((seen[kind], example))
        seen[kind] += 1
    return [example for _, example in sorted(ranked, key=lambda pair: pair[0])[:EXAMPLES]]


def _sample(corpus: Corpus) -> list[Example]:
    splits = corpus.splits()
    if not splits:
        return []
    path = corpus.files("train" if "train" in splits else splits[0])[0]
    return [_example(row) for row in rows_of(path, ["id", "source", "text"], 1)]


def _example(row: dict[str, Any]) -> Example:
    names = ("step", "id", "source", "reason", "text")
    step, name, source, reason, text = (str(row.get(key) or "") for key in names)
    return Example(step, ends(name), ends(source), clipped(reason), clipped(text))


def rows_of(path: Path, columns: Iterable[str], limit: int) -> list[dict[str, Any]]:
    """The first rows of a Parquet file, without reading further than its first row group."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=limit, columns=list(columns)), None)
        return list(batch.to_pylist()) if batch is not None else []


def texts_of(corpus: Corpus, split: str, ids: set[str], *, groups: int = 4) -> dict[str, str]:
    """The texts of some documents of a split; gives up after reading `groups` row groups with texts (8 MB each)."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found: dict[str, str] = {}
    for path in corpus.files(split):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                if ids <= set(found) or groups == 0:
                    return found
                wanted = pc.is_in(file.read_row_group(group, ["id"])["id"], value_set=_array(ids))
                if pc.any(wanted).as_py():
                    rows = file.read_row_group(group, ["id", "text"]).filter(wanted).to_pylist()
                    found.update({str(row["id"]): str(row["text"]) for row in rows})
                    groups -= 1
    return found


def _array(values: set[str]) -> Any:
    import pyarrow as pa

    return pa.array(sorted(values), pa.string())
