"""Masked language modeling through a decoder: the definition, target by target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import resumed_equals_whole
from train_world import SIZE, MadeStream, batch_of, make_run, vocabulary

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.objectives import objectives

MASK = 4
BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True}
SIZES = {"layers": 1, "width": 16, "heads": 2, "max_length": 16, "kernel": "products"}


def refined(network: Any = None, **parameters: Any) -> Any:
    objective = objectives.create("refined_mlm", **parameters)
    objective.bind(vocabulary())
    if network is not None:
        objective.prepare(network, 5)
        shake(network)
    return objective


def encoder(**settings: Any) -> Any:
    return backbones.create("encoder", **{**SIZES, **settings}).network(SIZE, 3, pad=0)


@torch.no_grad()
def shake(network: Any) -> None:
    drawn = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=drawn) * 0.3)


def turned(x_HE: torch.Tensor, place: int, theta: float = 10_000.0) -> torch.Tensor:
    """Rotary positions, pair by pair."""
    half = x_HE.shape[1] // 2
    angle = place * theta ** (-torch.arange(half, dtype=torch.float64) / half)
    a, b = x_HE[:, :half], x_HE[:, half:]
    return torch.cat((a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()), 1)


def decoded_by_hand(decoder: Any, states_LD: torch.Tensor, seen: list[torch.Tensor], post: bool) -> torch.Tensor:
    """Token by token, in float64; `seen` says for each layer who sees whom (L, L)."""
    length, heads = len(states_LD), 2
    x = states_LD if decoder.position_embedding is None else states_LD + decoder.position_embedding.weight[:length]
    for layer, seen_LL in zip(decoder.layers, seen, strict=True):
        memory = x if decoder.position_embedding is None else states_LD
        queries, keys = (x, memory) if post else (layer.attention_norm(x), layer.attention_norm(memory))
        q = layer.query(queries).view(length, heads, -1)
        k, v = layer.memory(keys).view(length, 2, heads, -1).unbind(1)
        if not post:
            q, k = (torch.stack([turned(y[place], place) for place in range(length)]) for y in (q, k))
        out = torch.zeros_like(x)
        for token in range(length):
            others = seen_LL[token].nonzero().flatten()
            scores = torch.einsum("he,ohe->ho", q[token], k[others]) / q.shape[-1] ** 0.5
            out[token] = layer.attention_out(torch.einsum("ho,ohe->he", scores.softmax(-1), v[others]).flatten())
        x = layer.attention_norm(x + out) if post else x + out
        inner = layer.feedforward_in(x if post else layer.feedforward_norm(x))
        if post:
            x = layer.feedforward_norm(x + layer.feedforward_out(torch.nn.functional.gelu(inner)))
        else:
            a, b = inner.chunk(2, -1)
            x = x + layer.feedforward_out(torch.nn.functional.gelu(a) * b)
    return x if post else decoder.final_norm(x)


@pytest.mark.parametrize("post", [True, False])
@pytest.mark.parametrize(
    "settings",
    [{"layers": 1}, {"layers": 2, "enhanced": True}, {"layers": 3, "gradual": True, "mix": 0.4}],
    ids=["layers", "enhanced", "gradual, mixed"],
)
def test_loss_equals_a_slow_formula(settings: dict[str, Any], post: bool) -> None:
    network = encoder(**(BERT if post else {})).double()
    objective = refined(network, rate=0.4, **settings)
    network.double()
    batch = MadeStream(7).next(3)
    examples = objective.corrupt(batch, seed=0, progress=0.5).to("cpu")
    expected = 0.0
    with torch.no_grad():
        states = network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)
        for target, (where, wanted) in enumerate(zip(examples.where_T.tolist(), examples.targets_T, strict=True)):
            row, column = divmod(where, states.shape[1])
            own = (examples.segments_BL[row] == examples.segments_BL[row, column]).nonzero().flatten()
            seen = []
            for index in range(settings["layers"]):
                shown = torch.ones(len(own), dtype=torch.bool)
                if objective.gradual:
                    shown = examples.shown_from_BL[row, own] <= index
                seen.append(shown[None, :] | torch.eye(len(own), dtype=torch.bool))
            read = states[row, column]
            if not examples.direct_T[target]:
                place = int(column - own[0])
                read = decoded_by_hand(network.extra["refining_decoder"], states[row, own], seen, post)[place]
            expected -= float(network.logits(read[None]).log_softmax(-1)[0, wanted])
    loss = objective.loss(network, examples)
    assert float(loss.sum.detach()) == pytest.approx(expected, rel=1e-6)
    assert loss.count == len(examples.where_T)


def test_hidden_tokens_appear_layer_by_layer() -> None:
    objective = refined(rate=0.5, layers=4, gradual=True, mix=0.25)
    batch = batch_of([[[2, *range(5, 60), 3]]] * 300, 57)
    examples = objective.corrupt(batch, seed=1, progress=0.5)
    masked_BL = examples.tokens_BL == MASK
    assert not examples.shown_from_BL[~masked_BL].any(), "what is no mask token is seen from the first layer on"
    shares = np.bincount(examples.shown_from_BL[masked_BL], minlength=4) / masked_BL.sum()
    assert np.abs(shares - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / masked_BL.sum())
    assert abs(examples.direct_T.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / len(examples.direct_T))
    chosen = objective.masking.corrupt(batch, seed=1, progress=0.5)
    assert np.array_equal(examples.where_T, chosen.where_T) and np.array_equal(examples.tokens_BL, chosen.tokens_BL)


def test_the_saved_model_is_the_encoder_alone(tmp_path: Path) -> None:
    network = encoder(**BERT)
    objective = refined(network, gradual=True, enhanced=True)
    tokens = torch.randint(5, SIZE, (2, 9), generator=torch.Generator().manual_seed(1))
    before = network.logits(network.hidden(tokens)).detach()
    objective.export(network)
    network.save(tmp_path)
    assert Model.open(tmp_path).configuration["model_type"] == "bert"
    torch.testing.assert_close(Model.open(tmp_path).network().logits(network.hidden(tokens)).detach(), before)


def test_flops_are_those_of_the_products() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    network = encoder()
    objective = refined(network, rate=0.5, layers=2)
    examples = objective.corrupt(batch_of([[list(range(5, 21))]] * 4), seed=0, progress=0.5).to("cpu")
    with FlopCounterMode(display=False) as counter:
        objective.loss(network, examples).sum.backward()
    share = examples.num_targets / 64
    # the loss computes its logits a second time for the gradient
    logits = 2 * examples.num_targets * SIZE * network.width
    estimate = objective.flops_per_token(network.architecture, 16, share) * 64
    assert estimate <= counter.get_total_flops() * 1.01
    assert counter.get_total_flops() <= (estimate + 2 * logits) * 1.01


def test_resumed_equals_whole(tmp_path: Path) -> None:
    settings = {"gradual": True, "enhanced": True, "mix": 0.3}
    resumed_equals_whole(tmp_path, lambda: {"objective": objectives.create("refined_mlm", **settings), "steps": 6}, 5)


def test_bad_settings_are_clear() -> None:
    with pytest.raises(InputError, match="layers: must be at least 1"):
        objectives.create("refined_mlm", layers=0)
    with pytest.raises(InputError, match="leaves nothing to the decoder"):
        objectives.create("refined_mlm", mix=1.0)
    run = make_run("refined_mlm")
    examples = run.objective.corrupt(MadeStream(0).next(2), seed=0, progress=0.5).to("cpu")
    examples.added_TK = examples.where_T[:, None]
    with pytest.raises(InputError, match="add to the encoder's states"):
        run.objective.loss(run.network, examples)
