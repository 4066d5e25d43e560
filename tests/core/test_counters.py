"""Random numbers are functions of their counters."""

import numpy as np

from seedbed.core.counters import generator, hash64, integers, key, uniform


def splitmix_finalizer(value: int) -> int:
    mask = 2**64 - 1
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return value ^ (value >> 31)


def test_hash_equals_the_scalar_definition():
    stream = key(7, "mask")
    for row, column in [(0, 0), (3, 5), (2**40, 17)]:
        state = stream
        for counter in (row, column):
            state = splitmix_finalizer(state ^ splitmix_finalizer((counter + 0x9E3779B97F4A7C15) % 2**64))
        state = splitmix_finalizer(state)
        assert int(hash64(stream, row, column)) == state


def test_a_number_does_not_depend_on_its_neighbors():
    stream = key(1, "x")
    whole = uniform(stream, np.arange(100)[:, None], np.arange(7)[None, :])
    part = uniform(stream, np.arange(40, 60)[:, None], np.arange(7)[None, :])
    assert np.array_equal(whole[40:60], part)


def test_uniform_is_uniform_and_streams_are_unrelated():
    first = uniform(key(1, "a"), np.arange(200_000))
    second = uniform(key(1, "b"), np.arange(200_000))
    assert first.min() >= 0 and first.max() < 1
    counts = np.histogram(first, bins=50, range=(0, 1))[0]
    assert ((counts - 4000) ** 2 / 4000).sum() < 100  # chi-square, 49 degrees of freedom: p < 1e-4 beyond
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.01


def test_integers_cover_their_range():
    drawn = integers(key(3, "i"), 10, np.arange(10_000))
    assert set(drawn.tolist()) == set(range(10))


def test_generator_and_key_follow_seed_and_names():
    assert key(1, "a", 2) == key(1, "a", 2)
    assert len({key(1, "a"), key(2, "a"), key(1, "b"), key(1, "a", 0), key(11, "a")}) == 5
    assert generator(5, "order", 3).integers(1 << 30) == generator(5, "order", 3).integers(1 << 30)
