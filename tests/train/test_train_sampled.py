"""Gradients of losses with targets that the network draws itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from train_world import LENGTH, SIZE, MadeStream, assert_same_end, make_loop, make_run, train

from seedbed.models import backbones
from seedbed.objectives import objectives
from seedbed.optim import optimizers
from seedbed.train.run import Run
from seedbed.train.sampled import with_sampled_targets


def network_of(seed: int = 3) -> Any:
    decoder = backbones.create("decoder", layers=2, width=32, heads=2, max_length=64, kernel="products")
    return decoder.network(SIZE, seed, pad=0)


def test_targets_are_drawn_as_the_network_predicts() -> None:
    network = network_of()
    with torch.no_grad():
        network.final_norm.weight.mul_(6)  # far from uniform
    made = objectives.create("clm")
    batch = MadeStream(1).next(1)
    examples = made.corrupt(batch, seed=0, progress=0.5).to("cpu")
    with torch.no_grad():
        hidden = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL).flatten(0, 1)
        chances_TV = network.logits(hidden[examples.where_T]).softmax(-1)
    counts_TV = torch.zeros_like(chances_TV)
    for seed in range(3000):
        drawn = with_sampled_targets(network, examples, seed)
        counts_TV.scatter_add_(1, drawn.targets_T[:, None], torch.ones(len(counts_TV), 1))
    error = (counts_TV / 3000 - chances_TV).abs()
    assert (error < 5 * (chances_TV / 3000).sqrt() + 2e-3).all()
    again = [with_sampled_targets(network, examples, seed).targets_T for seed in (7, 7, 8)]
    assert torch.equal(again[0], again[1]) and not torch.equal(again[0], again[2])


def test_the_curvature_is_that_of_the_drawn_targets(tmp_path: Path) -> None:
    """B times the squared gradient of the mean, over micro-batches, and nothing of it in the update's gradient."""
    network = network_of()
    optimizer = optimizers.create("sophia", lr=1e-30, every=4).build(network)
    run = make_run("clm", network=network, optimizer=optimizer, steps=1, rows=6)
    make_loop(run, None, micro_tokens=2 * LENGTH).train()
    batch = MadeStream(3).next(6)
    made = objectives.create("clm")
    from seedbed.core.counters import key

    network.zero_grad()
    count, total = 0, torch.zeros(())
    for start in (0, 2, 4):
        examples = made.corrupt(batch.select(slice(start, start + 2)), seed=3, progress=0.5).to("cpu")
        drawn = with_sampled_targets(network, examples, key(3, "sampled", 0, start) >> 1)
        loss = made.loss(network, drawn)
        count, total = count + loss.count, total + loss.sum
    (total / count).backward()
    for name, parameter in network.named_parameters():
        found = optimizer.state[parameter]["curvature"]
        torch.testing.assert_close(found, 0.01 * count * parameter.grad**2, rtol=1e-3, atol=1e-9, msg=name)


def test_sophia_learns_and_resumes(tmp_path: Path) -> None:
    def go(folder: Path, steps: int = 30) -> Run:
        network = network_of()
        optimizer = optimizers.create("sophia", lr=3e-3).build(network)
        return train(folder, "clm", network=network, optimizer=optimizer, steps=steps, rows=16)

    import json

    run = go(tmp_path / "one")
    losses = [json.loads(line)["loss"] for line in (tmp_path / "one/metrics.jsonl").read_text().splitlines()]
    assert np.mean(losses[-3:]) < losses[0] - 0.3
    assert_same_end(run, go(tmp_path / "two"))
