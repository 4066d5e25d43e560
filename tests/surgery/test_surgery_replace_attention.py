"""A trained decoder's attention, replaced by another mixer in two stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_world import corpus_and_vocabulary

from seedbed.core.errors import InputError
from seedbed.data.batch import Batch
from seedbed.models import backbones, mixers
from seedbed.models.transformer import Transformer
from seedbed.recipe.execute import Workspace, run_plan
from seedbed.recipe.plan import make_plan
from seedbed.recipe.recipe import Recipe
from seedbed.surgery.distilling import Teaching
from seedbed.surgery.replace_attention import with_mixer

RWKV = {"rwkv7": {"rank": 4}}


def taught() -> tuple[Teaching, Batch]:
    teacher = backbones.create("decoder", layers=2, width=16, heads=2, kernel="products").network(40, 3)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(3.0)  # so that attention is no mean
    student = Transformer(with_mixer(teacher.architecture, mixers.create("rwkv7", rank=4)), seed=4, kernel="products")
    tokens = np.arange(36).reshape(3, 12) % 40
    segments = np.array([[0] * 12, [0] * 5 + [1] * 7, [0] * 8 + [-1] * 4])
    positions = np.array([[*range(12)], [*range(5), *range(7)], [*range(8), *range(4)]])
    return Teaching(teacher, student), Batch(
        tokens, segments, positions, np.arange(3), np.zeros((0, 6), int), ("made",)
    )


def test_what_is_matched_and_what_diverges() -> None:
    teaching, batch = taught()
    given = teaching._moved(batch)
    teacher, student, real = teaching.teacher, teaching.student, given[1] >= 0
    for name, parameter in teacher.named_parameters():
        if "qkv" not in name and "attention_out" not in name:
            assert torch.equal(parameter, dict(student.named_parameters())[name])
    with torch.no_grad():
        context = student.context(given[1], given[2], None, "products")
        layer = student.layers[0]
        x = teacher.embedding(given[0])
        normed = layer.attention_norm(x)
        # what attention gives is the layer's output without its feedforward
        quiet = dict(teacher.named_parameters())["layers.0.feedforward_out.weight"]
        kept, _ = quiet.clone(), quiet.zero_()
        wanted = _first_layer(teacher, given) - x
        quiet.copy_(kept)
        missed = (layer.mix(normed, context) - wanted)[real]
        relative = missed.square().sum() / wanted[real].square().sum()
        torch.testing.assert_close(teaching.errors(*given)[0], relative)
        p, q = (network.logits(network.hidden(*given)[real]).softmax(-1) for network in (teacher, student))
        wanted_kl = (p * (p / q).log()).sum(-1).mean()
        torch.testing.assert_close(teaching.divergence(*given), wanted_kl)


def _first_layer(teacher: Any, given: Any) -> torch.Tensor:
    heard = []
    handle = teacher.layers[0].register_forward_hook(lambda module, inputs, output: heard.append(output))
    teacher.hidden(*given)
    handle.remove()
    return torch.as_tensor(heard[0])


def test_both_stages_learn() -> None:
    teaching, batch = taught()
    before = [float(error.detach()) for error in teaching.errors(*teaching._moved(batch))]
    fixed = teaching.student.layers[0].feedforward_in.weight.clone()
    after = teaching.match(iter([batch] * 60), 60, 1e-2, lambda line: None)
    assert all(late < 0.7 * early for early, late in zip(before, after, strict=True))
    assert torch.equal(teaching.student.layers[0].feedforward_in.weight, fixed)
    first, last = teaching.distill(iter([batch] * 40), 40, 3e-3, lambda line: None)
    assert last < 0.5 * first
    assert teaching.distill(iter([]), 0, 1e-3, lambda line: None) == []


def test_networks_and_mixers_that_do_not_fit() -> None:
    decoder = backbones.create("decoder", layers=1, width=16, heads=2)
    encoder = backbones.create("encoder", layers=1, width=16, heads=2)
    with pytest.raises(InputError, match="must be a causal network"):
        with_mixer(encoder.architecture(40), mixers.create("rwkv7"))
    with pytest.raises(InputError, match="in the place of attention alone"):
        with_mixer(decoder.architecture(40), mixers.create("megalodon"))


def test_in_a_recipe(tmp_path: Path) -> None:
    training = {"data": {"corpus": 1.0}, "length": 32, "batch_tokens": 256}
    model = {"decoder": {"layers": 1, "width": 16, "heads": 2, "kernel": "products"}}
    steps = {
        **corpus_and_vocabulary(tmp_path),
        "teacher": {
            "pretrain": {"model": model, "tokenizer": "vocabulary", "budget": "3 steps", "objective": "clm", **training}
        },
        "student": {
            "replace_attention": {
                "model": "teacher",
                "mixer": RWKV,
                "matching_steps": 3,
                "distilling_steps": 2,
                **training,
            }
        },
    }
    made = run_plan(
        make_plan(Recipe("world", steps, seed=3), Workspace(tmp_path / "runs").store), say=lambda line: None
    )
    student = made["student"]
    assert student.network().architecture.mixers == (RWKV,)
    assert len(student.counts["matching_error"]) == 1 and len(student.counts["divergence"]) == 2
    assert student.counts["tokens"] > 5 * 100 and student.counts["flops"] > 0
