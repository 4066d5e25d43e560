"""What methods that save memory or FLOPs have to keep: bytes and FLOPs for each, on a decoder of a given shape.

    python benchmarks/memory_accounting.py --out benchmarks/results/memory.json

Weights, gradients, optimizer states and trained weights after two steps on random tokens, as `pretrain` counts them;
activations for each token of a row. Nothing is timed, so every machine gives the same figures.
"""

from __future__ import annotations

import argparse
import json
from types import SimpleNamespace
from typing import Any

import options

CONTESTANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dense, adamw": ({"adamw": {}}, {}),
    "dense, adamw (int8 state)": ({"adamw": {"state": "int8"}}, {}),
    "dense, galore": ({"galore": {"rank": 96}}, {}),
    "static_sparsity 75%": ({"adamw": {}}, {"static_sparsity": {"sparsity": 0.75}}),
    "nm_sparsity 2:4": ({"adamw": {}}, {"nm_sparsity": {"rank": 0}}),
    "low_rank": ({"adamw": {}}, {"low_rank": {"rank": 96}}),
    "relora": ({"adamw": {}}, {"relora": {"rank": 96}}),
    "int8_flow": ({"adamw": {}}, {"int8_flow": {}}),
}


def arguments() -> argparse.Namespace:
    parser = options.parser(__doc__, CONTESTANTS)
    parser.add_argument("--length", type=int, default=128)
    return parser.parse_args()


def measure(optimizer: dict[str, Any], method: dict[str, Any], setting: argparse.Namespace) -> dict[str, Any]:
    """Two updates of a network under a method, and what it keeps then."""
    import torch

    from seedbed.models import backbones
    from seedbed.optim import optimizers
    from seedbed.train import interventions
    from seedbed.train.accounting import flops_per_token, memory

    network = backbones.create(
        "decoder", layers=setting.layers, width=setting.width, heads=setting.heads, kernel="products"
    ).network(setting.vocabulary, 0)
    chosen = [interventions.create(name, **settings) for name, settings in method.items()]
    for intervention in chosen:
        intervention.prepare(network, 0)
    ((name, settings),) = optimizer.items()
    update = optimizers.create(name, **settings).build(network)
    tokens_BL = torch.randint(setting.vocabulary, (2, setting.length), generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        network.logits(network.hidden(tokens_BL).flatten(0, 1)).float().logsumexp(-1).mean().backward()
        update.step()
        update.zero_grad()
    run: Any = SimpleNamespace(network=network, optimizer=update, device=torch.device("cpu"))
    flops = flops_per_token(network.architecture, chosen, setting.length)
    return {**memory(run, setting.length), "flops_per_token": flops}


def main() -> None:
    setting = arguments()
    found = {name: measure(*CONTESTANTS[name], setting) for name in setting.only or CONTESTANTS}
    columns = list(next(iter(found.values())))
    print(f"{'':28}" + "".join(f"{column:>17}" for column in columns))
    for name, row in found.items():
        print(f"{name:28}" + "".join(f"{row[column]:>17,.0f}" for column in columns))
    if setting.out:
        shape = {key: value for key, value in vars(setting).items() if key not in ("out", "only")}
        setting.out.write_text(json.dumps({"shape": shape, "bytes": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
