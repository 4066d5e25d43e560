"""Where the time of a training step goes, by kind of operation: masked language modeling by seedbed, profiled.

    python benchmarks/where_time_goes.py --threads 1 --out benchmarks/results/where-time-goes.json

A few steps of a real run (`seedbed.pretrain`) under torch's profiler. Each operation's own time goes to the first kind
whose pattern is found in its path, which is the names of the calls around it and its own. What lies between the
operations is Python, the drawing and masking of batches, and the profiler itself. Products are also held against the
machine's best rate of one.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import contestants
import mlm_training
import race

from seedbed.train import Intervention, interventions

_PRODUCT = r"aten::(mm|addmm|linear|matmul|bmm|baddbmm)\b"
KINDS = {
    "optimizer": r"Optimizer\.",
    "attention: torch's own (products, softmax)": r"scaled_dot_product|_flash_attention",
    "attention: products": rf"_Products.*{_PRODUCT}",
    "attention: softmax, mask": r"_Products",
    "attention: heads, rotary positions": r"_SplitHeads",
    "output layer: products": rf"_LinearCrossEntropy.*{_PRODUCT}",
    "output layer: softmax, loss": r"_LinearCrossEntropy",
    "linear layers: products": r"(?i)aten::(mm|addmm)$",
    "GELU and gates": r"(?i)_Gated|_SquaredRelu|gelu",
    "norms": r"(?i)layer_?norm|_RootMeanSquareNorm",
    "embedding": r"(?i)embedding",
    "gradients: norm, clipping, clearing": r"(?i)aten::(_foreach|zero_|fill_|linalg_vector_norm|norm)",
    "sums, copies and the rest": r"",
}


class Done(Exception):
    """Enough steps were seen."""


@interventions.register("profiled")
class Profiled(Intervention):
    """Profiles the steps after the first few, whole, and then ends the run."""

    def __init__(self, warmup: int = 3, steps: int = 5) -> None:
        import torch

        self.first, self.last = warmup, warmup + steps
        self.profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
        self.started = self.seconds = 0.0
        self.targets = 0

    def before_step(self, run: Any) -> None:
        if run.step == self.last:
            self.seconds = time.perf_counter() - self.started
            self.profile.stop()
            self.targets = run.targets - self.targets
            raise Done
        if run.step == self.first:
            self.targets = run.targets
            self.profile.start()
            self.started = time.perf_counter()

    def by_kind(self) -> dict[str, float]:
        """Seconds of each kind of operation, and of what is none."""
        found = dict.fromkeys(KINDS, 0.0)
        for event in self.profile.events():  # type: ignore[no-untyped-call]
            path = _path(event)
            kind = next(kind for kind, pattern in KINDS.items() if re.search(pattern, path))
            found[kind] += event.self_cpu_time_total / 1e6
        found["between operations: Python, data"] = self.seconds - sum(found.values())
        return found


def _path(event: Any) -> str:
    names: list[str] = []
    while event is not None:
        names.append(event.name)
        event = event.cpu_parent
    return " ".join(reversed(names))


def main() -> None:
    from seedbed.models import backbones

    parser = race.setting(__doc__ or "", length=128)
    parser.set_defaults(threads=1)
    parser.add_argument("--model", choices=["encoder", "bert"], default="encoder", help="its own plain one, or BERT")
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    os.environ["SEEDBED_CORES"] = str(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        specification = race.prepare(options, "encoder", "wordpiece", Path(folder))
        best = race.peak(specification)
        plain = {"encoder": mlm_training.shape(specification)}
        ((name, model),) = (mlm_training.bert(specification) if options.model == "bert" else plain).items()
        profiled = Profiled(steps=options.steps)
        with contestants.working({**specification, "seed": 0}) as pretrain, suppress(Done):
            pretrain(
                model={name: model},
                objective=mlm_training.OBJECTIVE,
                budget="1000 steps",
                interventions=[profiled],
            )
        facts = race.facts_of(specification, peak=best)
    seconds = profiled.by_kind()
    tokens = options.steps * options.rows * options.length
    share = profiled.targets / tokens
    flops = tokens * backbones.create(name, **model).flops_per_token(options.vocabulary, options.length, targets=share)
    products = sum(value for kind, value in seconds.items() if "products" in kind)
    rate = flops / products / 1e9
    print(json.dumps(facts, indent=2))
    speed = tokens / profiled.seconds
    print(f"\n{speed:,.0f} tokens/s under the profiler; a step {profiled.seconds / options.steps:.2f} s")
    table = [
        {"kind": kind, "ms": 1e3 * value / options.steps, "share": value / profiled.seconds}
        for kind, value in sorted(seconds.items(), key=lambda pair: -pair[1])
    ]
    for row in table:
        print(f"{row['kind']:43} {row['ms']:9.1f} ms {row['share']:6.1%}")
    print(f"products: {rate:.0f} GFLOP/s, {rate / best['gflops']:.0%} of the best {best['arithmetic']} product")
    race.keep(options.out, facts, table, {"products_gflops": rate, "tokens_per_second": speed})


if __name__ == "__main__":
    main()
