"""Tokens that a network writes in a second of one CPU, with keys and values kept and with a pass over all for each.

    python benchmarks/writing.py --lengths 32 128 512 --rounds 3

The rows of a batch begin with 8 tokens and are written on to a length; an encoder-decoder reads 64 tokens besides. Both
ways take turns, round after round, on one thread, and give the same tokens; the median is printed, and the ratio taken
round by round. Ratios matter more than figures.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch

from seedbed.models import backbones
from seedbed.models.writing.choice import Choice
from seedbed.models.writing.loop import write
from seedbed.models.writing.reading import NetworkReader

VOCABULARY, BEGINNING, SOURCE = 4096, 8, 64
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "decoder": ("decoder", {}),
    "decoder, 2 key-value heads, ALiBi": ("decoder", {"kv_heads": 2, "positions": "alibi"}),
    "encoder_decoder": ("encoder_decoder", {}),
}


def seconds(network: Any, rows: int, length: int, keep: bool) -> tuple[float, list[list[int]]]:
    """Of the CPU, for all tokens; and these."""
    generator = np.random.default_rng(0)
    more: dict[str, Any] = {}
    if network.attention == "encoder-decoder":
        more["sources"] = generator.integers(5, VOCABULARY, (rows, SOURCE)).tolist()
    beginnings = generator.integers(5, VOCABULARY, (rows, BEGINNING)).tolist()
    choice = Choice(np.arange(VOCABULARY) < 5, temperature=1.0, stream=1)
    clock = time.process_time()
    found = write(
        lambda rows: NetworkReader(network, keep=keep, **more),
        beginnings,
        length - BEGINNING,
        choice,
        lengths=[length] * rows,
    )
    return time.process_time() - clock, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[32, 128, 512])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print("| network | length | tokens a CPU second, kept | all read again | times as fast (least, most) |")
    for name, (backbone, settings) in NETWORKS.items():
        sizes = {"layers": given.layers, "width": given.width, "heads": given.width // 64, "kernel": "products"}
        made = backbones.create(backbone, max_length=max(given.lengths), **sizes, **settings)
        network = made.network(VOCABULARY, 1, pad=0)
        for length in given.lengths:
            times: dict[bool, list[float]] = {True: [], False: []}
            said = {}
            for _ in range(given.rounds):
                for keep, taken in times.items():
                    spent, said[keep] = seconds(network, given.rows, length, keep)
                    taken.append(spent)
            same = said[True] == said[False]
            tokens = given.rows * (length - BEGINNING)
            ratios = sorted(slow / fast for fast, slow in zip(times[True], times[False], strict=True))
            speeds = [f"{tokens / statistics.median(times[keep]):,.0f}" for keep in (True, False)]
            ratio = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f}, {ratios[-1]:.1f})"
            print(f"| {name} | {length} | {' | '.join(speeds)} | {ratio} |" + ("" if same else " other tokens!"))


if __name__ == "__main__":
    main()
