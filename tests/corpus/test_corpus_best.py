"""The best by a column, against sorting all documents."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from seedbed.core.counters import generator, key
from seedbed.core.errors import InputError
from seedbed.corpus.curating.best import Best

NUMBER = 120


def documents() -> list[dict[str, str]]:
    numbers = generator(2, "best")
    rows = []
    for place in range(NUMBER):
        text = "é" * int(numbers.integers(1, 9))
        rows.append({"id": f"d{place}", "text": text, "domain": numbers.choice(["a", "a", "b", "c"])})
    return rows


def value_of(row: dict[str, str]) -> float | None:
    """Many have the same value, some none."""
    number = key(1, row["id"]) % 12
    return None if number == 0 else float(number)


def scored(helpers: Any, rows: list[dict[str, str]], partitions: int = 1) -> Any:
    from seedbed.corpus.engine import daft

    values = {row["id"]: value_of(row) for row in documents()}

    @daft.func(return_dtype=daft.DataType.float32())  # type: ignore[untyped-decorator]
    def quality(id: str) -> float | None:
        return values[id]

    return helpers.frame_of(rows, partitions).with_column("quality", quality(daft.col("id")))


def kept(method: Best, frame: Any) -> set[str]:
    return {row["id"] for row in method(frame).to_pylist() if row["reason"] is None}


def slow(
    *, share: float = 0, documents_: int = 0, bytes_: int = 0, per: bool = False, lowest: bool = False
) -> set[str]:
    groups = defaultdict(list)
    for row in documents():
        value = value_of(row)
        if value is not None:
            number = key(0, "best", row["id"])
            rank = (value, -number) if lowest else (-value, number)
            groups[row["domain"] if per else ""].append((rank, row))
    chosen = set()
    for members in groups.values():
        members.sort(key=lambda pair: pair[0])
        total = 0
        for place, (_, row) in enumerate(members):
            if share and place >= (
                len(members) - round((1 - share) * len(members)) if lowest else round(share * len(members))
            ):
                break
            if (documents_ and place >= documents_) or (bytes_ and total >= bytes_):
                break
            chosen.add(row["id"])
            total += len(row["text"].encode())
    return chosen


@pytest.mark.parametrize("per", [None, "domain"])
@pytest.mark.parametrize("keep", ["highest", "lowest"])
@pytest.mark.parametrize("measure", [{"share": 0.3}, {"documents": 7}, {"bytes": 100}, {"share": 1.0}])
def test_they_are_the_first_in_order(measure: dict[str, Any], keep: str, per: str | None, helpers: Any) -> None:
    wanted = slow(
        **{name if name == "share" else f"{name}_": value for name, value in measure.items()},
        per=per is not None,
        lowest=keep == "lowest",
    )
    method = helpers.built(helpers.curation, "best", by="quality", keep=keep, per=per, **measure)
    assert kept(method, scored(helpers, documents())) == wanted
    assert kept(method, scored(helpers, documents()[::-1], partitions=4)) == wanted


@pytest.mark.parametrize("share", [0.2, 0.5, 0.75])
@pytest.mark.parametrize("number", [NUMBER, NUMBER - 1, 7])
def test_a_filter_and_its_inverse_part_the_documents(share: float, number: int, helpers: Any) -> None:
    rows = documents()[:number]
    frame = scored(helpers, rows)
    best = kept(Best("quality", share=share), frame)
    rest = kept(Best("quality", share=1 - share, keep="lowest"), frame)
    there = {row["id"] for row in rows if value_of(row) is not None}
    assert best | rest == there and not best & rest


def test_shares_are_what_was_written() -> None:
    """0.1 of 15 documents is one and a half, and so is what 0.9 leaves, although 1 - 0.9 is less than 0.1."""
    wrong = []
    for percent in range(1, 100):
        best, rest = Best("q", share=percent / 100), Best("q", share=(100 - percent) / 100, keep="lowest")
        sizes = [np.zeros(number) for number in range(60)]
        wrong += [(percent, len(n)) for n in sizes if best._num_kept(n) + rest._num_kept(n) != len(n)]
    assert not wrong


def test_reasons_name_the_value(helpers: Any) -> None:
    rows = {
        row["id"]: row["reason"]
        for row in Best("quality", documents=3, per="domain")(scored(helpers, documents())).to_pylist()
    }
    without = [id for id, reason in rows.items() if reason == "quality: no value"]
    assert sorted(without) == sorted(row["id"] for row in documents() if value_of(row) is None)
    reason = next(reason for reason in rows.values() if reason and reason not in ("quality: no value",))
    assert "not among the highest by quality (documents: 3) of domain '" in reason


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "exactly one measure"),
        ({"share": 0.5, "bytes": 3}, "exactly one measure"),
        ({"share": 1.5}, "at most 1"),
        ({"documents": 0}, "above 0"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        Best("quality", **given)


def test_columns_must_be_there_and_hold_numbers(helpers: Any) -> None:
    frame = scored(helpers, documents())
    with pytest.raises(InputError, match="did you mean 'quality'"):
        Best("qualty", share=0.5)(frame)
    with pytest.raises(InputError, match="unknown column 'language'"):
        Best("quality", share=0.5, per="language")(frame)
    shown = kept(Best("bytes", documents=5), frame)
    sizes = sorted((len(row["text"].encode()) for row in documents()), reverse=True)
    assert sorted((len(row["text"].encode()) for row in documents() if row["id"] in shown), reverse=True) == sizes[:5]
    with pytest.raises(InputError, match="not of numbers"):
        Best("domain", share=0.5)(frame)
