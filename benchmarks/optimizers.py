"""What an update costs: milliseconds, and bytes of state for each parameter, on an encoder of 6 layers of width 384.

    python benchmarks/optimizers.py --out benchmarks/results/optimizers.json

Gradients are random. `ms` is the mean of the updates after the first, over whole periods of the rules that compute
something every ten updates. `first_ms` is the first update, in which states are made; GaLore computes there what serves
it for 200 updates. Rounds alternate between the rules, because a machine's speed drifts; figures are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import options

CONTESTANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "adamw": ("adamw", {}),
    "adamw (bf16 state)": ("adamw", {"state": "bf16"}),
    "adamw (int8 state)": ("adamw", {"state": "int8"}),
    "adafactor": ("adafactor", {}),
    "lion": ("lion", {}),
    "schedule_free": ("schedule_free", {}),
    "sophia": ("sophia", {}),
    "muon": ("muon", {}),
    "muon (bf16 products)": ("muon", {"products": "bf16"}),
    "galore": ("galore", {}),
    "soap": ("soap", {}),
    "shampoo": ("shampoo", {}),
}


def arguments() -> argparse.Namespace:
    parser = options.parser(__doc__, CONTESTANTS)
    parser.add_argument("--updates", type=int, default=10, help="after the first; whole periods are multiples of 10")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def measure(name: str, given: dict[str, Any], setting: argparse.Namespace) -> dict[str, float]:
    """One round of one rule."""
    import torch

    from seedbed.models import backbones
    from seedbed.optim import optimizers

    encoder = backbones.create("encoder", layers=setting.layers, width=setting.width, heads=setting.heads)
    network = encoder.network(setting.vocabulary, 0, pad=0).to(setting.device)
    optimizer = optimizers.create(name, **given).build(network)
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter) * 1e-3
    times = []
    for _ in range(1 + setting.updates):
        if getattr(optimizer, "wants_sampled_gradient", False):
            optimizer.take_sampled_gradient(1000.0)  # the pass that brings it is not timed
        start = time.perf_counter()
        optimizer.step()
        if setting.device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    tensors = [value for states in optimizer.state.values() for value in states.values()]
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {
        "ms": 1e3 * statistics.mean(times[1:]),
        "first_ms": 1e3 * times[0],
        "bytes_per_parameter": size / parameters,
        "parameters": parameters,
    }


def main() -> None:
    import torch

    from seedbed.core.machine import machine, versions

    setting = arguments()
    torch.set_num_threads(setting.threads)
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in setting.only or CONTESTANTS}
    for _ in range(setting.rounds):
        for contestant, results in rounds.items():
            results.append(measure(*CONTESTANTS[contestant], setting))
    table = [
        {"contestant": name, **{key: statistics.median(result[key] for result in results) for key in results[0]}}
        for name, results in rounds.items()
    ]
    facts = {key: value for key, value in vars(setting).items() if key not in ("only", "out")}
    facts = {"machine": machine(), "versions": versions(), **facts}
    if setting.device != "cpu":
        facts["gpu"] = torch.cuda.get_device_name()
    print(json.dumps(facts, indent=2))
    print(f"\n{'contestant':20} {'ms':>8} {'first ms':>9} {'bytes/parameter':>16}")
    for row in table:
        print(f"{row['contestant']:20} {row['ms']:8.1f} {row['first_ms']:9.1f} {row['bytes_per_parameter']:16.2f}")
    if setting.out is not None:
        setting.out.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"facts": facts, "table": table, "rounds": rounds}, indent=2)
        setting.out.write_text(text + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
