"""What methods that save memory or FLOPs have to keep: bytes and FLOPs for each, on a decoder of a given shape.

    python benchmarks/memory_accounting.py --out benchmarks/results/memory.json

Weights, gradients, optimizer states and trained weights after two steps on random tokens, as `pretrain` counts them;
activations for each token of a row. Nothing is timed, so every machine gives the same figures.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--only", nargs="*", choices=list(CONTESTANTS))
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    return parser.parse_args()


def measure(optimizer: dict[str, Any], method: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Two updates of a network under a method, and what it keeps then."""
    import torch

    from seedbed.models import backbones
    from seedbed.optim import optimizers
    from seedbed.train import interventions
    from seedbed.train.accounting import flops_per_token, memory

    network = backbones.create(
        "decoder", layers=options.layers, width=options.width, heads=options.heads, kernel="products"
    ).network(options.vocabulary, 0)
    chosen = [interventions.create(name, **settings) for name, settings in method.items()]
    for intervention in chosen:
        intervention.prepare(network, 0)
    ((name, settings),) = optimizer.items()
    update = optimizers.create(name, **settings).build(network)
    tokens_BL = torch.randint(options.vocabulary, (2, options.length), generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        network.logits(network.hidden(tokens_BL).flatten(0, 1)).float().logsumexp(-1).mean().backward()
        update.step()
        update.zero_grad()
    run: Any = SimpleNamespace(network=network, optimizer=update, device=torch.device("cpu"))
    flops = flops_per_token(network.architecture, chosen, options.length)
    return {**memory(run, options.length), "flops_per_token": flops}


def main() -> None:
    options = arguments()
    found = {name: measure(*CONTESTANTS[name], options) for name in options.only or CONTESTANTS}
    columns = list(next(iter(found.values())))
    print(f"{'':28}" + "".join(f"{column:>17}" for column in columns))
    for name, row in found.items():
        print(f"{name:28}" + "".join(f"{row[column]:>17,.0f}" for column in columns))
    if options.out:
        shape = {key: value for key, value in vars(options).items() if key not in ("out", "only")}
        options.out.write_text(json.dumps({"shape": shape, "bytes": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
