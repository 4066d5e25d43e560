"""Everything about one run."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .corpus import CorpusReport, corpus_report
from .extraction import ExtractionReport, extraction_report
from .scorers import ScorerReport, scorer_report
from .scores import EvaluationReport, evaluation_report
from .search import SearchReport, search_report
from .steps import StepFacts, read_steps
from .texts import clipped
from .training import TrainingReport, training_report
from .vocabulary import VocabularyReport, vocabulary_report

LIMIT = 12  # of corpora, vocabularies, models, evaluations that are shown in full
TASKS = 40  # of all evaluations together
RECIPE = 60_000  # characters


@dataclass
class RunReport:
    """What `render` needs of a run."""

    name: str
    seed: int
    recipe: str
    steps: list[StepFacts]
    corpora: list[CorpusReport] = field(default_factory=list)
    scorers: list[ScorerReport] = field(default_factory=list)
    extractions: list[ExtractionReport] = field(default_factory=list)
    vocabularies: list[VocabularyReport] = field(default_factory=list)
    trainings: list[TrainingReport] = field(default_factory=list)
    evaluations: list[EvaluationReport] = field(default_factory=list)
    searches: list[SearchReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return all(step.status in ("done", "outside") for step in self.steps)

    @property
    def own(self) -> list[StepFacts]:
        """The steps that this run has a result of."""
        return [step for step in self.steps if step.status == "done"]

    @property
    def seconds(self) -> float:
        """Of all steps together, whenever they ran."""
        return sum(step.seconds or 0.0 for step in self.own)

    @property
    def processor_seconds(self) -> float:
        return sum(float(step.times.get("processor_seconds", 0.0)) for step in self.own)

    @property
    def energy_joules(self) -> float | None:
        """What the steps recorded; None if none did."""
        found = [float(step.times["energy_joules"]) for step in self.own if step.times.get("energy_joules") is not None]
        return sum(found) if found else None

    @property
    def span(self) -> tuple[str, str]:
        """When the first step began and the last one ended; empty if nothing is known."""
        moments = []
        for step in self.own:
            if step.times.get("started"):
                begun = datetime.datetime.fromisoformat(step.times["started"])
                moments.append((begun, begun + datetime.timedelta(seconds=float(step.times.get("seconds", 0)))))
        if not moments:
            return "", ""
        return min(m[0] for m in moments).isoformat(), max(m[1] for m in moments).isoformat(timespec="seconds")

    def different(self, what: str) -> list[dict[str, Any]]:
        """The different machines (or versions) of the steps."""
        found: list[dict[str, Any]] = []
        for step in self.own:
            facts = step.manifest.get(what)
            if facts and facts not in found:
                found.append(facts)
        return found


def collect_run(folder: Path) -> RunReport:
    """Read a run's folder. Raises InputError if it is none; what is missing within it is noted."""
    recipe, steps, notes = read_steps(folder)
    report = RunReport(recipe.name, recipe.seed, clipped(recipe.as_yaml(), RECIPE), steps, notes=notes)
    there = [step for step in steps if step.status == "done" or (step.status == "outside" and step.manifest)]
    for kind, reports in _BUILDERS.items():
        chosen = [step for step in there if step.kind == kind]
        if len(chosen) > LIMIT:
            notes.append(f"Of {len(chosen)} results of the kind {kind} the first {LIMIT} are shown in full.")
        getattr(report, reports[0]).extend(reports[1](step, steps) for step in chosen[:LIMIT])
    room = TASKS
    for evaluation in report.evaluations:
        if len(evaluation.tasks) > room:
            notes.append(f"{evaluation.name}: of {len(evaluation.tasks)} tasks the first {room} are shown.")
        del evaluation.tasks[room:]
        room -= len(evaluation.tasks)
    for kind in ("model", "search"):  # which can be looked at while they are in the making
        name, build = _BUILDERS[kind]
        making = [step for step in steps if step.status == "unfinished" and step.kind == kind]
        getattr(report, name).extend(build(step, steps) for step in making[:LIMIT])
    report.searches = [found for found in report.searches if found is not None]
    report.extractions = [found for found in report.extractions if found is not None]
    return report


_BUILDERS: dict[str, tuple[str, Any]] = {
    "corpus": ("corpora", lambda step, _: corpus_report(step)),
    "scorer": ("scorers", scorer_report),
    "extractor": ("extractions", extraction_report),
    "extracted": ("extractions", extraction_report),
    "tokenizer": ("vocabularies", vocabulary_report),
    "model": ("trainings", lambda step, _: training_report(step)),
    "scores": ("evaluations", evaluation_report),
    "search": ("searches", lambda step, _: search_report(step)),
}
