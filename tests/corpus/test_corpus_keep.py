"""The expressions of `keep`, against Python's own evaluation."""

from __future__ import annotations

from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.curating.keep import Keep

ROWS = [
    {"id": "a", "text": "one two three\nfour", "domain": "web", "license": "CC0"},
    {"id": "b", "text": "Größe zählt\n", "domain": "books"},
    {"id": "c", "text": "", "domain": "web"},
    {"id": "d", "text": "\n\nx", "domain": "code", "source": "web-crawl"},
]


def python_names(row: dict[str, str]) -> dict[str, Any]:
    text = row["text"]
    whole = {"source": "", "license": "", "metadata": "{}"} | row
    derived = {
        "words": len(text.split()),
        "chars": len(text),
        "bytes": len(text.encode()),
        "lines": len(text.splitlines()),
    }
    functions = {"startswith": str.startswith, "endswith": str.endswith, "lower": str.lower}
    return whole | derived | functions


@pytest.mark.parametrize(
    "expression",
    [
        "words > 2",
        "1 < words <= 4 and domain != 'web'",
        "words - 3 >= 0 or lines == 3",
        "not (domain in ['web', 'code'])",
        "domain not in ['web', 'code']",
        "'crawl' in source",
        "'crawl' not in source and True",
        "bytes > chars",
        "bytes * 2 - 1 > chars + 20 or chars == 0",
        "chars % 2 == 0",
        "chars // 4 >= 2",
        "-words < -3",
        "startswith(domain, 'w') or endswith(text, 'x')",
        "lower(license) == 'cc0'",
        "chars / 2 > 2.5",
        "lines >= 1",
        "words - 3 in [-1, 2.5, -3]",
        "-words not in (-2, -4)",
    ],
)
def test_an_expression_means_what_it_means_in_python(expression: str, helpers: Any) -> None:
    kept = {row["id"] for row in ROWS if eval(expression, {}, python_names(row))}
    assert {row["id"] for row in ROWS} - set(helpers.dropped(Keep(expression), ROWS)) == kept


def test_the_reason_names_the_values(helpers: Any) -> None:
    reasons = helpers.dropped(Keep("words > 2 and domain == 'web'"), ROWS)
    assert reasons["b"] == "not: words > 2 and domain == 'web'; words: 2; domain: books"
    assert set(reasons) == {"b", "c", "d"}


def test_matches_is_a_regular_expression(helpers: Any) -> None:
    assert set(helpers.dropped(Keep(r"matches(text, 'tw[o0]\\s')"), ROWS)) == {"b", "c", "d"}


@pytest.mark.parametrize("operation", ["/", "//", "%"])
def test_a_division_by_zero_is_not_true(operation: str, helpers: Any) -> None:
    texts = {"empty": "", "one": "one", "two": "two words"}
    for condition in (">= 0", "< 0"):
        gone = helpers.dropped(Keep(f"bytes {operation} words {condition}"), texts)
        assert set(gone) == ({"empty"} if condition == ">= 0" else set(texts))


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"(a)\\1"])
def test_what_is_no_regular_expression_of_the_engine(pattern: str, helpers: Any) -> None:
    with pytest.raises(InputError, match="is no regular expression"):
        helpers.dropped(Keep(f"matches(text, '{pattern}')"), {"a": "x"})


def test_a_null_score_is_not_true(helpers: Any) -> None:
    from seedbed.corpus.engine import daft

    frame = helpers.frame_of({"a": "x", "b": "y"})
    score = daft.functions.when(daft.col("id") == "a", daft.lit(1.5)).otherwise(daft.lit(None))
    rows = Keep("quality > 1")(frame.with_column("quality", score)).to_pylist()
    assert {row["id"]: row["reason"] for row in rows} == {"a": None, "b": "not: quality > 1; quality: null"}
    rows = Keep("not quality > 1")(frame.with_column("quality", score)).to_pylist()
    assert all(row["reason"] for row in rows)


def test_an_unknown_column_names_the_nearest(helpers: Any) -> None:
    method = curation.parse({"keep": "word > 20"}).build()
    with pytest.raises(InputError, match="did you mean 'words'"):
        method(helpers.frame_of({"a": "x"}))


@pytest.mark.parametrize("expression", ["words", "words + 1", "domain > 3", "not words", "words and True"])
def test_types_that_do_not_fit(expression: str, helpers: Any) -> None:
    with pytest.raises(InputError, match=r"types do not fit|neither true nor false"):
        Keep(expression)(helpers.frame_of({"a": "x"}))


@pytest.mark.parametrize(
    "expression",
    [
        "words >",
        "",
        "__import__('os').system('true')",
        "open('x')",
        "text.upper() == 'X'",
        "[x for x in text]",
        "words > (lambda: 3)()",
        "domain in web['x']",
        "domain == ['a']",
        "words in 3",
        "domain in [words]",
        "matches(text, domain)",
        "startswith(text)",
        "words := 3",
        "words > 1j",
        "2 ** words > 3",
    ],
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(InputError, match="expression"):
        Keep(expression)
