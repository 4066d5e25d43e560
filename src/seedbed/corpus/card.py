"""A corpus's card: `README.md` in the form of a Hugging Face dataset card, with what the finished files hold.

`datasets.load_dataset(folder)` finds the splits through its head. All is computed from the folder in one pass over its
Parquet files. Memory: one row group, and the names of at most 10,000 values of a column.

It shows no text that a step removed, which may be what nobody should read again; it counts, and names reasons.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .artifact import Corpus

CARD = "README.md"
_MOST_VALUES = 10_000  # of a column, that are counted
_SHOWN = 12  # of them, that are shown
_EXAMPLES = 2  # of the reasons of a step
_SIZES = (("n<1K", 1e3), ("1K<n<10K", 1e4), ("10K<n<100K", 1e5), ("100K<n<1M", 1e6), ("1M<n<10M", 1e7),
          ("10M<n<100M", 1e8), ("100M<n<1B", 1e9), ("1B<n<10B", 1e10), ("10B<n<100B", 1e11))  # fmt: skip
# Those of the Hub's identifiers that texts commonly have; any other license is `other` there, and stands in the table.
_LICENSES = {
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "gpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0",
    "gfdl", "mpl-2.0", "odc-by", "odbl", "pddl", "unlicense", "isc", "unknown",
}  # fmt: skip
_PART = "[0-9]" * 5  # the number of a file; `test-*` would be files of a split `test-hard`, too
_LENGTHS = [4**power for power in range(3, 13)]  # bytes: 64 to 16 MiB

_BESIDE = (
    "Beside `data/`, the folder holds what was dropped (`dropped/`, with step and reason), what was taken out of "
    "texts that stay (`edited/`) and what could not be read (`quarantine.jsonl`). Personal data and offensive text "
    "that steps removed stand there still: leave these out of a copy for others."
)
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"')

Row = list[int]  # documents, bytes


def write_card(folder: Path, name: str, counts: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Write the card of a built or generated corpus (one with `truth` in its counts) whose files are whole; `counts`
    and `parameters` are those of its manifest."""
    import yaml

    corpus = Corpus(folder)
    facts = _Facts(corpus)
    head = yaml.safe_dump(_head(corpus, name, counts, facts), sort_keys=False, allow_unicode=True, width=120)
    body = "\n\n".join(block for block in _blocks(corpus, name, counts, parameters, facts) if block)
    (folder / CARD).write_text(f"---\n{head}---\n\n{body}\n", encoding="utf8")


class _Facts:
    """Documents and bytes by the values of some columns, and by length."""

    def __init__(self, corpus: Corpus) -> None:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        self.by: dict[str, dict[str, Row] | None] = {name: {} for name in ("domain", "source", "license")}
        self.lengths = np.zeros((2, len(_LENGTHS) + 1), np.int64)
        for split in corpus.splits():
            for path in corpus.files(split):
                with pq.ParquetFile(path) as file:
                    if ("language", "string") in {(field.name, str(field.type)) for field in file.schema_arrow}:
                        self.by.setdefault("language", {})
                    for group in range(file.num_row_groups):
                        table = file.read_row_group(group, ["text", *self.by])
                        self._add_lengths(pc.binary_length(table["text"]).to_numpy())
                        for name in self.by:
                            self._add(name, table)

    def _add(self, name: str, table: Any) -> None:
        from .tables import totals_by

        known = self.by[name]
        if known is None:
            return
        for value, (documents, size) in totals_by(table, name).items():
            counts = known.setdefault(value, [0, 0])
            counts[0] += documents
            counts[1] += size
        if len(known) > _MOST_VALUES:
            self.by[name] = None

    def _add_lengths(self, sizes: np.ndarray) -> None:
        place = np.searchsorted(_LENGTHS, sizes, side="right")
        self.lengths[0] += np.bincount(place, minlength=self.lengths.shape[1])
        self.lengths[1] += np.bincount(place, weights=sizes, minlength=self.lengths.shape[1]).astype(np.int64)


def _head(corpus: Corpus, name: str, counts: Mapping[str, Any], facts: _Facts) -> dict[str, Any]:
    """The YAML head; `datasets` allows no hyphen in the name of a split, and no empty one."""
    documents = int(facts.lengths[0].sum())
    languages = sorted(value for value in facts.by.get("language") or {} if re.fullmatch("[a-z]{2,3}", value))
    licenses = sorted({_license(value) for value in facts.by["license"] or {}})
    filled = [split for split in corpus.splits() if counts["splits"][split]["documents"]]
    files = [{"split": split.replace("-", "_"), "path": f"data/{split}-{_PART}.parquet"} for split in filled]
    head: dict[str, Any] = {"pretty_name": name}
    head |= {"language": languages} if languages else {}
    head |= {"license": licenses[0] if len(licenses) == 1 else licenses} if licenses else {}
    head["task_categories"] = ["text-generation", "fill-mask"]
    head["size_categories"] = [next((size for size, limit in _SIZES if documents < limit), "100B<n<1T")]
    head["configs"] = [{"config_name": "default", "data_files": files}]
    return head


def _license(value: str) -> str:
    known = re.sub(r"[\s_]+", "-", value.strip().lower())
    known = {"cc0": "cc0-1.0", "": "unknown"}.get(known, known)
    return known if known in _LICENSES else "other"


def _blocks(
    corpus: Corpus, name: str, counts: Mapping[str, Any], parameters: Mapping[str, Any], facts: _Facts
) -> Iterator[str]:
    import yaml

    kept, read, truth = counts["kept"], counts["read"], counts.get("truth")
    yield f"# {name}"
    origin = (
        f"made by Seedbed's `build_corpus` from {read['documents']:,} documents ({read['bytes']:,} bytes) that could "
        f"be read and {counts['quarantined']['documents']:,} records that could not."
    )
    if truth is not None:
        origin = "made by Seedbed's `generate`: by a world of which is known what is true."
    elif "prompts" in counts:
        origin = "made by Seedbed's `generate_samples`: the end of each was written by a model."
    yield f"{kept['documents']:,} documents, {kept['bytes']:,} bytes of UTF-8 text, {origin}"
    yield (
        '```python\nfrom datasets import load_dataset\n\ncorpus = load_dataset("path/of/this/folder")\n```\n\n'
        "Columns: `id`, `text`, `source`, `domain`, `license`, `metadata` (a JSON object), and scores. Documents stand "
        "in the order of their ids; which split one is in was decided by a hash."
    )
    yield "## Splits\n\n" + _table(
        "split", {name: [counts["splits"][name][what] for what in ("documents", "bytes")] for name in corpus.splits()}
    )
    for column, rows in facts.by.items():
        yield _values(column, rows)
    bounds = ["under 64", *(f"{low:,} to {4 * low - 1:,}" for low in _LENGTHS[:-1]), f"{_LENGTHS[-1]:,} or more"]
    lengths = zip(bounds, facts.lengths.T.tolist(), strict=True)
    yield "## Length\n\n" + _table("bytes of a document", {bound: row for bound, row in lengths if row[0]})
    if truth is not None:
        lines = [f"| `truth/{file}.jsonl` | {rows:,} |" for file, rows in truth.items()]
        yield "\n".join(["## What is true\n", "| file | rows |", "|---|--:|", *lines])
    else:
        yield "## What was taken out\n\n" + _steps(corpus, counts)
        yield _BESIDE
    yield f"## How it was made\n\n```yaml\n{yaml.safe_dump(dict(parameters), sort_keys=False, allow_unicode=True)}```"


def _values(column: str, rows: dict[str, Row] | None) -> str:
    """The largest values of a column, and the others together; nothing where it is empty."""
    title = f"## By {column}\n\n"
    if rows is None:
        return f"{title}More than {_MOST_VALUES:,} values."
    if not any(rows):
        return ""
    ordered = sorted(rows.items(), key=lambda item: (-item[1][1], item[0]))
    shown = {value or "(none)": row for value, row in ordered[:_SHOWN]}
    rest = [row for _, row in ordered[_SHOWN:]]
    if rest:
        shown[f"{len(rest):,} others"] = [sum(column) for column in zip(*rest, strict=True)]
    return title + _table(column, shown)


def _steps(corpus: Corpus, counts: Mapping[str, Any]) -> str:
    """What each step dropped and edited, with some of its reasons."""
    dropped, edited = counts.get("dropped", {}), counts.get("edited", {})
    told = {folder: _reasons(corpus, folder) for folder in ("dropped", "edited")}
    lines = ["| step | documents dropped | bytes | texts edited | bytes | such as |", "|---|--:|--:|--:|--:|---|"]
    for name, row in dropped.items():
        edits = edited.get(name, {"documents": 0, "bytes": 0})
        figures = (row["documents"], row["bytes"], edits["documents"], edits["bytes"])
        such = [f"{folder}: {_cell(why)}" for folder, reasons in told.items() for why in reasons.get(name, [])]
        lines.append(f"| {name} | {' | '.join(f'{figure:,}' for figure in figures)} | {'; '.join(such)} |")
    lines.append(f"| (could not be read) | {counts['quarantined']['documents']:,} | | | | |")
    notes = counts.get("notes", [])
    lines += ["", *(f"- {note}" for note in notes)] if notes else []
    return "\n".join(lines)


def _reasons(corpus: Corpus, folder: str) -> dict[str, list[str]]:
    """The first reasons of each step that differ by more than numbers."""
    import pyarrow.parquet as pq

    column = "reason" if folder == "dropped" else "edits"
    found: dict[str, dict[str, str]] = {}
    for path in sorted((corpus.path / folder).glob("*-00000.parquet")):
        with pq.ParquetFile(path) as file:
            batch = next(file.iter_batches(batch_size=100, columns=["step", column]), None)
        for row in batch.to_pylist() if batch is not None else ():
            # A statement of a program quotes what it takes out; below a reason's first line passages may stand.
            told = [_QUOTED.sub('"..."', why) for why, _ in json.loads(row["edits"])] if column == "edits" else []
            for reason in told or [row["reason"].partition("\n")[0].removesuffix(":")]:
                found.setdefault(row["step"], {}).setdefault(_kind(reason), reason)
    return {step: list(reasons.values())[:_EXAMPLES] for step, reasons in found.items()}


def _kind(reason: str) -> str:
    return re.sub(r"\W*\d[\d.]*", "", reason)[:30]


def _table(title: str, rows: Mapping[str, Row]) -> str:
    lines = [f"| {title} | documents | bytes |", "|---|--:|--:|"]
    return "\n".join(lines + [f"| {_cell(name)} | {row[0]:,} | {row[1]:,} |" for name, row in rows.items()])


def _cell(text: str, limit: int = 80) -> str:
    """One line in a table, in which users' text is text."""
    flat = " ".join(text.split())
    flat = flat if len(flat) <= limit else flat[:limit] + " ..."
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", flat)
