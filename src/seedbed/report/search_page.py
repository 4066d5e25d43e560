"""Searches on a run's page, and the page of one that was run by itself."""

from __future__ import annotations

from markupsafe import Markup

from .charts.curves import Axes, Line, draw_curves
from .charts.svg import figure
from .collect.search import SearchReport
from .numbers import significant
from .page import Page


def search_page(report: SearchReport) -> str:
    """The HTML of a search's report."""
    title = f"{report.name}: a search of Seedbed"
    return Page().render("search.html", title=title, searches=[report], name=report.name, search_chart=search_chart)


def search_chart(report: SearchReport) -> Markup:
    """What each evaluation gave, and the best so far."""
    best = Line("best so far", report.best_so_far, "s1")
    lines = [best, Line("evaluations", report.values, "s2", marks=True, joined=False)]
    told = f"best so far, after {report.num_points} evaluations {significant(report.best_so_far.last, 4)}"
    return figure(
        lambda room: draw_curves(lines, Axes("evaluations", report.measured, 220.0), room),
        f"Values of {report.name}",
        told,
        caption=f"{'More' if report.higher else 'Less'} is better.",
    )
