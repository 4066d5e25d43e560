"""Numbers as people read them."""

from __future__ import annotations

import pytest

from seedbed.report.glossary import METRICS, metric_of
from seedbed.report.numbers import Unit, seconds, share, short, significant, size, when, whole


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (whole, 1234567, "1,234,567"),
        (whole, None, "\u2013"),
        (short, 9999, "9,999"),
        (short, 3_500_000, "3.50 M"),
        (short, 12_345, "12.3 k"),
        (size, 0, "0 bytes"),
        (size, 9_333_579, "9.33 MB"),
        (seconds, 4.04, "4.0 s"),
        (seconds, 59.6, "1 min"),
        (seconds, 312, "5 min 12 s"),
        (seconds, 7260, "2 h 1 min"),
        (seconds, 90_000, "1 d 1 h"),
        (significant, 0.01234, "0.0123"),
        (significant, 999.6, "1,000"),
        (significant, 3.29e12, "3.29\u00d710¹²"),
        (significant, -4e-9, "\u22124.00\u00d710⁻⁹"),
        (when, "2026-11-21T08:34:24+00:00", "21 Nov 2026, 08:34 UTC"),
        (when, "", "\u2013"),
    ],
)
def test_numbers(write, value, text):
    assert write(value).replace("\u202f", " ") == text


def test_shares():
    assert [share(part, 1000).replace("\u202f", " ") for part in (0, 0.5, 26, 1000, -167)] == [
        "0.0 %",
        "0.050 %",
        "2.6 %",
        "100.0 %",
        "\u221216.7 %",
    ]
    assert share(1, 0) == "\u2013"


def test_a_value_has_as_many_digits_as_its_interval_allows():
    accuracy = METRICS["accuracy"].unit
    assert accuracy.value(0.31234, 0.044) == "31.2\u202f%"
    assert accuracy.value(0.31234, 0.0044) == "31.23\u202f%"
    assert accuracy.delta(-0.0721, 0.02) == "\u22127.2\u202fpoints"
    assert accuracy.span({"low": 0.29, "high": 0.334}) == "[29.0, 33.4]"
    assert accuracy.span({"low": 0.004, "high": 0.02}, signed=True) == "[+0.4, +2.0]"
    assert accuracy.span({"low": None, "high": None}) == ""
    bits = METRICS["bits_per_byte"].unit
    assert bits.value(2.49412, 0.25) == "2.49\u202fbits/byte" and bits.value(2.49412) == "2.494\u202fbits/byte"
    assert Unit().value(float("nan")) == "\u2013"


def test_an_unknown_metric_keeps_its_name():
    found = metric_of("encoder.made_up")
    assert (found.label, found.unit, found.text) == ("made up", Unit(), "")
    assert metric_of("scores.masked_accuracy.accuracy") is METRICS["accuracy"]
