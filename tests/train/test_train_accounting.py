"""FLOPs and bytes: against published figures, formulas written out, and counts made by hand."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from train_world import LENGTH, SIZE, make_run, train

from seedbed.models.architecture import Architecture
from seedbed.train import accounting, interventions, report

XL = {"layers": 24, "width": 2048, "heads": 16, "kv_heads": 16, "head_width": 128, "feedforward": 8192}


def test_the_published_saving_of_sparse_pretraining() -> None:
    """SPDF's abstract: 75% sparsity of GPT-3 XL (1.3B, rows of 2,048) is 2.5 times fewer FLOPs."""
    network = Architecture(vocabulary_size=50257, attention="causal", max_length=2048, gated=False, **XL)
    assert network.num_parameters() == pytest.approx(1.3e9, rel=0.02)
    sparse = [interventions.create("static_sparsity", sparsity=0.75)]
    dense, less = (accounting.flops_per_token(network, chosen, 2048) for chosen in ([], sparse))
    assert dense / less == pytest.approx(2.5, abs=0.02)
    by_hand = 6 * (0.25 * 24 * 12 * 2048**2 + 50257 * 2048) + 12 * 24 * 2048 * 2048
    assert less == pytest.approx(by_hand, rel=1e-12)


def test_bytes_of_a_dense_run() -> None:
    run = train(None, "clm", steps=2)
    number = sum(p.numel() for p in run.network.parameters())
    counts = accounting.memory(run, LENGTH)
    assert counts["weights"] == counts["gradients"] == 4 * number
    assert counts["trained_weights"] == number
    scalars = sum(4 for _ in run.network.parameters())  # each has a counter of its steps
    assert counts["optimizer"] == 8 * number + scalars


def test_bytes_of_a_sparse_run() -> None:
    run = train(None, "clm", steps=2, interventions=[interventions.create("static_sparsity", sparsity=0.5)])
    masked = sum(p.numel() for n, p in run.network.named_parameters() if n.startswith("layers.") and p.ndim == 2)
    number = sum(p.numel() for p in run.network.parameters())
    counts = accounting.memory(run, LENGTH)
    assert counts["weights"] == 4 * (number - masked / 2) + masked / 8
    assert counts["gradients"] == 4 * (number - masked / 2)
    assert counts["optimizer"] == pytest.approx(8 * (number - masked / 2), rel=1e-3)


def test_what_is_kept_for_the_backward_pass() -> None:
    """Two products and a ReLU, where it is known: the inputs of both, and one value for each inner unit."""

    class Net(torch.nn.Module):
        vocabulary_size = SIZE

        def __init__(self) -> None:
            super().__init__()
            self.table, self.one, self.two = torch.nn.Embedding(SIZE, 4), torch.nn.Linear(4, 6), torch.nn.Linear(6, 4)

        def hidden(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.two(torch.relu(self.one(self.table(tokens))))

    tokens, inputs, inner = 8 * 10, 4 * 4 * 10, 4 * 6 * 10
    assert accounting.saved_bytes(Net(), 10, torch.device("cpu")) == tokens + inputs + inner
    assert accounting.saved_bytes(make_run("clm").network, 16, torch.device("cpu")) > 0


@pytest.mark.parametrize("objective", ["span_corruption", "prefix_lm", "ul2", "unrolled_denoising", "clm"])
def test_flops_of_a_run_are_those_of_what_its_network_read(objective: str) -> None:
    with FlopCounterMode(display=False) as counter:
        run = train(None, objective, steps=3, rows=6, micro_tokens=2 * LENGTH)
    assert report._flops(run) == pytest.approx(counter.get_total_flops(), rel=0.03)
    assert ("read_positions" in run.counts) == (objective != "clm")
