"""The step `build_corpus`: read, curate, split; every document that came in is kept, dropped or in quarantine."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from seedbed.core.errors import InputError
from seedbed.core.registry import Component
from seedbed.core.source import Source
from seedbed.core.step import Estimate, StepContext, step

from . import Curation, Reader, curation, readers
from .artifact import Corpus
from .names import method_name

if TYPE_CHECKING:
    from .splits import Splitter

_CURATE: list[Any] = ["normalize", "exact_duplicates"]
_SPLIT = {"validation": 0.02, "test": 0.02}

# Measured on two cores: reading, normalizing, splitting and writing of text in files of 10 kB to 1 MB; and each
# further curation step over the same text.
_BYTES_PER_SECOND = 25e6
_BYTES_PER_SECOND_AND_STEP = 40e6
_EXPANSION = 3.5  # text in compressed files
_BYTES_PER_TOKEN = 4.0


@step("build_corpus", gives=Corpus)
def build_corpus(
    context: StepContext,
    *,
    read: list[Annotated[Reader, readers]],
    curate: list[Annotated[Curation, curation]] = _CURATE,
    split: dict[str, float] = _SPLIT,
    split_by: str = "id",
    max_unreadable: float = 0.01,
    seed: int = 0,
) -> None:
    """Makes a corpus: documents from files, curated, and parted into `train` and held-out splits.

    `curate` steps run in order; a document that one of them drops stands in `dropped/` with step and reason, and what
    one takes out of a text in `edited/`; `README.md` is the card of the whole. A
    document's split is decided by the hash of `split_by` (a column such as `id` or `source`, or `metadata.<field>`),
    so documents with the same value stay together, and none moves when others are added. Documents are ordered by
    id. InputError: more than `max_unreadable` of the input in quarantine, or nothing left for a corpus.
    """
    from .card import write_card
    from .splits import Splitter

    if not read:
        raise InputError("read", "names no reader")
    splitter = Splitter(split, split_by, seed)
    work = context.folder / "work"
    try:
        paths = _take_in(context, read, work / "read", max_unreadable)
        _finish(context, curate, paths, work, splitter)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _check(context)
    write_card(context.folder, context.name, context.counts, context.parameters)


@build_corpus.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """From the bytes of the files that the readers name; nothing where a reader does not tell."""
    del counts_of
    sizes = [_input_bytes(component) for component in parameters["read"]]
    if any(size is None for size in sizes):
        return Estimate(notes="size of the input not known before it is read")
    total = sum(size for size in sizes if size is not None)
    seconds = total / _BYTES_PER_SECOND + len(parameters["curate"]) * total / _BYTES_PER_SECOND_AND_STEP
    return Estimate(seconds=1 + seconds, tokens=total / _BYTES_PER_TOKEN, notes=f"{total / 1e6:.1f} MB of input")


def _input_bytes(component: Component[Reader]) -> float | None:
    source = component.parameters.get("path")
    if isinstance(source, Source):
        packed = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tgz", ".tbz2", ".txz", ".tzst")
        return sum(file.size * (_EXPANSION if file.name.endswith(packed) else 1.0) for file in source.listed)
    limit = component.parameters.get("max_bytes")
    return float(limit) if limit else None


def _take_in(context: StepContext, read: list[Reader], folder: Path, max_unreadable: float) -> list[Path]:
    """Everything that the readers give, as sorted runs; the rest in quarantine."""
    from .input.intake import Intake

    intake = Intake(folder, context.folder / "quarantine.jsonl")
    paths = intake.read(read, lambda number, reader: f"read.{number}.{method_name(readers, reader)}")
    context.counts["read"] = intake.runs.counts
    context.counts["quarantined"] = intake.quarantined
    context.counts["renamed"] = intake.renamed
    passed: Counter[str] = Counter()
    for reader in read:
        passed.update(getattr(reader, "passed", {}))
    if passed:
        context.counts["passed"] = dict(passed.most_common())
    context.say(f"read {intake.runs.documents} documents, {intake.runs.bytes / 1e6:.1f} MB of text")
    if intake.share_unreadable > max_unreadable:
        examples = "; ".join(f"{row.file}:{row.line}: {row.reason}" for row in intake.examples)
        total = intake.unreadable + intake.runs.documents
        raise InputError(
            "max_unreadable",
            f"{intake.unreadable} of {total} records could not be read, such as {examples}",
            value=max_unreadable,
            fix="mend the files, or allow a higher share",
        )
    if not intake.runs.documents:
        raise InputError("read", "the input holds no documents", fix="look at the readers' paths and text fields")
    return paths


def _finish(context: StepContext, curate: list[Curation], paths: list[Path], work: Path, splitter: Splitter) -> None:
    """Curation, step by step, and the finished files."""
    from .stages import kept_runs, run_stage, write_dropped, write_edits, write_splits

    stages = []
    tally: dict[str, dict[str, int]] = context.counts.setdefault("dropped", {})
    edits: dict[str, dict[str, int]] = context.counts.setdefault("edited", {})
    before = context.counts["read"]["bytes"]
    for number, method in enumerate(curate):
        name = method_name(curation, method)
        try:
            stage = run_stage(method, name, number + 1, paths, work)
        except InputError as error:
            raise error.at(f"curate.{number}.{name}") from None
        _remove(paths)
        stages.append(stage)
        paths = stage.tagged
        counts = tally.setdefault(name, {"documents": 0, "bytes": 0})
        for what, count in stage.dropped_counts.items():
            counts[what] += count
        counts = edits.setdefault(name, {"documents": 0, "bytes": 0})
        counts["documents"] += stage.num_edited
        counts["bytes"] += before - stage.dropped_counts["bytes"] - stage.kept_counts["bytes"]
        before = stage.kept_counts["bytes"]
        context.say(f"{name}: dropped {stage.dropped_counts['documents']}, kept {stage.kept_counts['documents']}")
        for note in stage.notes:
            context.say(f"{name}: {note}")
            context.counts.setdefault("notes", []).append(f"{name}: {note}")
        if not stage.kept_counts["documents"]:
            raise InputError(
                f"curate.{number}.{name}", "drops every document that is left", fix="loosen it, or leave it out"
            )
    runs = paths
    if stages:
        runs = kept_runs(paths, work / "kept")
        _remove(paths)
    splits, domains = write_splits(context.folder, runs, splitter)
    write_dropped(context.folder, stages, runs[0])
    write_edits(context.folder, stages)
    context.counts["splits"], context.counts["domains"] = splits, domains
    context.counts["kept"] = {what: sum(counts[what] for counts in splits.values()) for what in ("documents", "bytes")}


def _remove(paths: list[Path]) -> None:
    """What has been used up, so that the disk holds no more than two copies of the text."""
    for path in paths:
        path.unlink()


def _check(context: StepContext) -> None:
    """In = kept + dropped + quarantined; and there is something to train on."""
    counts = context.counts
    gone = sum(row["documents"] for row in counts["dropped"].values())
    assert counts["read"]["documents"] == counts["kept"]["documents"] + gone, counts
    changed = sum(rows["bytes"] for what in ("dropped", "edited") for rows in counts[what].values())
    assert counts["read"]["bytes"] == counts["kept"]["bytes"] + changed, counts
    if not counts["splits"]["train"]["documents"]:
        raise InputError("split", "leaves no document to train on", value=counts["kept"]["documents"])
    for name, row in counts["splits"].items():
        if not row["documents"]:
            context.say(f"split {name} is empty: the corpus has only {counts['kept']['documents']} documents")
