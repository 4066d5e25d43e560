"""Colors: both themes are whole, and their text can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import seedbed.report

CSS = (Path(seedbed.report.__file__).parent / "static" / "report.css").read_text(encoding="utf8")


def blocks():
    """The variables of light, chosen dark, the system's dark, and paper."""
    found = [
        dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{3,6})", body)) for body in re.findall(r":root[^{]*\{([^}]*)\}", CSS)
    ]
    return dict(zip(("light", "dark", "system dark", "print"), found, strict=True))


def luminance(color):
    digits = color[1:] if len(color) == 7 else "".join(2 * c for c in color[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, two):
    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_both_ways_to_the_dark_theme_are_the_same():
    found = blocks()
    assert found["dark"] == found["system dark"]
    assert set(found["light"]) == set(found["dark"]) == set(found["print"])


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_text_has_enough_contrast(theme):
    colors = blocks()[theme]
    text = ["ink", "soft", "accent", "warn", "open", *(f"s{n}" for n in range(1, 9))]
    for name in text:
        for ground in ("paper", "panel") if name in ("ink", "soft") else ("paper",):
            assert contrast(colors[f"--{name}"], colors[f"--{ground}"]) >= 4.5, (name, ground)
    for name in ("accent", "warn", "open"):
        assert contrast(colors[f"--{name}"], colors[f"--{name}-wash"]) >= 4.5, name
        assert contrast(colors["--ink"], colors[f"--{name}-wash"]) >= 7
    assert contrast(colors["--ink"], colors["--mark"]) >= 4.5
    for name in ("bar", "drop"):
        assert contrast(colors[f"--{name}"], colors["--paper"]) >= 2.5, name


def test_every_color_that_is_used_is_defined():
    fonts_and_tone = {"--sans", "--serif", "--mono", "--c"}
    assert set(re.findall(r"var\((--[\w-]+)\)", CSS)) <= set(blocks()["light"]) | fonts_and_tone
