"""Span corruption, prefixes and what they are made of, against slow formulas."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from train_world import SIZE, MadeStream, batch_of, vocabulary

from seedbed.core.errors import InputError
from seedbed.objectives import Examples, objectives
from seedbed.objectives.denoising.pairs import texts_of
from seedbed.objectives.denoising.ragged import Ragged, in_rows, join
from seedbed.objectives.denoising.spans import compositions, random_spans

WITH_SENTINELS = vocabulary(sentinels=8)
SENTINELS = WITH_SENTINELS.sentinels
END, START = 3, 0  # as in the made vocabulary


def bound(name: str, **settings: Any) -> Any:
    made = objectives.create(name, **settings)
    made.bind(WITH_SENTINELS)
    return made


def lists(ragged: Ragged) -> list[list[int]]:
    return [part.tolist() for part in np.split(ragged.values_N, np.cumsum(ragged.lengths_S)[:-1])]


def pairs_of(examples: Examples) -> list[tuple[list[int], list[int]]]:
    """What is read and what is to be written, pair by pair, read off the examples the slow way."""
    found = []
    if examples.decoder is not None:
        given = examples.decoder
        wanted = dict(zip(examples.where_T.tolist(), examples.targets_T.tolist(), strict=True))
        for row in range(len(examples.tokens_BL)):
            for segment in range(examples.segments_BL[row].max() + 1):
                source = examples.tokens_BL[row][examples.segments_BL[row] == segment]
                places = np.flatnonzero(given.segments_BM[row] == segment)
                target = [wanted[row * given.tokens_BM.shape[1] + place] for place in places]
                shown = given.tokens_BM[row][places].tolist()
                assert shown == [START, *target[:-1]], "the decoder sees what it has written"
                assert given.positions_BM[row][places].tolist() == list(range(len(places)))
                found.append((source.tolist(), target))
        return found
    wanted = dict(zip(examples.where_T.tolist(), examples.targets_T.tolist(), strict=True))
    width = examples.tokens_BL.shape[1]
    for row in range(len(examples.tokens_BL)):
        for segment in range(examples.segments_BL[row].max() + 1):
            inside = examples.segments_BL[row] == segment
            is_shown = examples.ranks.shown_BL[row] <= examples.ranks.sees_BL[row][inside.argmax()]
            prefix = inside & is_shown
            source, target = examples.tokens_BL[row][prefix], examples.tokens_BL[row][inside & ~prefix]
            places = np.flatnonzero(inside & ~prefix)
            assert [wanted[row * width + place - 1] for place in places] == target.tolist()
            assert prefix[places[0] - 1] and inside[places[0] - 1]
            found.append((source.tolist(), target.tolist()))
    return found


def restored(source: list[int], target: list[int]) -> list[int]:
    """The text that a source and its spans were made from."""
    assert source[-1] == target[-1] == END
    spans: dict[int, list[int]] = {}
    for token in target[:-1]:
        if token in SENTINELS:
            assert token not in spans
            spans[token] = []
        else:
            spans[list(spans)[-1]].append(token)
    assert [token for token in source if token in SENTINELS] == list(spans) == list(SENTINELS[: len(spans)])
    return [token for part in source[:-1] for token in spans.get(part, [part])]


def ordinary(batch: Any) -> list[list[int]]:
    """The ordinary tokens of each segment."""
    found = []
    for row, segments in zip(batch.tokens_BL, batch.segments_BL, strict=True):
        for segment in range(segments.max() + 1):
            found.append([token for token in row[segments == segment].tolist() if token >= 5])
    return found


@pytest.mark.parametrize("kind", ["encoder-decoder", "prefix"])
@pytest.mark.parametrize("rate", [0.15, 0.5])
def test_spans_put_back_give_the_text(kind: str, rate: float) -> None:
    batch = MadeStream(3).next(40)
    examples = bound("span_corruption", rate=rate, network=kind).corrupt(batch, seed=1, progress=0.0)
    pairs, texts = pairs_of(examples), [text for text in ordinary(batch) if len(text) >= 2]
    assert [restored(*pair) for pair in pairs] == texts
    for (source, target), text in zip(pairs, texts, strict=True):
        noise = min(max(round(len(text) * rate), 1), len(text) - 1)
        spans = min(max(round(noise / 3), 1), noise, len(text) - noise, 7)
        found = len(target) - noise - 1
        assert found in (spans, spans + 1) and len(source) == len(text) - noise + found + 1


def test_without_a_roll_the_last_token_is_always_noise() -> None:
    batch = batch_of([[list(range(5, 21))]] * 200)
    for roll in (False, True):
        pairs = pairs_of(bound("span_corruption", roll=roll).corrupt(batch, seed=1, progress=0.0))
        begins = Counter(target[1] for _, target in pairs)
        assert set(begins) == {19} if not roll else len(begins) == 15, "two of sixteen tokens"


def test_each_way_to_cut_is_equally_likely() -> None:
    """All 6 compositions of 5 into 3 parts, all 4 into 2, and none into 0, over many texts."""
    texts = texts_of(batch_of([[list(range(5, 10)), list(range(5, 10))]] * 4000), WITH_SENTINELS.special_V)
    count = len(texts.row_S)
    totals, parts = np.full(count, 5), np.where(np.arange(count) % 2, 3, 2)
    found = Ragged(compositions(texts, totals, parts, 7), parts)
    ways = Counter(tuple(part) for part in lists(found))
    assert len(ways) == 6 + 4 and all(sum(way) == 5 and min(way) >= 1 for way in ways)
    for size, number in ((3, 6), (2, 4)):
        counts = [count for way, count in ways.items() if len(way) == size]
        assert np.allclose(np.array(counts) / 4000, 1 / number, atol=0.03)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 14), min_size=1, max_size=12), st.floats(0.01, 0.99), st.floats(0.5, 20.0))
def test_spans_are_as_published(lengths: list[int], rate: float, mean: float) -> None:
    """The numbers of T5's code for each text, by a loop."""
    batch = batch_of([[list(range(5, 5 + length))] for length in lengths])
    texts = texts_of(batch, WITH_SENTINELS.special_V)
    spans = random_spans(texts, rate, mean, 3, most=5)
    noise = np.split(spans.noise_N, np.cumsum(texts.tokens.lengths_S)[:-1])
    starts = np.split(spans.starts_N, np.cumsum(texts.tokens.lengths_S)[:-1])
    for mask, begun, length in zip(noise, starts, [n for n in lengths if n] or [0], strict=True):
        if length < 2:
            assert not mask.any() and not begun.any()
            continue
        wanted = min(max(round(length * rate), 1), length - 1)
        count = max(min(round(wanted / mean), wanted, length - wanted, 5), 1)
        assert mask.sum() == wanted and begun.sum() == count
        assert not mask[0] and mask[-1], "a text begins with what is kept, and ends with noise"
        runs = np.flatnonzero(np.diff(np.concatenate(([False], mask)).astype(int)) == 1)
        assert runs.tolist() == np.flatnonzero(begun).tolist()


@pytest.mark.parametrize("kind", ["encoder-decoder", "prefix"])
def test_a_prefix_and_what_follows(kind: str) -> None:
    batch = MadeStream(5).next(400)
    pairs = pairs_of(bound("prefix_lm", share=0.25, network=kind).corrupt(batch, seed=1, progress=0.0))
    texts = [text for text in ordinary(batch) if len(text) >= 2]
    for (source, target), text in zip(pairs, texts, strict=True):
        assert [*source[:-1], *target[:-1]] == text and source[-1] == target[-1] == END
        assert 1 <= len(target) - 1 <= max(1, round(0.5 * len(text)))
    shares = [(len(target) - 1) / len(text) for (_, target), text in zip(pairs, texts, strict=True) if len(text) > 6]
    assert np.mean(shares) == pytest.approx(0.25, abs=0.03)


def test_modes_stand_before_what_is_read() -> None:
    batch = MadeStream(5).next(4)
    made = bound("span_corruption", mode="t60")
    plain = bound("span_corruption")
    for with_mode, without in zip(
        pairs_of(made.corrupt(batch, seed=1, progress=0.0)),
        pairs_of(plain.corrupt(batch, seed=1, progress=0.0)),
        strict=True,
    ):
        assert with_mode == ([60, *without[0]], without[1])
    with pytest.raises(InputError, match="has no such token"):
        bound("span_corruption", mode="[R]")
    with pytest.raises(InputError, match="has no sentinels"):
        objectives.create("span_corruption").bind(vocabulary())


def test_ragged_sequences() -> None:
    one, other = Ragged(np.array([1, 2, 3]), np.array([2, 0, 1])), Ragged(np.array([7, 8]), np.array([0, 1, 1]))
    assert lists(join(one, other)) == [[1, 2], [7], [3, 8]]
    assert lists(one.keep(np.array([True, False, True]))) == [[1], [], [3]]
    assert lists(one.insert(np.array([False, True, True]), np.array([9, 9]))) == [[1, 9, 2], [], [9, 3]]
    assert lists(one.only(np.array([True, False, True]))) == [[1, 2], [3]]
    layout = in_rows(join(one, other), np.array([0, 0, 2]), 3, 0)
    assert layout.tokens_BL[:, :4].tolist() == [[1, 2, 7, 0], [0, 0, 0, 0], [3, 8, 0, 0]]
    assert layout.segments_BL[:, :4].tolist() == [[0, 0, 1, -1], [-1] * 4, [0, 0, -1, -1]]
    assert layout.positions_BL[:, :4].tolist() == [[0, 1, 0, 0], [0] * 4, [0, 1, 0, 0]]


def test_the_pairs_do_not_depend_on_who_reads_them() -> None:
    batch = MadeStream(8).next(6)
    one, other = (
        bound("span_corruption", network=kind).corrupt(batch, seed=2, progress=0.0)
        for kind in ("prefix", "encoder-decoder")
    )
    assert pairs_of(one) == pairs_of(other)
    assert min(SENTINELS) >= SIZE


def test_infilling_leaves_what_is_kept_in_order() -> None:
    """Masks stand for 30% of a text; without them the source is the text without its spans."""
    batch = batch_of([[[2, *(5 + np.arange(58)).tolist(), 3]]] * 300, length=60)
    made = bound("infilling", permute=0.0)
    pairs = pairs_of(made.corrupt(batch, seed=3, progress=0.0))
    text, masks = list(range(5, 63)), 0
    for source, target in pairs:
        assert target == [*text, END] and source[-1] == END
        kept = [token for token in source[:-1] if token != 4]
        assert kept == sorted(kept) and len(kept) == 58 - 18, "18 is 58 times 0.3, rounded up"
        masks += source.count(4)
    # so many spans of a Poisson distribution are drawn until they have 18 tokens; a twentieth has no length
    draws = np.random.default_rng(0).poisson(3.0, (4000, 60))
    assert masks / 300 == pytest.approx(((draws.cumsum(1) < 18).sum(1) + 1).mean(), rel=0.04)


def test_lengths_of_spans_are_of_a_poisson_distribution() -> None:
    from seedbed.objectives.denoising.poisson import poisson_spans

    texts = texts_of(batch_of([[np.arange(5, 55).tolist() * 10]] * 40, length=500), WITH_SENTINELS.special_V)
    spans, empty = poisson_spans(texts, 0.3, 3.0, 5)
    begins = np.flatnonzero(spans.starts_N)
    lengths = np.add.reduceat(spans.noise_N, begins)  # of a span and what is kept behind it
    assert spans.noise_N.sum() == 40 * 150
    chances = [float(np.exp(-3) * 3.0**k / np.prod(np.arange(1, k + 1))) for k in range(8)]
    total = len(lengths) + empty.sum()
    assert empty.sum() / total == pytest.approx(chances[0], abs=0.015)
    for length in (1, 2, 3, 4, 5):
        assert (lengths == length).mean() == pytest.approx(chances[length] / (1 - chances[0]), abs=0.03)


def test_sentences_change_places() -> None:
    """Every order of three sentences, equally often; tokens stay in their sentence."""
    ended = vocabulary(sentinels=1)
    ended.tokens[10] = "end."
    made = objectives.create("infilling", rate=0.0)
    made.bind(ended)
    pairs = pairs_of(made.corrupt(batch_of([[[11, 10, 12, 13, 10, 14, 15, 16]]] * 1200), seed=3, progress=0.0))
    orders = Counter(tuple(source) for source, _ in pairs)
    parts = [(11, 10), (12, 13, 10), (14, 15, 16)]
    import itertools

    wanted = {(*sum(order, ()), END) for order in itertools.permutations(parts)}
    assert set(orders) == wanted
    assert all(count / 1200 == pytest.approx(1 / 6, abs=0.04) for count in orders.values())
    assert all(target == [11, 10, 12, 13, 10, 14, 15, 16, END] for _, target in pairs)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 14), min_size=1, max_size=8), st.floats(0.0, 0.95), st.floats(0.2, 30.0))
def test_infilling_of_any_text(lengths: list[int], rate: float, mean: float) -> None:
    batch = batch_of([[list(range(5, 5 + length))] for length in lengths])
    pairs = pairs_of(bound("infilling", rate=rate, mean_length=mean, permute=0.0).corrupt(batch, seed=1, progress=0.0))
    for (source, target), length in zip(pairs, [length for length in lengths if length], strict=True):
        assert target == [*range(5, 5 + length), END]
        kept = [token for token in source[:-1] if token != 4]
        assert len(kept) == length - min(int(np.ceil(rate * length)), length - 1) and set(kept) <= set(target)
