"""How long training will take: a few real steps of the real shape, within two seconds.

Shapes: B rows, L tokens a row, N pieces, V vocabulary.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.counters import integers, key
from seedbed.data.batch import Batch
from seedbed.objectives.load import Load

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.objectives.base import Objective
    from seedbed.train.numerics import Device
    from seedbed.train.precision import Wanted

_SECONDS = 1.2
_LOOKS = 4  # at an objective, over a run's progress
_TOKENS = 4096  # of one pass: enough to be as fast as larger ones, little enough for a large model to answer


def fits(parameters: int, device: Device) -> bool:
    """Whether a machine can train so many parameters by Adam, at a glance: 16 bytes for each within half its memory."""
    import torch

    from seedbed.train.numerics import find_device

    if find_device(device).type == "cuda":
        memory = torch.cuda.mem_get_info()[1]
    else:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 16 * parameters <= memory / 2


def seconds_per_token(
    architecture: Architecture,
    objective: Any,
    optimizer: Any,
    *,
    kernel: str = "auto",
    precision: Wanted,
    device: Device,
    length: int,
    micro_tokens: int,
    batch_tokens: int,
) -> float:
    """Time corruption, forward, backward and update on random tokens; the medians of the passes that fit in the time.

    Validation and checkpoints are left out.
    """
    import torch

    from seedbed.models.transformer import Transformer
    from seedbed.train.allocator import keep_memory
    from seedbed.train.numerics import find_device, settle
    from seedbed.train.precision import Precision

    keep_memory()
    place, size = find_device(device), architecture.vocabulary_size
    objective.bind(_stand_in_vocabulary(size, objective.wanted_tokens()))
    network = Transformer(architecture, seed=0, kernel=kernel)
    objective.prepare(network, 0)
    network.to(place)
    numerics = settle(network, place, precision, length=length, rows=max(1, micro_tokens // length), saved=None)
    arithmetic = Precision.from_dict(numerics.precision)
    rows = max(1, min(_TOKENS, micro_tokens, batch_tokens) // length)
    batch = _random_batch(rows, length, size, objective.wanted_sources() or ["probe"])
    update = optimizer.build(network)
    passes: list[float] = []
    updates: list[float] = []
    started = time.monotonic()

    def clock() -> float:
        if place.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    with arithmetic.applied():
        while len(passes) < 2 or (time.monotonic() - started < _SECONDS and len(passes) < 50):
            begin = clock()
            examples = objective.corrupt(batch, seed=0, progress=0.5).to(place)
            with arithmetic.autocast(place):
                loss = objective.loss(network, examples)
            loss.sum.backward()
            between = clock()
            update.step()
            update.zero_grad()
            passes.append(between - begin)
            updates.append(clock() - between)
    # the first ones warm up
    return float(np.median(passes[1:]) / batch.num_tokens + np.median(updates[1:]) / batch_tokens)


def expected_load(objective: Objective, *, size: int, rows: int, length: int) -> Load | None:
    """What a network will read for each token of the data, of rows that hold two texts each: as the objective makes it
    of random tokens, all through the run; None where it reads the data's own rows."""
    if not objective.reshapes:
        return None
    objective.bind(_stand_in_vocabulary(size, objective.wanted_tokens()))
    sources = objective.wanted_sources() or ["probe", "another"]
    batch = _random_batch(max(1, min(rows, _TOKENS // length)), length, size, sources)
    found = Load()
    for number in range(_LOOKS):
        examples = objective.corrupt(batch, seed=number, progress=(number + 0.5) / _LOOKS)
        found += Load.of(passed for _, passed in examples.passes(batch))
    return found.over(_LOOKS * batch.tokens_BL.size)


def _random_batch(rows: int, length: int, size: int, sources: Sequence[str]) -> Batch:
    """Two texts that see each other in each row, of sources in turn; of one, they are the same document's."""
    tokens_BL = integers(key(0, "probe"), size, np.arange(rows)[:, None], np.arange(length)[None, :])
    positions_BL = np.tile(np.arange(length), (rows, 1))
    half, count = length // 2, len(sources)
    pieces_N6 = np.array(
        [[row, side * half, half, side % count, row, side * half] for row in range(rows) for side in (0, 1)]
    )
    return Batch(tokens_BL, np.zeros_like(tokens_BL), positions_BL, np.arange(rows), pieces_N6, tuple(sources))


def _stand_in_vocabulary(size: int, wanted: list[str]) -> Any:
    """A vocabulary without words: ids 0 to 4 are special, as after training a tokenizer here, and those that are wanted
    by name."""
    from seedbed.vocabulary.artifact import Vocabulary

    special_V = np.arange(size) < min(5 + len(wanted), size - 1)
    starts_V = np.ones(size, dtype=bool)
    # what ends in a period ends a sentence
    words = [f"{index}." if index % 16 == 0 else str(index) for index in range(5 + len(wanted), size)]
    tokens = [*map(str, range(5)), *wanted, *words][:size]
    return Vocabulary(size, 0, 1, 2, 3, 4, 2, 3, tokens, special_V, starts_V)
