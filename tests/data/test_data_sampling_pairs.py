"""Rows of two texts: each is what its kind says, and what counts as an epoch is whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.data import samplers
from seedbed.data.artifact import TokenFile
from seedbed.data.batch import KINDS, Batch
from seedbed.data.sampling.links import find_links

LENGTH, PAD = 24, 1
Make = Callable[..., TokenFile]


def stream(file: TokenFile, seed: int = 0, **parameters: Any) -> Any:
    return samplers.create("pairs", **parameters).stream({"a": file}, {"a": 1.0}, LENGTH, PAD, seed)


def pairs_of(batch: Batch) -> list[tuple[str, list[list[int]]]]:
    """Of each row the kind, and (document, start, length) of its two texts."""
    assert batch.kinds_B is not None
    rows: list[list[list[int]]] = [[] for _ in batch.rows_B]
    for row, column, size, _, document, start in batch.pieces_N6.tolist():
        assert column == sum(text[2] for text in rows[row])
        rows[row].append([document, start, size])
    return [(KINDS[kind], row) for kind, row in zip(batch.kinds_B.tolist(), rows, strict=True)]


def stories(token_file: Make, lengths: list[int]) -> TokenFile:
    """Documents of three stories, and some of none."""
    file = token_file(lengths)
    return replace(file, metadata=[{"story": i % 4} if i % 4 else {} for i in range(len(lengths))])


def check(kind: str, first: list[int], second: list[int], file: TokenFile) -> None:
    (document, start, size), (other, begin, length) = first, second
    assert size >= 2 and length >= 2
    for number, place, total in (first, second):
        assert place >= 0 and place + total <= file.lengths[number]
    if kind == "next":
        assert (other, begin) == (document, start + size)
    elif kind == "previous":
        assert (document, start) == (other, begin + length)
    elif kind == "document":
        assert document == other and (begin >= start + size or begin + length <= start)
    elif kind == "linked":
        assert document != other and document % 4 == other % 4 != 0
    else:
        assert document != other and (document % 4 != other % 4 or document % 4 == 0)


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 70), min_size=8, max_size=30),
    seed=st.integers(0, 99),
    rows=st.integers(1, 7),
    whole=st.booleans(),
)
def test_texts_are_what_their_kind_says(
    lengths: list[int], seed: int, rows: int, whole: bool, token_file: Make
) -> None:
    file = stories(token_file, [*lengths[:4], 30, 8, *lengths[4:], 40, 9, 33, 20])
    every = dict.fromkeys(KINDS, 1.0)
    given = stream(file, seed, shares=every, links="metadata.story", whole=whole)
    tokens = 0
    for _ in range(6):
        batch = given.next(rows)
        assert batch.tokens_BL.shape[1] <= LENGTH and (batch.segments_BL <= 0).all()
        for kind, (first, second) in pairs_of(batch):
            check(kind, first, second, file)
        sizes = (batch.segments_BL >= 0).sum(1)
        assert (sizes <= LENGTH - 3).all(), "room for special tokens"
        assert (sizes + 3 <= batch.tokens_BL.shape[1]).all()
        tokens += int(sizes.sum())
    assert given.counts["a"]["tokens"] == tokens


def test_shares_are_kept(token_file: Make) -> None:
    file = stories(token_file, [30] * 40)
    batch = stream(file, shares={"next": 2.0, "linked": 1.0, "random": 1.0}, links="metadata.story").next(2000)
    found = Counter(kind for kind, _ in pairs_of(batch))
    linked = 0.25 * 30 / 40  # of the documents of no story
    assert set(found) == {"next", "linked", "random"}
    assert abs(found["linked"] / 2000 - linked) < 4 * (linked * (1 - linked) / 2000) ** 0.5
    assert abs(found["next"] / found["random"] - 2) < 0.3


def test_the_first_text_does_not_tell_the_kind(token_file: Make) -> None:
    """With the same windows, the first texts are the same ones whatever follows them."""
    file = stories(token_file, [50, 44, 61, 33, 20, 52, 48, 37])
    one, other = (stream(file, shares={kind: 1.0}).next(30) for kind in ("next", "random"))
    assert [row[0] for _, row in pairs_of(one)] == [row[0] for _, row in pairs_of(other)]


def test_an_epoch_has_every_token_once(token_file: Make) -> None:
    file = token_file([10, 42, 21, 5, 46])
    given, seen = stream(file, shares={"next": 1.0}), Counter[int]()
    while given.counts["a"]["epochs"] < 1:
        batch = given.next(1)
        seen.update(batch.tokens_BL[batch.segments_BL >= 0].tolist())
    assert set(seen.values()) == {1} and len(seen) == file.num_tokens


def test_whole_texts_are_windows_of_half_a_row(token_file: Make) -> None:
    """Documents of up to 10 tokens are read whole; the windows of a longer one are its tens."""
    file = stories(token_file, [7, 25, 9, 10, 3, 8, 4, 2])
    batch = stream(file, shares=dict.fromkeys(KINDS, 1.0), links="metadata.story", whole=True).next(400)
    kinds = Counter[str]()
    for kind, (first, second) in pairs_of(batch):
        check(kind, first, second, file)
        kinds[kind] += 1
        window = second if kind == "previous" else first
        size = int(file.lengths[window[0]])
        assert window[1] % 10 == 0 and window[2] == min(10, size - window[1])
        if kind == "next":
            assert second[2] == min(10, size - second[1])
        elif kind in ("linked", "random"):
            assert second[2] == min(10, file.lengths[second[0]])
    assert set(kinds) == set(KINDS)
    assert {row[0][0] for kind, row in pairs_of(batch) if kind == "next"} == {1}


def test_windows_that_cannot_be_cut_are_dropped_and_counted(token_file: Make) -> None:
    given = stream(token_file([3, 10, 2]), shares={"next": 1.0})
    for _ in range(30):
        assert given.next(1).num_tokens == 10
    assert given.counts["a"]["documents"] >= 88 and given.counts["a"]["dropped"] >= 29 * 5


def test_rows_do_not_depend_on_grouping_and_streams_go_on(token_file: Make) -> None:
    file, shares = stories(token_file, [30, 50, 21, 44, 18, 29, 60, 12] * 3), dict.fromkeys(KINDS, 1.0)
    settings: dict[str, Any] = {"shares": shares, "links": "metadata.story"}
    whole = pairs_of(stream(file, 3, **settings).next(20))
    first = stream(file, 3, **settings)
    parts = [pair for size in (1, 6, 2) for pair in pairs_of(first.next(size))]
    state = json.loads(json.dumps(first.state_dict()))
    resumed = stream(file, 3, **settings)
    resumed.next(4)
    resumed.load_state_dict(state)
    assert parts + pairs_of(resumed.next(11)) == whole
    assert pairs_of(stream(file, 4, **settings).next(20)) != whole
    with pytest.raises(InputError, match="checkpoint"):
        stream(file, 3, shares={"next": 1.0}).load_state_dict(state)
    with pytest.raises(InputError, match="checkpoint"):
        stream(file, 3, **settings, whole=True).load_state_dict(state)
    part = stream(file, 3, **settings).next(20).select(np.array([2, 5]))
    assert pairs_of(part) == [whole[2], whole[5]]


def test_links_by_name_and_by_likeness(token_file: Make) -> None:
    file = token_file([6, 7, 1, 8, 9])
    named = replace(file, metadata=[{"to": ["d3", "d2", "gone", "d0"]}, {}, {}, {"to": []}, {"to": ["d1"]}])
    links = find_links(named, "metadata.to", 5, "k")
    assert [links.of(document).tolist() for document in range(5)] == [[3], [], [], [], [1]], "d2 has a single token"
    texts = [[5, 6, 7, 8] * 3, [5, 6, 7, 9] * 3, [20, 21, 22] * 4, [20, 21, 23] * 4]
    sizes = np.array([len(text) for text in texts])
    tokens = np.concatenate(texts).astype(np.uint16)
    alike = TokenFile(tokens, np.cumsum(sizes) - sizes, sizes, sizes, ["a", "b", "c", "d"])
    links = find_links(alike, "similar", 1, "k")
    assert [links.of(document).tolist() for document in range(4)] == [[1], [0], [3], [2]]


def test_errors(token_file: Make) -> None:
    file = token_file([30, 30])
    for parameters, message in (
        ({"shares": {"next": -1.0}}, "negative"),
        ({"shares": {"next": 0.0}}, "all zero"),
        ({"links": "story"}, "not a field"),
        ({"neighbors": 0}, "at least 1"),
        ({"shares": {"linked": 1.0}, "links": "metadata.x"}, "no document has this field"),
    ):
        with pytest.raises(InputError, match=message):
            stream(file, **parameters)
    with pytest.raises(InputError, match="no document has a second text"):
        stream(token_file([30]), shares={"random": 1.0}).next(1)
    with pytest.raises(InputError, match="links no two documents"):
        stream(replace(file, metadata=[{"x": 1}, {"x": 2}]), links="metadata.x")
    with pytest.raises(InputError, match="no document of 4 tokens"):
        stream(token_file([3, 3]), shares={"next": 1.0})
    with pytest.raises(InputError, match="at least 11"):
        samplers.create("pairs").stream({"a": file}, {"a": 1.0}, 10, PAD, 0)
    with pytest.raises(InputError, match="pairs"):
        stream(file, shares={"next": 1.0}).next(2).cut(2)
