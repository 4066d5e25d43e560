"""Does the best learning rate stay where it is when the network gets wider? A table of losses, widths by rates.

    python benchmarks/width_transfer.py             # the standard parametrization
    python benchmarks/width_transfer.py --base 32   # width transfer from width 32

Decoders of two layers read the bytes of Python's standard library. Shapes: B rows, L bytes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from seedbed.core.counters import integers, key
from seedbed.models import backbones
from seedbed.models.cross_entropy import linear_cross_entropy
from seedbed.optim import optimizers
from seedbed.optim.scales import scale_rates

LENGTH, ROWS, LAST = 64, 16, 20  # bytes a row, rows a step, steps that the loss is a mean of


def text() -> np.ndarray:
    paths = sorted(Path(json.__file__).parent.parent.glob("*.py"))
    return np.frombuffer(b"\n".join(path.read_bytes() for path in paths), dtype=np.uint8)


def final_loss(bytes_N: np.ndarray, width: int, base: int | None, lr: float, steps: int, seed: int) -> float:
    """The training loss in nats a byte; every byte is new, so it is that of unseen text."""
    backbone = backbones.create("decoder", layers=2, width=width, heads=2, max_length=LENGTH, width_transfer=base)
    network = backbone.network(256, seed)
    optimizer = scale_rates(optimizers.create("adamw", lr=lr).build(network), network)
    losses = []
    for step in range(steps):
        starts_B = integers(key(seed, "rows", step), len(bytes_N) - LENGTH - 1, np.arange(ROWS))
        rows = torch.from_numpy(np.stack([bytes_N[i : i + LENGTH + 1] for i in starts_B]).astype(np.int64))
        hidden = network.head(network.hidden(rows[:, :-1]).flatten(0, 1))
        total, _ = linear_cross_entropy(hidden, *network.output(), rows[:, 1:].flatten())
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("full", group["lr"]) * min(1.0, (step + 1) / 10) * (1 - step / steps)
        optimizer.zero_grad()
        (total / (ROWS * LENGTH)).backward()
        optimizer.step()
        losses.append(float(total.detach()) / (ROWS * LENGTH))
    return float(np.mean(losses[-LAST:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=int, help="the width that settings are transferred from")
    parser.add_argument("--widths", type=int, nargs="*", default=[32, 64, 128, 256])
    parser.add_argument("--rates", type=float, nargs="*", default=[2.0**k for k in range(-9, -3)])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    bytes_N = text()
    print("width " + "".join(f"{rate:9.4f}" for rate in given.rates) + "   best")
    for width in given.widths:
        found = [final_loss(bytes_N, width, given.base, rate, given.steps, given.seed) for rate in given.rates]
        print(f"{width:5d} " + "".join(f"{loss:9.3f}" for loss in found), f"  {given.rates[int(np.argmin(found))]:.4f}")


if __name__ == "__main__":
    main()
