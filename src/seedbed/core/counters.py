"""Random numbers from counters: a pure function of (seed, what they are for, where they are used).

There is no generator state to save, and a number does not depend on the batch size, the number of
workers, or on which process draws it. `uniform` and `integers` hash their counters with the finalizer of
SplitMix64 (Steele, Lea and Flood, 2014), vectorized over numpy arrays; `generator` keys a Philox generator
where a library's distributions are needed (permutations, normal numbers).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xxhash

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def key(seed: int, *names: int | str) -> int:
    """A 64-bit key for a stream of numbers, from the run's seed and the stream's names or counters."""
    return xxhash.xxh3_64_intdigest("\x1f".join([str(seed), *map(str, names)]).encode())


def hash64(stream: int, *counters: Any) -> np.ndarray:
    """Hash integer counters (arrays that broadcast together) within a stream to uint64."""
    with np.errstate(over="ignore"):
        state = np.uint64(stream)
        for counter in counters:
            state = _mix(state ^ _mix(np.asarray(counter).astype(np.uint64) + _GOLDEN))
        return np.asarray(_mix(state))


def uniform(stream: int, *counters: Any) -> np.ndarray:
    """Uniform numbers in [0, 1) as float64, one for each element of the broadcast counters."""
    return (hash64(stream, *counters) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers(stream: int, high: int, *counters: Any) -> np.ndarray:
    """Uniform integers in [0, high) as int64, for `high` below 2**31 (the bias is below 2**-22)."""
    return np.minimum((uniform(stream, *counters) * high).astype(np.int64), high - 1)


def generator(seed: int, *names: int | str) -> np.random.Generator:
    """A numpy generator for one named use."""
    return np.random.Generator(np.random.Philox(key=key(seed, *names)))


def _mix(value: Any) -> Any:
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))
