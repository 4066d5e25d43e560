"""The page of a comparison: its charts, and what its template needs beside the data."""

from __future__ import annotations

from markupsafe import Markup

from .charts.curves import Axes, Line, draw_curves
from .charts.forest import Axis, Row, draw_forest
from .charts.svg import figure
from .collect.comparison import Arm, ComparisonReport, Difference, Measured
from .glossary import metric_of
from .numbers import MINUS, Unit, width
from .page import Page

VERDICTS = {
    "reproduced": ("Reproduced", "good", "What the claim says was found here, beyond what chance explains."),
    "contradicted": (
        "Contradicted",
        "bad",
        "The opposite of the claim was found here, beyond what chance explains.",
    ),
    "not resolved": ("Not resolved", "open", "These runs do not tell: the interval leaves room for either."),
    "": ("Measured", "open", "A comparison without a claim to judge."),
}
OUTCOMES = {"holds": "good", "fails": "bad", "open": "open"}
EQUAL = {
    "tokens": "All arms trained on the same number of tokens.",
    "steps": "All arms trained for the same number of steps.",
    "flops": "All arms had the same amount of computation (FLOPs).",
    "seconds": "All arms had the same time.",
    "none": "The arms were not given equal budgets: their costs stand beside them.",
}


def comparison_page(report: ComparisonReport) -> str:
    """The HTML of a comparison's report."""
    tones = {arm.name: f"s{number % 8 + 1}" for number, arm in enumerate(report.arms)}
    sections = [("arms", "Arms"), ("differences", "Differences")]
    sections += [("curves", "Loss curves")] if any(arm.curves for arm in report.arms) else []
    sections += [("setup", "What was compared"), ("repeat", "To repeat it"), ("glossary", "Glossary")]
    return Page().render(
        "comparison.html",
        title=f"{report.title}: a comparison by Seedbed",
        result=report,
        sections=sections,
        verdict=VERDICTS.get(report.verdict, (report.verdict, "open", "")),
        outcomes=OUTCOMES,
        equal=EQUAL.get(report.equal, report.equal),
        arms_chart=lambda metric: arms_chart(report, metric, tones),
        differences_chart=lambda metric: differences_chart(report, metric),
        curves_charts=[(step, curves_chart(report, step, tones)) for step in _steps(report)],
        overridden=list(dict.fromkeys(key for arm in report.arms for key in arm.overrides)),
        tones=tones,
        written=written,
        unit_of=unit_of,
        relative=Unit("%", factor=100.0, least=1),
    )


def unit_of(metric: Measured) -> Unit:
    """The unit of a known metric; of another one none."""
    return metric_of(metric.known).unit


def written(unit: Unit, entry: dict[str, float | None], *, signed: bool = False) -> str:
    """A mean and its interval."""
    write = unit.delta if signed else unit.value
    return f"{write(entry.get('mean'), width(entry))} {unit.span(entry, signed=signed)}".strip()


def arms_chart(report: ComparisonReport, metric: Measured, tones: dict[str, str]) -> Markup:
    """Every arm with its interval and its seeds."""
    unit = unit_of(metric)
    rows = []
    for arm in report.arms:
        entry = arm.summary.get(metric.name, {})
        if entry.get("mean") is None:
            continue
        points = [value for value in arm.values.get(metric.name, []) if value is not None]
        name = f"{arm.name} (reference)" if arm.name == report.reference else arm.name
        said = written(unit, entry)
        seeds = ", ".join(unit.value(value, width(entry)) for value in points)
        title = f"{arm.name}: {said}; {entry.get('interval', '')}; seeds {seeds}"
        ends = entry.get("low"), entry.get("high")
        rows.append(Row(name, entry["mean"], *ends, said, tones[arm.name], True, title, points))
    axis = Axis(_axis(metric, unit.name), unit.factor, _better(metric))
    told = "; ".join(f"{row.label} {row.text}" for row in rows)
    return figure(lambda room: draw_forest(rows, axis, room), f"{metric_of(metric.known).label} of every arm", told)


def differences_chart(report: ComparisonReport, metric: Measured) -> Markup:
    """Every difference with its interval and the line at zero."""
    unit = unit_of(metric)
    rows = [_difference_row(item, metric, unit) for item in report.of_metric(metric.name)]
    axis = Axis(_axis(metric, unit.difference or unit.name, "difference in "), unit.factor, _better(metric), zero=True)
    told = "; ".join(f"{row.label} {row.text}" for row in rows)
    return figure(lambda room: draw_forest(rows, axis, room), f"Differences in {metric_of(metric.known).label}", told)


def _difference_row(item: Difference, metric: Measured, unit: Unit) -> Row:
    entry = item.difference
    low, high = entry.get("low"), entry.get("high")
    tone = "context"
    if low is not None and high is not None and not low <= 0 <= high:
        tone = "accent" if metric.higher_is_better is None or (low > 0) == metric.higher_is_better else "warn"
    label = f"{item.first} {MINUS} {item.second}"
    text = written(unit, entry, signed=True)
    return Row(label, entry["mean"], low, high, text, tone, False, f"{label}: {text}; {entry.get('interval', '')}")


def _axis(metric: Measured, unit: str, before: str = "") -> str:
    return f"{before}{metric_of(metric.known).label}{f' ({unit})' if unit else ''}"


def _better(metric: Measured) -> str:
    return "" if metric.higher_is_better is None else "higher" if metric.higher_is_better else "lower"


def _steps(report: ComparisonReport) -> list[str]:
    """The training steps that have curves."""
    return list(dict.fromkeys(step for arm in report.arms for step in arm.curves))


def curves_chart(report: ComparisonReport, step: str, tones: dict[str, str]) -> Markup:
    """The loss of one training step in every arm."""
    arms: list[Arm] = [arm for arm in report.arms if step in arm.curves]
    lines = [Line(arm.name, arm.curves[step], tones[arm.name]) for arm in arms]
    lows = min(bucket.low for item in lines for bucket in item.curve.buckets)
    highs = max(bucket.high for item in lines for bucket in item.curve.buckets)
    axes = Axes("tokens seen", "training loss (nats/token)", 340.0, log_y=lows > 0 and highs > 2.5 * lows)
    told = "; ".join(f"{item.label} ends at {item.curve.last:.3f}" for item in lines)
    return figure(lambda room: draw_curves(lines, axes, room), f"Loss of {step} in every arm", told)
