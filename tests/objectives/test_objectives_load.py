"""What objectives give a network to read, counted before and after, against the products that torch counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

from seedbed.models import backbones
from seedbed.objectives import objectives
from seedbed.objectives.load import Load
from seedbed.train.accounting import flops_per_token
from seedbed.train.probe import _random_batch, _stand_in_vocabulary, expected_load

SIZE, LENGTH, ROWS = 300, 64, 8
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "bidirectional": ("encoder", {}),
    "causal": ("decoder", {}),
    "prefix": ("decoder", {"attention": "prefix"}),
    "encoder-decoder": ("encoder_decoder", {"decoder_layers": 1}),
}
PAIRS = {"network": "encoder-decoder"}
PARTS = {"a": {"span_corruption": PAIRS}, "b": {"prefix_lm": {**PAIRS, "share": 0.1}}}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "spans": ("span_corruption", {}),
    "spans as a prefix": ("span_corruption", {"network": "prefix"}),
    "prefix": ("prefix_lm", {}),
    "prefix, encoded": ("prefix_lm", PAIRS),
    "ul2": ("ul2", {}),
    "bart": ("infilling", {}),
    "pegasus": ("gap_sentences", {}),
    "glm": ("blank_infilling", {}),
    "unrolled": ("unrolled_denoising", {}),
    "translation": ("denoising_autoencoding", {"write": "translation"}),
    "languages": ("denoising_autoencoding", {"languages": {"here": "[h]", "there": "[t]"}}),
    "mixture": ("mixture", {"parts": PARTS, "weights": {"a": 3.0}}),
    "masked": ("mlm", {"rate": 0.5}),
    "causal": ("clm", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_flops_are_those_of_the_products(case: str) -> None:
    name, settings = CASES[case]
    objective = objectives.create(name, **settings)
    load = expected_load(objective, size=SIZE, rows=ROWS, length=LENGTH)
    objective.bind(_stand_in_vocabulary(SIZE, objective.wanted_tokens()))
    backbone, more = NETWORKS[objective.attention]
    sizes = {"layers": 2, "width": 64, "heads": 2, "max_length": 2 * LENGTH, "kernel": "products"}
    network = backbones.create(backbone, **sizes, **more).network(SIZE, 1, pad=0)
    objective.prepare(network, 0)
    batch = _random_batch(ROWS, LENGTH, SIZE, objective.wanted_sources() or ["one", "two"])
    examples = objective.corrupt(batch, seed=5, progress=0.3)
    counted = Load.of(part for _, part in examples.passes(batch))
    with FlopCounterMode(display=False) as counter:
        objective.loss(network, examples.to("cpu")).sum.backward()
    measured = counter.get_total_flops() / batch.tokens_BL.size
    given = network.architecture, [], LENGTH, counted.targets / batch.tokens_BL.size, objective
    after = flops_per_token(*given, counted.over(batch.tokens_BL.size) if objective.reshapes else None)
    assert measured == pytest.approx(after, rel=0.03)
    assert (load is None) == (case in ("masked", "causal"))
    if load is not None:
        before = flops_per_token(network.architecture, [], LENGTH, load.targets, objective, load)
        assert measured == pytest.approx(before, rel=0.15), "of another draw"


def test_loads_add_up() -> None:
    one, two = Load(10, 100, 4, 3), Load(2, 4, 0, 1)
    assert one + two == Load(12, 104, 4, 4) and (one + two).over(4) == Load(3, 26, 1, 1)
    architecture: Any = backbones.create("decoder", layers=1, width=16, heads=2).architecture(50)
    clm = objectives.create("clm")
    assert Load().flops(architecture, clm) == 0
    assert one.flops(architecture, clm) == pytest.approx(10 * architecture.flops_per_token(10, 0.3))


def test_a_mixture_reads_what_its_parts_read() -> None:
    alone = expected_load(objectives.create("span_corruption"), size=SIZE, rows=ROWS, length=LENGTH)
    only = {"parts": {"a": "span_corruption"}}
    mixed = expected_load(objectives.create("mixture", **only), size=SIZE, rows=ROWS, length=LENGTH)
    assert alone is not None and mixed is not None
    np.testing.assert_allclose([mixed.read, mixed.written], [alone.read, alone.written], rtol=0.1)
