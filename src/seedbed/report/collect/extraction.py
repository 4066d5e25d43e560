"""Extractors of web pages' text: how much of what is known of pages they find."""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .scorers import Found, found_of
from .steps import StepFacts
from .texts import called, with_names

_LARGEST = 50_000_000  # bytes of a list of pages that is read for an interval


@dataclass
class ExtractionReport:
    """One extractor on pages of which the text is known. `words` has an interval where each page's figure is there."""

    name: str
    extractor: str
    pages: int
    is_trained: bool  # measured by the step that trained it
    test: str  # the same for those that were measured on the same pages
    words: Found | None = None
    span: dict[str, Any] = field(default_factory=dict)  # of the words' F1, as an entry of a score
    nodes: Found | None = None
    right: float | None = None  # of strings
    strings: int = 0
    without_text: int | None = None


def extraction_report(step: StepFacts, others: list[StepFacts]) -> ExtractionReport | None:
    """From the manifest and the list of pages; None where nothing was held back to measure on."""
    names = {other.fingerprint: other.name for other in others}
    counts = step.counts
    if "words" not in counts and "strings" not in counts:
        return None
    is_trained = step.kind == "extractor"
    pages = counts["pages"]["held_back"] if is_trained else counts["pages"]
    named = "trained here" if is_trained else called(with_names(step.parameters.get("extractor"), names))
    test = json.dumps([step.parameters.get(name) for name in ("pages", "folds", "seed")], sort_keys=True)
    report = ExtractionReport(step.name, named, int(pages), is_trained, test)
    report.without_text = counts.get("without_text")
    if "words" in counts:
        report.words = found_of("words", counts["words"])
        report.span = {"mean": report.words.f1, "low": None, "high": None, "interval": ""}
        if not is_trained and step.artifact is not None:
            report.span |= _interval(step.artifact.path / "pages.jsonl")
    if "nodes" in counts:
        report.nodes = found_of("nodes", counts["nodes"])
    if "strings" in counts:
        report.right, report.strings = float(counts["strings"]["right"]), int(counts["strings"]["num"])
    return report


def _interval(path: Path) -> dict[str, Any]:
    """Of the mean over pages, by their spread; nothing where it cannot be told."""
    if not path.is_file() or path.stat().st_size > _LARGEST:
        return {}
    with open(path, encoding="utf8") as file:
        values = [float(row["f1"]) for row in map(json.loads, file) if "f1" in row]
    if len(values) < 2:
        return {}
    mean, half = statistics.fmean(values), 1.96 * statistics.stdev(values) / len(values) ** 0.5
    return {"low": mean - half, "high": mean + half, "interval": f"normal, over {len(values)} pages"}
