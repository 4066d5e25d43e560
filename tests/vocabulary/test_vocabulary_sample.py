"""The sample: bounded, independent of order, balanced on request."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.vocabulary.sample import Pool, draw, share_out


def rows(number, domain="d", size=100):
    return [{"text": f"{domain}{i:05d}".ljust(size, "x"), "group": domain} for i in range(number)]


def test_order_of_documents_does_not_matter():
    documents = rows(2000) + rows(500, "e")
    shuffled = documents[:]
    random.Random(1).shuffle(shuffled)
    for alpha in (1.0, 0.3):
        first = draw(lambda: documents, 20_000, 7, alpha=alpha, share_held_out=0.1)
        second = draw(lambda: shuffled, 20_000, 7, alpha=alpha, share_held_out=0.1)
        assert sorted(first.texts()) == sorted(second.texts())
        assert {d: p.texts() for d, p in first.held_out.items()} == {d: p.texts() for d, p in second.held_out.items()}
        assert 20_000 <= sum(map(len, first.texts())) < 20_300
    assert list(draw(lambda: documents, 20_000, 8).texts()) != list(draw(lambda: documents, 20_000, 7).texts())


def test_sample_is_spread_evenly():
    documents = rows(4000)
    drawn = {int(text[1:6]) for text in draw(lambda: documents, 100_000, 0).texts()}
    assert len(drawn) == 1000
    assert 430 < sum(number < 2000 for number in drawn) < 570  # binomial(1000, 1/2): five standard deviations


def test_all_of_a_small_corpus():
    documents = rows(50)
    drawn = draw(lambda: documents, 1e9, 0)
    assert sorted(drawn.texts()) == sorted(row["text"] for row in documents)
    assert (drawn.num_documents, drawn.sizes) == (50, {"d": 5000})


def test_held_out_is_not_trained_on():
    documents = rows(3000)
    drawn = draw(lambda: documents, 1e9, 0, share_held_out=0.05)
    held_out = drawn.held_out["d"].texts()
    assert 90 < len(held_out) < 210
    assert not set(held_out) & set(drawn.texts())
    assert len(held_out) + len(list(drawn.texts())) == 3000


def test_balance():
    documents = rows(3000, "large") + rows(300, "small")
    natural = list(draw(lambda: documents, 40_000, 0).texts())
    equal = list(draw(lambda: documents, 40_000, 0, alpha=0.0).texts())
    assert sum(text.startswith("small") for text in natural) < 80
    assert sum(text.startswith("small") for text in equal) == 200
    assert sum(text.startswith("large") for text in equal) == 200
    drawn = draw(lambda: documents, 40_000, 0, weights={"large": 1, "small": 3})
    assert len(list(drawn.texts("small"))) == 300, "all that there is"
    assert len(list(drawn.texts("large"))) == 100
    assert not list(draw(lambda: documents, 40_000, 0, weights={"large": 0, "small": 3}).texts("large"))


def test_sampling_distribution_is_that_of_xlm():
    """Lample and Conneau (2019): q_i proportional to p_i**alpha."""
    sizes = {"a": 9_000_000.0, "b": 1_000_000.0, "c": 90_000.0}
    shares = share_out(1000, sizes, 0.3)
    p = {name: size / sum(sizes.values()) for name, size in sizes.items()}
    total = sum(value**0.3 for value in p.values())
    for name, share in shares.items():
        assert share == pytest.approx(1000 * p[name] ** 0.3 / total)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": 1}, "says nothing of the group 'b'"),
        ({"a": 1, "b": 1, "c": 1}, "no such group"),
        ({"a": 1, "b": -1}, "negative"),
        ({"a": 0, "b": 0}, "all zero"),
    ],
)
def test_weights_that_do_not_fit(weights, message):
    with pytest.raises(InputError, match=message):
        share_out(100, {"a": 10, "b": 10}, 1.0, weights)


def test_share_out():
    assert share_out(100, {"a": 1000, "b": 1000}, 1.0) == {"a": 50, "b": 50}
    assert share_out(100, {"a": 10, "b": 1000}, 0.0) == {"a": 10, "b": 90}
    assert share_out(1e9, {"a": 10, "b": 1000}, 0.5) == {"a": 10, "b": 1000}
    shares = share_out(100, {"a": 100, "b": 10_000}, 0.5)
    assert shares["b"] / shares["a"] == pytest.approx(10)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(1, 50)), min_size=1, max_size=60), st.integers(1, 500))
def test_pool_is_the_shortest_prefix(items, limit):
    """Against sorting everything."""
    pool = Pool(limit)
    texts = [(number, f"{index:03d}", size) for index, (number, size) in enumerate(items)]
    for item in texts:
        pool.add(*item)
    expected, total = [], 0
    numbers = [number for number, _, _ in texts]
    if len(set(numbers)) < len(numbers):
        return
    for _, text, size in sorted(texts):
        if total >= limit:
            break
        expected.append(text)
        total += size
    assert pool.texts() == expected
