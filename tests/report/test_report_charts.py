"""Charts: where things stand, in numbers."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from seedbed.report.charts.curves import Axes, Line, draw_curves
from seedbed.report.charts.forest import Axis, Row, draw_forest
from seedbed.report.charts.rail import Stop, draw_rail, lanes
from seedbed.report.charts.scale import Scale, fitted, labels, log_ticks, ticks
from seedbed.report.charts.svg import NARROW, WIDE, apart, cut, figure, tag
from seedbed.report.charts.thin import Curve
from seedbed.report.charts.waterfall import Bar, draw_waterfall


def test_linear_and_log_scales_map_ends_and_middle():
    assert [Scale(0, 10, 100, 200)(value) for value in (0, 5, 10)] == [100, 150, 200]
    down = Scale(1, 100, 300, 100, log=True)
    assert [round(down(value), 9) for value in (1, 10, 100)] == [300, 200, 100]


@pytest.mark.parametrize("low,high", [(0, 1), (-3.2, 8.9), (0.2931, 0.2945), (1e6, 7.4e6), (-1e-7, 1e-7), (97, 1203)])
def test_ticks_are_round_within_and_evenly_spaced(low, high):
    found = ticks(low, high, 6)
    assert 2 <= len(found) <= 7 and all(low - 1e-12 <= value <= high + 1e-12 for value in found)
    steps = {round(b - a, 12) for a, b in itertools.pairwise(found)}
    step = steps.pop()
    assert not {value for value in steps if abs(value - step) > 1e-9 * abs(step)}
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - round_one) for round_one in (1, 2, 5)) < 1e-6
    assert len(set(labels(found))) == len(found)


def test_ticks_of_logarithmic_axes():
    assert log_ticks(1, 1000, 6) == [1, 10, 100, 1000]
    assert log_ticks(2.1, 8.4, 6) == [3, 4, 5, 6, 7, 8]
    assert log_ticks(2.1, 84, 6) == [5, 10, 20, 50]
    assert log_ticks(5.1, 5.9, 6) == ticks(5.1, 5.9, 6)
    assert len(log_ticks(1e-9, 1e9, 6)) <= 6


def test_labels_tell_ticks_apart():
    assert labels([0, 500_000, 1_000_000]) == ["0", "0.5\u202fM", "1.0\u202fM"]
    assert labels([0, 2000, 4000]) == ["0", "2,000", "4,000"]
    assert labels([-0.2, 0, 0.2]) == ["\u22120.2", "0", "0.2"]


def test_a_fitted_scale_holds_everything_even_a_single_value():
    for values in ([3.0], [0.0], [], [-5.0, 5.0], [1e-12, 1e12]):
        for log in (False, True):
            scale = fitted(values, 0, 100, log=log)
            assert all(0 <= scale(value) <= 100 for value in values)


def test_a_thinned_curve_keeps_every_spike_and_the_mean():
    curve = Curve(limit=50)
    values = [5.0 + math.sin(i / 50) for i in range(12_345)]
    values[7_777], values[3] = 99.0, -99.0
    for step, value in enumerate(values):
        curve.add(float(step), value)
    curve.add(12_345.0, math.nan)
    curve.add(12_346.0, None)
    assert len(curve.buckets) <= 50 and curve.num_points == 12_345 and curve.skipped == 2
    assert max(bucket.high for bucket in curve.buckets) == 99.0 and min(b.low for b in curve.buckets) == -99.0
    assert sum(bucket.total for bucket in curve.buckets) == pytest.approx(sum(values))
    assert [bucket.x for bucket in curve.buckets] == sorted(bucket.x for bucket in curve.buckets)
    spike = curve.at(7_777.0)
    assert spike is not None and spike.high == 99.0
    assert curve.buckets[-1].x == 12_344.0


def test_a_short_curve_is_not_thinned():
    curve = Curve()
    for step in range(100):
        curve.add(step, float(step))
    assert [(b.x, b.mean) for b in curve.buckets] == [(step, float(step)) for step in range(100)]


def test_labels_are_moved_apart_in_their_order():
    assert apart([10, 11, 100], 16, 0, 200) == [10, 26, 100]
    found = apart([195, 196, 197], 16, 0, 200)
    assert found == [168, 184, 200]


def test_text_in_charts_is_escaped_and_cut():
    assert str(tag("text", "<b>&", title='"<')) == '<text title="&#34;&lt;">&lt;b&gt;&amp;</text>'
    assert cut("encoder", 200) == "encoder" and "…" in cut("x" * 100, 100) and len(cut("x" * 100, 100)) < 20


def _numbers(parts, pattern):
    return [float(value) for value in re.findall(pattern, "".join(parts))]


def test_a_forest_plot_puts_means_and_intervals_in_proportion():
    rows = [
        Row("model", 0.5, 0.4, 0.6, "50", strong=True),
        Row("other", 0.2, None, None, "20", points=[0.1, 0.3]),
    ]
    for width in (WIDE, NARROW):
        drawn = draw_forest(rows, Axis("accuracy (%)", 100, "higher", zero=True), width)
        (mark,) = _numbers(drawn.parts, r'<circle cx="([\d.]+)"[^>]*class="mark')
        spans = re.findall(r'<line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="\2" class="span', "".join(drawn.parts))
        ((low, _, high),) = spans
        assert (float(low) + float(high)) / 2 == pytest.approx(mark, abs=0.2)
        (zero,) = _numbers(drawn.parts, r'<line x1="([\d.]+)"[^>]*class="zero')
        square = _numbers(drawn.parts, r'<rect x="([\d.]+)"[^>]*class="mark')[0] + 3.6
        seeds = _numbers(drawn.parts, r'<circle cx="([\d.]+)"[^>]*class="seed')
        assert (square - zero) / (mark - zero) == pytest.approx(0.4, abs=0.01)
        assert [(seed - zero) / (mark - zero) for seed in seeds] == pytest.approx([0.2, 0.6], abs=0.01)
        assert "better →" in "".join(drawn.parts)


def test_a_waterfall_s_bars_end_where_the_next_ones_begin():
    bars = [
        Bar("read", "total", 100, 1000),
        Bar("keep", "drop", 20, 100),
        Bar("duplicates", "drop", 30, 400),
        Bar("rewriting", "edit", 7, -50),
        Bar("kept", "total", 50, 550),
    ]
    drawn = "".join(draw_waterfall(bars, WIDE).parts)
    rects = [
        (float(x), float(width), kind)
        for x, width, kind in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*class="bar (\w+)"', drawn)
    ]
    documents, sizes = rects[:5], rects[5:]
    assert documents[1][0] + documents[1][1] == pytest.approx(documents[0][0] + documents[0][1], abs=0.2)
    assert documents[2][0] + documents[2][1] == pytest.approx(documents[1][0], abs=0.2)
    assert documents[4][0] + documents[4][1] == pytest.approx(documents[2][0], abs=0.2)
    assert documents[1][1] / documents[0][1] == pytest.approx(0.2, abs=0.01)
    assert sizes[4][0] + sizes[4][1] == pytest.approx(sizes[3][0] + sizes[3][1], abs=0.2)
    assert documents[3][1] == 0 and "\u2212400 bytes" in drawn.replace("\u202f", " ") and "+50" in drawn
    assert "7 edited" in drawn and documents[3][2] == "edit"


def test_a_waterfall_says_which_sizes_are_not_known():
    bars = [Bar("came in", "total", 11, None), Bar("quarantine", "drop", 1, None), Bar("read", "total", 10, 500)]
    assert "".join(draw_waterfall(bars, NARROW).parts).count("size not known") == 2


def _stop(*inputs):
    return Stop("s", "", "", ["", ""], list(inputs), "corpus")


def test_lanes_that_run_beside_each_other_differ():
    assert lanes([_stop(), _stop(0), _stop(1), _stop(2)]) == [0, 0, 0, 0]
    assert lanes([_stop(), _stop(), _stop(0), _stop(1, 2)]) == [0, 1, 0, 0]
    diamond = [_stop(), _stop(0), _stop(0), _stop(1, 2), _stop(0, 3)]
    found = lanes(diamond)
    last = {0: 4, 1: 3, 2: 3, 3: 4, 4: 4}
    for one, two in itertools.combinations(range(5), 2):
        if last[one] > two:  # the line of the first passes the row of the second
            assert found[one] != found[two]
    assert "edge" in "".join(draw_rail(diamond, NARROW).parts)


def test_curves_follow_their_points_and_show_values_below_the_pointer():
    curve = Curve()
    for step in range(1, 11):
        curve.add(1000.0 * step, 10.0 - step)
    for width in (WIDE, NARROW):
        drawn = "".join(draw_curves([Line("one", curve, "s1")], Axes("tokens", "loss"), width).parts)
        (d,) = re.findall(r'<path d="M([^"]+)" class="line s1"', drawn)
        points = [tuple(map(float, pair.split())) for pair in d.split("L")]
        assert len(points) == 10
        steps = {round(b[0] - a[0]) for a, b in itertools.pairwise(points)}
        drops = {round(b[1] - a[1]) for a, b in itertools.pairwise(points)}
        assert max(steps) - min(steps) <= 1 and max(drops) - min(drops) <= 1 and min(drops) > 0
        assert drawn.count('class="probe"') == 10 and "9.000" in drawn


def test_a_figure_has_two_drawings_with_names_of_their_own():
    drawn = figure(lambda width: draw_forest([Row("a", 1, 0, 2, "1")], Axis("x"), width), "A & B", "told")
    assert drawn.count("<svg") == 2 and "A &amp; B" in drawn
    ids = re.findall(r' id="([^"]+)"', drawn)
    assert len(ids) == len(set(ids)) == 4
