"""Tokens a second of mixers beside attention, at several row lengths: forward and backward of two layers, no head.

    python benchmarks/mixers.py --lengths 128 512 2048 --rounds 3
    python benchmarks/mixers.py --lengths 1024 4096 16384 --only "decoder, attention" "decoder, hyena"

All take turns, round after round, on one thread; the median is printed. Ratios matter more than figures. A step is of
2,048 tokens, or of one row that is longer.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch

from seedbed.models import backbones

VOCABULARY, TOKENS = 2048, 2048
IMPLICIT = {"implicit": {"steps": 0, "unrolled": 1, "damping": 1.0}}
NETWORKS: dict[str, tuple[str, Any]] = {
    "encoder, attention": ("encoder", None),
    "encoder, bigs": ("encoder", "bigs"),
    "decoder, attention": ("decoder", None),
    "decoder, hyena": ("decoder", "hyena"),
    "decoder, megalodon": ("decoder", "megalodon"),
    "decoder, rwkv7": ("decoder", "rwkv7"),
    "decoder, implicit of one step": ("decoder", IMPLICIT),
}


def network(name: str, width: int, length: int) -> torch.nn.Module:
    backbone, mixer = NETWORKS[name]
    more = {"feed": "rwkv7"} if mixer == "rwkv7" else {}
    settings = {"mixer": mixer, "positions": "none", **more} if mixer is not None else {}
    sizes = {"layers": 2, "width": width, "heads": width // 64, "max_length": length}
    return backbones.create(backbone, **sizes, **settings).network(VOCABULARY, 1, pad=0)  # type: ignore[no-any-return]


def seconds(made: Any, length: int) -> float:
    tokens_BL = torch.randint(0, VOCABULARY, (max(1, TOKENS // length), length))
    clock = time.perf_counter()
    made.hidden(tokens_BL).sum().backward()
    return time.perf_counter() - clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[128, 512, 2048])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[str]] = {name: [] for name in given.only}
    sizes = {}
    for length in given.lengths:
        made = {name: network(name, given.width, length) for name in given.only}
        times: dict[str, list[float]] = {name: [] for name in given.only}
        for number in range(given.rounds + 1):  # the first is for warming up
            for name, one in made.items():
                taken = seconds(one, length)
                if number:
                    times[name].append(taken)
        for name, one in made.items():
            sizes[name] = sum(parameter.numel() for parameter in one.parameters())
            found[name].append(f"{max(TOKENS, length) / statistics.median(times[name]):,.0f}")
    print("| layers | parameters | " + " | ".join(map(str, given.lengths)) + " |")
    for name, row in found.items():
        print(f"| {name} | {sizes[name]:,} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
