"""The page of a run: its charts, and what its templates need beside the data."""

from __future__ import annotations

from markupsafe import Markup

from seedbed.core.energy import joules

from .charts.curves import Axes, Line, draw_curves
from .charts.forest import Axis, Row, draw_forest
from .charts.rail import Stop, draw_rail
from .charts.svg import figure
from .charts.thin import Curve
from .charts.waterfall import Bar, draw_waterfall
from .collect.corpus import CorpusReport
from .collect.run import RunReport
from .collect.scores import MetricReport, state_of
from .collect.steps import StepFacts
from .collect.training import TrainingReport
from .glossary import metric_of, system_of
from .numbers import seconds, short, size, whole, width
from .page import Page
from .search_page import search_chart

_SMALL = 260
_SECTIONS = {
    "scores": "Scores",
    "corpora": "Corpus",
    "scorers": "Scorers",
    "extractions": "Extraction",
    "vocabularies": "Vocabulary",
    "trainings": "Training",
    "searches": "Search",
}


def run_page(report: RunReport) -> str:
    """The HTML of a run's report."""
    shown = {name: bool(getattr(report, "evaluations" if name == "scores" else name)) for name in _SECTIONS}
    sections = [(name, title) for name, title in _SECTIONS.items() if shown[name]]
    sections += [
        ("lineage", "Lineage"),
        ("cost", "Time and cost"),
        ("repeat", "To repeat it"),
        ("glossary", "Glossary"),
    ]
    return Page().render(
        "run.html",
        title=f"{report.name}: a run of Seedbed",
        run=report,
        searches=report.searches,
        sections=sections,
        waterfall=waterfall,
        loss_chart=loss_chart,
        small_charts=small_charts,
        values_chart=values_chart,
        differences_chart=differences_chart,
        search_chart=search_chart,
        lineage=lineage(report),
        waiting=[step for step in report.steps if step.status in ("unfinished", "waiting", "missing")],
        energy=report.energy_joules,
        has_counters=joules() is not None,
    )


def waterfall(corpus: CorpusReport) -> Markup:
    """What each step took away."""
    bars = [
        Bar(stage.label, stage.kind, stage.documents, stage.bytes, stage.about or stage.settings)
        for stage in corpus.stages
    ]
    told = "; ".join(f"{bar.label} {whole(bar.documents)} documents, {size(bar.bytes)}" for bar in bars)
    return figure(lambda room: draw_waterfall(bars, room), f"What {corpus.name} became", told)


def loss_chart(training: TrainingReport) -> Markup:
    """Training and validation loss over tokens."""
    log = training.log
    lines = [Line("training", log.loss, "s1"), Line("validation", log.validation, "s2", marks=True)]
    lows = [bucket.low for item in lines for bucket in item.curve.buckets]
    highs = [bucket.high for item in lines for bucket in item.curve.buckets]
    axes = Axes("tokens seen", "loss (nats/token)", log_y=bool(lows) and min(lows) > 0 and max(highs) > 2.5 * min(lows))
    ends = "; ".join(f"{item.label} ends at {item.curve.last:.3f}" for item in lines if item.curve)
    return figure(
        lambda room: draw_curves(lines, axes, room),
        f"Loss of {training.name}",
        f"Loss over tokens seen, in nats per predicted token: {ends}.",
        caption=_thinned(log.loss),
    )


def _thinned(curve: Curve) -> str:
    points = curve.num_points
    if points == len(curve.buckets):
        return ""
    each = -(-points // len(curve.buckets))
    return f"{points:,} steps. The line is the mean of about {each} steps, the band their least to largest loss."


def small_charts(training: TrainingReport) -> list[tuple[str, Markup]]:
    """What else the log holds, small."""
    log = training.log
    found = []
    for title, unit, curve in (
        ("Learning rate", "learning rate", log.rate),
        ("Norm of the gradient", "norm", log.norm),
        ("Speed", "tokens/s, mean since the start", log.speed),
    ):
        if len(curve.buckets) > 1:
            lows, highs = [b.low for b in curve.buckets], [b.high for b in curve.buckets]
            log_y = title.startswith("Norm") and min(lows) > 0 and max(highs) > 10 * min(lows)
            drawn = _small(Line(title.lower(), curve, "s3"), Axes("tokens seen", unit, 170.0, log_y, probes=False))
            found.append((title, drawn))
    return found


def _small(item: Line, axes: Axes) -> Markup:
    told = f"{axes.y} over tokens seen, at the end {item.curve.last:.4g}"
    return figure(lambda room: draw_curves([item], axes, room), axes.y, told, wide=_SMALL)


def values_chart(metric: MetricReport, task: str) -> Markup:
    """Every system's value with its interval."""
    known = metric_of(metric.name)
    sign = -1 if metric.higher_is_better else 1
    rows = []
    for system, entry in sorted(metric.systems.items(), key=lambda item: sign * item[1]["mean"]):
        label, ours = system_of(system).label, system == "model"
        said = f"{known.unit.value(entry['mean'], width(entry))} {known.unit.span(entry)}".strip()
        title = f"{label}: {said}; {entry['interval']}"
        ends, tone = (entry["low"], entry["high"]), "accent" if ours else "context"
        rows.append(Row(label, entry["mean"], *ends, said, tone, ours, title, metric.seeds.get(system, ())))
    name = f"{known.label}{f' ({known.unit.name})' if known.unit.name else ''}"
    axis = Axis(name, known.unit.factor, "higher" if metric.higher_is_better else "lower")
    told = "; ".join(f"{row.label} {row.text}" for row in rows)
    return figure(lambda room: draw_forest(rows, axis, room), f"{known.label} on {task}", told)


def differences_chart(metric: MetricReport, task: str) -> Markup:
    """The model minus each other system, with the line at zero."""
    known = metric_of(metric.name)
    tones = {"ahead": "accent", "behind": "warn"}
    rows = []
    sign = -1 if metric.higher_is_better else 1
    for system, entry in sorted(metric.differences.items(), key=lambda item: -sign * item[1]["mean"]):
        state = state_of(entry, higher_is_better=metric.higher_is_better)
        written = f"{known.unit.delta(entry['mean'], width(entry))} {known.unit.span(entry, signed=True)}".strip()
        label = f"minus {system_of(system).label}"
        title = f"this model {label}: {written}; {entry['interval']}"
        rows.append(
            Row(label, entry["mean"], entry["low"], entry["high"], written, tones.get(state, "context"), False, title)
        )
    unit = known.unit.difference or known.unit.name
    name = f"this model minus the other, {known.label}{f' ({unit})' if unit else ''}"
    axis = Axis(name, known.unit.factor, "higher" if metric.higher_is_better else "lower", zero=True)
    told = "; ".join(f"{row.label} {row.text}" for row in rows)
    return figure(lambda room: draw_forest(rows, axis, room), f"Differences in {known.label} on {task}", told)


def lineage(report: RunReport) -> Markup:
    """From source files to scores."""
    stops: list[Stop] = []
    rows: dict[str, int] = {}
    for step in report.steps:
        inputs = [rows[name] for name in step.inputs if name in rows]
        for source in step.sources:
            key = f"source {source.label} {source.digest}"
            if key not in rows:
                rows[key] = len(stops)
                facts = ["", source.digest[:8]]
                stops.append(Stop(source.label, "source files", "", facts, [], "source", source.digest))
            inputs.append(rows[key])
        rows.setdefault(step.fingerprint or step.name, len(stops))
        facts = [seconds(step.seconds) if step.seconds is not None else "", step.fingerprint[:8]]
        title = f"{step.name} {step.fingerprint}"
        stops.append(Stop(step.name, step.function, _about(step), facts, inputs, step.kind or "later", title))
    made = [(stop.label, ", ".join(stops[number].label for number in stop.inputs)) for stop in stops]
    told = "; ".join(f"{label} from {inputs}" for label, inputs in made if inputs)
    return figure(lambda room: draw_rail(stops, room), f"Lineage of {report.name}", told)


def _about(step: StepFacts) -> str:
    """What a step made, in a few words."""
    if step.status in ("unfinished", "waiting", "missing"):
        words = {"unfinished": "in the making", "waiting": "still to come", "missing": "no longer there"}
        return words[step.status]
    counts = step.counts
    made = {
        "corpus": lambda: f"{whole(counts['kept']['documents'])} documents, {size(counts['kept']['bytes'])}",
        "tokenizer": lambda: f"{whole(counts['size'])} tokens",
        "scorer": lambda: next(iter(step.parameters["method"])).replace("_", " "),
        "extracted": lambda: f"{whole(counts['pages'])} pages",
        "extractor": lambda: f"{whole(counts['pages']['train'])} pages learned from",
        "tokens": lambda: f"{short(counts['tokens'])} tokens",
        "model": lambda: f"{short(counts['parameters'])} parameters, {short(counts['tokens'])} tokens seen",
        "scores": lambda: ", ".join(counts["scores"]),
        "search": lambda: f"{whole(counts['evaluated'])} points tried",
    }
    try:
        what = made[step.kind]()
    except KeyError:  # from elsewhere, without counts
        what = step.kind
    return f"{what}, made outside this run" if step.status == "outside" else what
