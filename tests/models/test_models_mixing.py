"""Mixers against the formulas of their papers, token by token in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.segments import Context, pieces_of, separately
from seedbed.models.transformer import Transformer

Tensor = torch.Tensor
WIDTH = 16
CONTEXT = Context("products", causal=True)


def network(name: str, mixer: Any, **options: Any) -> Transformer:
    small = {"layers": 1, "width": WIDTH, "heads": 2, "max_length": 40, "kernel": "products", "positions": "none"}
    made = backbones.create(name, mixer=mixer, **{**small, **options}).network(30, 3, pad=0)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in made.parameters():  # so that no bias or gain is without effect
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    assert isinstance(made, Transformer)
    return made.double()


def rows(length: int, width: int = WIDTH) -> Tensor:
    return torch.randn(2, length, width, generator=torch.Generator().manual_seed(length), dtype=torch.float64)


def test_segments_become_rows_and_come_back() -> None:
    segments = torch.tensor([[0, 0, 0, 1, 2, 2, -1, -1], [0, 1, 1, 1, 1, 1, 1, 1]])
    seen = []

    def block(x: Tensor, context: Context) -> Tensor:
        assert context.valid_BL is not None
        assert not x[~context.valid_BL].any()
        seen.append(context.valid_BL.shape)
        return x.cumsum(1) + 100 * (~context.valid_BL)[:, :, None]

    x = rows(8, 3)
    context = Context("products", causal=True, segments_BL=segments, pieces=pieces_of(segments))
    found = separately(block, x, context)
    for row, (start, stop) in [(0, (0, 3)), (0, (3, 4)), (0, (4, 6)), (0, (6, 8)), (1, (0, 1)), (1, (1, 8))]:
        torch.testing.assert_close(found[row, start:stop], x[row, start:stop].cumsum(0))
    assert seen == [(2, 1), (2, 2), (1, 3), (1, 7)]  # segments of about one length together


@torch.no_grad()
@pytest.mark.parametrize("side", ["forward", "backward"])
def test_s4d_is_its_recurrence(side: str) -> None:
    module = network("encoder", {"bigs": {"states": 5}}).layers[0].mixer
    C, step, real, imaginary, skip = (
        module.get_parameter(f"{side}_{name}").numpy() for name in ("C", "log_step", "real", "imaginary", "skip")
    )
    a = np.minimum(real, -1e-4) + 1j * imaginary
    turn = np.exp(np.exp(step) * a)
    u = rows(9)
    wanted = np.zeros(u.shape)
    for row in range(2):
        state = np.zeros((WIDTH, 5), dtype=complex)
        for token in range(9) if side == "forward" else reversed(range(9)):
            state = turn * state + (turn - 1) / a * u[row, token].numpy()[:, None]
            wanted[row, token] = (state @ (C[:, 0] + 1j * C[:, 1])).real + skip * u[row, token].numpy()
    torch.testing.assert_close(module._mixed(side, u), torch.from_numpy(wanted))


@torch.no_grad()
def test_bigs_gates_and_what_it_is_without() -> None:
    for gating in (True, False):
        module = network("encoder", {"bigs": {"states": 5, "inner": 24, "gating": gating}}).layers[0].mixer
        x = rows(6)
        u = functional.gelu(x @ module.inputs.weight.T + module.inputs.bias)
        ahead, back = (
            module._mixed(side, part) for side, part in zip(("forward", "backward"), u.split(WIDTH, -1), strict=True)
        )
        ahead, back = module.forward_out(ahead), module.backward_out(back)
        inner = functional.gelu(module.combine(ahead * back if gating else ahead + back))
        inner = inner * functional.gelu(module.gate(x)) if gating else inner
        torch.testing.assert_close(module(x, CONTEXT), module.out(inner))
        assert hasattr(module, "gate") == gating


def test_transforms_and_products_are_the_same_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    from seedbed.models.sequence import convolution

    kernel, x = rows(9)[0, :, 0].requires_grad_(), rows(9).requires_grad_()
    for backward in (False, True):
        found = []
        for limit in (0, 512):
            monkeypatch.setattr(convolution, "PRODUCTS_UP_TO", limit)
            y = convolution.shared_convolution(x, kernel, backward=backward)
            found.append((y, *torch.autograd.grad(y.square().sum(), (x, kernel))))
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other)


@torch.no_grad()
@pytest.mark.parametrize("order", [2, 3])
def test_hyena_is_its_sums(order: int) -> None:
    module = network("decoder", {"hyena": {"order": order, "filter_width": 6}}).layers[0].mixer
    length, x = 7, rows(7)
    filters = module.filters(length)
    for place in (0, 3, 6):
        z = [place / 39]
        for trig, sign in ((math.cos, 1), (math.sin, -1)):
            z += [sign * trig(wave * 2 * math.pi * place / 40) for wave in (1e-4, 1.0)]
        h = torch.tensor(z, dtype=torch.float64)
        for layer in (module.filter_in, module.filter_inner, module.filter_second):
            h = torch.sin(module.filter_frequency * (layer.weight @ h + layer.bias))
        h = module.filter_out.weight @ h
        for index in (0, 5, WIDTH * (order - 1) - 1):
            rate = 1 / 1.5 + (index % WIDTH) / (WIDTH - 1) * (1 / 0.3 - 1 / 1.5)
            assert float(filters[place, index]) == pytest.approx(float(h[index]) * 0.01 ** (place / 39 * rate))
    streams = x @ module.inputs.weight.T + module.inputs.bias
    short = torch.stack(
        [
            sum(module.short_taps[:, 2 - back] * streams[:, token - back] for back in range(min(3, token + 1)))
            + module.short_bias
            for token in range(length)
        ],
        1,
    )
    *gates, v = short.split(WIDTH, -1)
    for number, gate in enumerate(reversed(gates[1:])):
        part = slice(number * WIDTH, (number + 1) * WIDTH)
        v = v * gate
        sums = [sum(filters[token - s, part] * v[:, s] for s in range(token + 1)) for token in range(length)]
        v = torch.stack(sums, 1) + module.filter_skip[part] * v
    torch.testing.assert_close(module(x, CONTEXT), module.out(v * gates[0]))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("decoder", {"mixer": "bigs"}, "mixer: is not for causal networks"),
        ("encoder", {"mixer": "hyena"}, "mixer: is not for bidirectional networks"),
        ("encoder", {"mixer": {"bigs": {"states": 0}}}, "states: must be at least 1"),
        ("encoder", {"mixer": "biggs"}, "did you mean 'bigs'"),
        ("encoder", {"mixer": ["bigs", {"hyena": {"order": 1}}]}, "order: must be at least 2"),
        ("encoder", {"mixer": "bigs", "norm": "normformer"}, "not for networks with mixers"),
        ("encoder", {"shared": True, "width_transfer": 16}, "not for networks with mixers"),
    ],
)
def test_bad_settings_are_clear(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        backbones.create(name, layers=2, width=WIDTH, heads=2, **options)


def test_an_instance_is_described_like_a_recipe() -> None:
    from seedbed.models import mixers

    by_hand = backbones.create("encoder", layers=3, width=WIDTH, heads=2, mixer=[mixers.create("bigs", states=4), None])
    given = backbones.create("encoder", layers=3, width=WIDTH, heads=2, mixer=[{"bigs": {"states": 4}}, None])
    assert by_hand.architecture(30) == given.architecture(30)
    assert by_hand.configuration == given.configuration
    wanted = {"bigs": {"inner": None, "states": 4, "gating": True}}
    assert by_hand.configuration["mixer"] == [wanted, None]
    assert [layer.mixer is None for layer in by_hand.network(30, 1).layers] == [False, True, False]


def test_shared_layers_have_norms_of_their_own() -> None:
    made = network("encoder", [None, {"bigs": {"states": 4}}], layers=4, shared=True)
    names = [name for name, _ in made.named_parameters()]
    assert {name.split(".")[2] for name in names if name.startswith("layers.2.")} == {
        "attention_norm",
        "feedforward_norm",
    }
    assert {name.split(".")[2] for name in names if name.startswith("layers.3.")} == {"attention_norm"}
    assert made.layers[2].qkv is made.layers[0].qkv and made.layers[3].mixer is made.layers[1].mixer
    apart = (
        backbones.create(
            "encoder",
            layers=4,
            width=WIDTH,
            heads=2,
            positions="none",
            kernel="products",
            mixer=[None, {"bigs": {"states": 4}}],
        )
        .network(30, 3, pad=0)
        .double()
    )
    own = dict(made.named_parameters(remove_duplicate=False))
    for name, parameter in apart.named_parameters():
        parameter.data.copy_(own[name])
    tokens = torch.arange(10)[None]
    torch.testing.assert_close(made.hidden(tokens), apart.hidden(tokens))


@torch.no_grad()
def test_the_moving_average_is_its_recurrence() -> None:
    module = network("decoder", {"megalodon": {"states": 3}}).layers[0].mixer
    kernel, x = module.kernel(9), rows(9)
    p = module.cema_alpha.sigmoid()
    angle = module.cema_theta.sigmoid()[:, None] * 2 * math.pi / 3 * torch.tensor([1, 2, 3])
    q = (1 - p * module.cema_delta.sigmoid()) * torch.exp(1j * angle)
    eta = torch.view_as_complex(module.cema_eta)
    state = torch.zeros(2, WIDTH, 3, dtype=torch.complex128)
    from seedbed.models.sequence.convolution import causal_convolution

    found = causal_convolution(x, kernel)
    for token in range(9):
        state = p * x[:, token, :, None] + q * state
        torch.testing.assert_close(found[:, token], (eta * state).sum(-1).real / math.sqrt(3))


@torch.no_grad()
@pytest.mark.parametrize("cema", [True, False])
def test_megalodon_attends_within_chunks(cema: bool) -> None:
    settings = {"chunk": 4, "states": 3, "heads": 2, "query_width": 8, "groups": 2, "cema": cema}
    module = network("decoder", {"megalodon": settings}).layers[0].mixer
    x = rows(10)
    groups = x.unflatten(-1, (2, 8))
    normed = torch.stack(
        [
            (groups[:, t] - groups[:, : t + 1].mean((1, 3))[..., None])
            / (groups[:, : t + 1].var((1, 3), correction=0)[..., None] + 1e-5).sqrt()
            for t in range(10)
        ],
        1,
    ).flatten(-2)
    normed = normed * (module.timestep_gain + 1) + module.timestep_shift
    middle = module.cema_omega * normed
    if cema:
        kernel = module.kernel(10)
        middle = middle + torch.stack([sum(kernel[t - s] * normed[:, s] for s in range(t + 1)) for t in range(10)], 1)
    middle = middle / (middle.square().mean(-1, keepdim=True) + 1e-5).sqrt() * (module.middle_gain + 1)
    z = module.shared(middle).unflatten(-1, (2, 4))
    z = (z / (z.square().mean(-1, keepdim=True) + 1e-5).sqrt()).flatten(-2)
    q, k = (z * (module.query_gain[i] + 1) / 2 + module.query_shift[i] for i in (0, 1))
    v, wanted = functional.silu(module.value(normed)), torch.zeros(2, 10, 32, dtype=torch.float64)

    def turned(part: Tensor, place: int) -> Tensor:
        angles = place / 10_000.0 ** torch.tensor([0.0, 0.5], dtype=torch.float64)
        pairs = torch.complex(part[:, :2], part[:, 2:]) * torch.exp(1j * angles)
        return torch.cat((pairs.real, pairs.imag), -1)

    for t in range(10):
        first = t // 4 * 4
        for head in range(2):
            part, values = slice(4 * head, 4 * head + 4), slice(16 * head, 16 * head + 16)
            query = turned(q[:, t, part], t - first)
            scores = [(query * turned(k[:, s, part], s - first)).sum(-1) for s in range(first, t + 1)]
            share = torch.stack(scores, -1).softmax(-1)
            wanted[:, t, values] = torch.einsum("bs,bsf->bf", share, v[:, first : t + 1, values])
    wanted = module.direct(middle) + module.out(wanted * functional.silu(module.gate(middle)))
    torch.testing.assert_close(module(x, CONTEXT), wanted, rtol=1e-5, atol=1e-6)  # rotations are in float32


@torch.no_grad()
def test_two_hops() -> None:
    made = network("decoder", "megalodon")
    layer, x = made.layers[0], rows(5)
    assert layer.attention_norm is None
    torch.testing.assert_close(layer(x, CONTEXT), x + layer.feed(layer.feedforward_norm(x + layer.mixer(x, CONTEXT))))


def test_the_delta_rule_in_chunks_is_the_recurrence() -> None:
    from seedbed.models.sequence.rwkv7 import delta_rule

    generator = torch.Generator().manual_seed(1)
    r, w, k, v, a, rate = (torch.randn(2, 37, 3, 4, generator=generator, dtype=torch.float64) for _ in range(6))
    log_w = -torch.exp(-functional.softplus(-3 * w) - 0.5)  # the strongest decay is 0.545
    a = functional.normalize(a, dim=-1)
    parts = [part.requires_grad_() for part in (r, log_w, k, v, -a, a * rate.sigmoid())]
    r, log_w, k, v, a, b = parts
    state, wanted = torch.zeros(2, 3, 4, 4, dtype=torch.float64), []
    for t in range(37):
        asked = torch.einsum("bhij,bhj->bhi", state, a[:, t])
        state = state * log_w[:, t].exp()[:, :, None, :]
        state = state + asked[..., None] * b[:, t, :, None] + v[:, t, ..., None] * k[:, t, :, None]
        wanted.append(torch.einsum("bhij,bhj->bhi", state, r[:, t]))
    slow, fast = torch.stack(wanted, 1), delta_rule(*parts)
    torch.testing.assert_close(fast, slow)
    weight = torch.randn(slow.shape, generator=generator, dtype=torch.float64)
    gradients = (torch.autograd.grad((y * weight).sum(), parts) for y in (fast, slow))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
    narrow = delta_rule(*(part.detach().float() for part in parts))
    torch.testing.assert_close(narrow.double(), slow, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_time_mixing_token_by_token() -> None:
    made = network("decoder", {"rwkv7": {"rank": 3}}, layers=2)
    x, first = rows(7), torch.zeros(0)
    context = Context("products", causal=True)
    for layer in (0, 1):
        m = made.layers[layer].mixer
        found = m(x, context)
        state = torch.zeros(2, 2, 8, 8, dtype=torch.float64)
        values = m.values(x + (torch.cat((torch.zeros(2, 1, WIDTH), x[:, :-1]), 1) - x) * m.shifts[3])
        first = values if layer == 0 else first
        for t in range(7):
            now, last = x[:, t], x[:, t - 1] if t else torch.zeros(2, WIDTH, dtype=torch.float64)
            x_r, x_w, x_k, x_v, x_a, x_g = (now + (last - now) * share for share in m.shifts)
            r, k, v = m.receptance(x_r), m.key(x_k), m.values(x_v)
            if layer:
                v = v + (first[:, t] - v) * torch.sigmoid(m.value_base + m.value_up(m.value_down(x_v)))
            a = torch.sigmoid(m.rate_base + m.rate_up(m.rate_down(x_a)))
            w = -functional.softplus(-(m.decay_base + m.decay_up(torch.tanh(m.decay_down(x_w))))) - 0.5
            g = m.gate_up(torch.sigmoid(m.gate_down(x_g)))
            kk = functional.normalize((k * m.key_norming).view(2, 2, 8), dim=-1)
            k = k * (1 + (a - 1) * m.key_rate)
            r, k, v, a, w = (part.view(2, 2, 8) for part in (r, k, v, a, torch.exp(-torch.exp(w))))
            asked = -torch.einsum("bhij,bhj->bhi", state, kk)
            state = state * w[:, :, None] + asked[..., None] * (kk * a)[:, :, None] + v[..., None] * k[:, :, None]
            y = torch.einsum("bhij,bhj->bhi", state, r)
            y = functional.group_norm(y.reshape(2, WIDTH), 2, m.heads_gain, m.heads_shift, eps=64e-5)
            y = y + ((r * k * m.bonus.view(2, 8)).sum(-1, keepdim=True) * v).reshape(2, WIDTH)
            torch.testing.assert_close(found[:, t], m.out(y * g))


@torch.no_grad()
def test_channel_mixing() -> None:
    made = network("decoder", "rwkv7", feed={"rwkv7": {"inner": 24}})
    m, x = made.layers[0].feedforward, rows(4)
    for t in range(4):
        before = x[:, t - 1] if t else torch.zeros(2, WIDTH, dtype=torch.float64)
        key = m.key.weight @ (x[:, t] * (1 - m.shifts) + before * m.shifts).T
        torch.testing.assert_close(m(x, CONTEXT)[:, t], (m.out.weight @ key.clamp(min=0) ** 2).T)


def test_orthogonal_first_values() -> None:
    from seedbed.models import mixers

    block = mixers.create("rwkv7", rank=4)
    up = block.initial(
        "gate_up.weight", network("decoder", "rwkv7").architecture, 0, np.random.Generator(np.random.Philox(1))
    )
    np.testing.assert_allclose(up.T @ up, 0.01 * np.eye(4), atol=1e-12)


def test_the_selective_state_space_is_its_recurrence(monkeypatch: pytest.MonkeyPatch) -> None:
    from seedbed.models.sequence import implicit

    monkeypatch.setattr(implicit, "SELECTIVE_CHUNK", 4)
    generator = torch.Generator().manual_seed(1)
    x, B, C = (torch.randn(2, 11, *size, generator=generator, dtype=torch.float64) for size in ((3, 4), (5,), (5,)))
    log_decay = -torch.rand(2, 11, 3, generator=generator, dtype=torch.float64) * 3
    found = implicit.selective(x, log_decay, B, C)
    state = torch.zeros(2, 3, 4, 5, dtype=torch.float64)
    for t in range(11):
        state = log_decay[:, t].exp()[..., None, None] * state + x[:, t, ..., None] * B[:, t, None, None]
        torch.testing.assert_close(found[:, t], torch.einsum("bhen,bn->bhe", state, C[:, t]))


def test_the_fixed_point_is_one_and_its_gradient_is_near() -> None:
    settings = {"states": 3, "steps": 200, "test_steps": 200, "unrolled": 60, "tolerance": 1e-12}
    module = network("decoder", {"implicit": settings}).layers[0].mixer
    with torch.no_grad():
        module.inputs.weight.mul_(0.1)  # a contraction
        module.out.weight.mul_(3.0)
    x = rows(6).requires_grad_()
    z = module(x, CONTEXT)
    torch.testing.assert_close(z, module.step(z, module.injection(x)))
    (found,) = torch.autograd.grad(z[0, 4].square().sum(), x)
    move = rows(6).flip(2)
    with torch.no_grad():
        ahead, back = (module(x + sign * 1e-5 * move, CONTEXT)[0, 4].square().sum() for sign in (1, -1))
    torch.testing.assert_close((found * move).sum(), (ahead - back) / 2e-5, rtol=1e-5, atol=1e-8)


@torch.no_grad()
def test_rows_stop_by_themselves() -> None:
    module = network("decoder", {"implicit": {"states": 3, "tolerance": 0.2, "test_steps": 50}}).layers[0].mixer
    x = rows(6)
    x[1] *= 30
    steps = []
    apart = [module(x[row : row + 1], CONTEXT) for row in (0, 1)]
    for row in (0, 1):
        z, injected, count = torch.zeros(1, 6, WIDTH, dtype=torch.float64), module.injection(x[row : row + 1]), 0
        while True:
            after = torch.lerp(z, module.step(z, injected), 0.8)
            done, z, count = (after - z).norm() <= 0.2 * z.norm(), after, count + 1
            if done:
                break
        steps.append(count)
    assert min(steps) > 1 and max(steps) < 50
    torch.testing.assert_close(module(x, CONTEXT), torch.cat(apart))


def test_losses_of_blocks_reach_the_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    from seedbed.models.stack import Layer
    from seedbed.objectives.base import Examples
    from seedbed.objectives.prediction import TokenPrediction

    made = network("decoder", None, layers=2)
    plain, feed = Layer.transform, torch.tensor([1.0, 10.0], dtype=torch.float64, requires_grad=True)

    def transform(self: Layer, x: Tensor, context: Context) -> Tensor:
        context.add_loss("balance", feed)
        return plain(self, x, context)

    tokens = torch.arange(12).view(2, 6)
    where = torch.tensor([0, 1, 2, 9])  # three targets in the first row
    zeros = torch.zeros(2, 6, dtype=torch.int64)
    examples = Examples(tokens, zeros, None, where, tokens.flatten()[where])
    bare = TokenPrediction().loss(made, examples)
    monkeypatch.setattr(Layer, "transform", transform)
    loss = TokenPrediction().loss(made, examples)
    assert float((loss.sum - bare.sum).detach()) == pytest.approx(2 * (3 * 1.0 + 1 * 10.0))
    assert float(loss.sums["balance"]) == pytest.approx(26.0) and loss.count == 4
    (gradient,) = torch.autograd.grad(loss.sum, feed)
    assert gradient.tolist() == [6.0, 2.0] and not made.auxiliary()
