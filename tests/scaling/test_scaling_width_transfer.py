"""Width transfer: sizes of activations do not depend on the width, and folders compute the same by transformers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.huggingface import write_network
from seedbed.models.transformer import Transformer
from seedbed.optim import optimizers
from seedbed.optim.scales import scale_rates

VOCABULARY, BASE = 64, 64


def network(name: str, width: int, transfer: int | None = BASE, **options: Any) -> Transformer:
    """Two heads at every width, so that their width grows."""
    settings = {"layers": 2, "heads": 2, "max_length": 32, "kernel": "products", **options}
    made: Transformer = backbones.create(name, width=width, width_transfer=transfer, **settings).network(VOCABULARY, 3)
    return made


def tokens(rows: int = 8, length: int = 32) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(1))


def activations(made: Transformer, tokens_BL: torch.Tensor) -> dict[str, torch.Tensor]:
    """What every projection and layer gives, and the logits."""
    found: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Any:
        return lambda module, given, out: found.__setitem__(name, out)

    with torch.no_grad():
        hooks = [
            module.register_forward_hook(keep(f"{index}.{part}"))
            for index, layer in enumerate(made.layers)
            for part, module in (("layer", layer), ("qkv", layer.qkv), ("feedforward_in", layer.feedforward_in))
        ]
        found["logits"] = made.logits(made.hidden(tokens_BL).flatten(0, 1))
        for hook in hooks:
            hook.remove()
    return found


def change(name: str, width: int, transfer: int | None) -> dict[str, float]:
    """By how much four steps of AdamW change each activation, in the mean over its elements."""
    made, tokens_BL = network(name, width, transfer), tokens()
    targets = ((tokens_BL * 7 + 3) % VOCABULARY).flatten()
    before = activations(made, tokens_BL)
    optimizer = scale_rates(optimizers.create("adamw", lr=0.02, weight_decay=0.0).build(made), made)
    for _ in range(4):
        loss = functional.cross_entropy(made.logits(made.hidden(tokens_BL).flatten(0, 1)), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = activations(made, tokens_BL)
    return {part: float((after[part] - before[part]).abs().mean()) for part in before}


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_coordinate_check(name: str) -> None:
    """Yang et al. (2022), appendix D.1: with width transfer the change does not grow with the width; without it does.
    (At first logits shrink with it, by the part that comes from the initial weights.)"""
    widths = (64, 256)
    for transfer in (BASE, None):
        changes = [change(name, width, transfer) for width in widths]
        slopes = {
            part: math.log(changes[-1][part] / changes[0][part]) / math.log(widths[-1] / widths[0])
            for part in changes[0]
        }
        if transfer:
            assert all(-0.45 < slope < 0.15 for slope in slopes.values()), slopes
            assert all(abs(slope) < 0.3 for part, slope in slopes.items() if "layer" in part), slopes
        else:
            assert all(slope > 0.25 for slope in slopes.values()), slopes
            assert max(slopes.values()) > 1


def test_at_the_base_width_nothing_changes() -> None:
    """With heads of width 64 the network at the base's width is the standard one, bit for bit."""
    one, other = network("decoder", 128, 128), network("decoder", 128, None)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    hidden = one.hidden(tokens()), other.hidden(tokens())
    assert torch.equal(one.logits(hidden[0]), other.logits(hidden[1]))


def test_rates_initial_sizes_and_scores_follow_the_ratio() -> None:
    wide, base = network("encoder", 256, tied=False, bias=True), network("encoder", 64, tied=False, bias=True)
    scales = {name: wide.rate_scale(name) for name, _ in wide.named_parameters()}
    hidden = {name for name, scale in scales.items() if scale == 0.25}
    matrices = ("qkv.weight", "attention_out.weight", "feedforward_in.weight", "feedforward_out.weight")
    assert hidden == {name for name in scales if name.endswith((*matrices, "head_dense.weight"))}
    assert {scale for name, scale in scales.items() if name not in hidden} == {1.0}
    sizes = dict(base.named_parameters())
    for name, parameter in wide.named_parameters():
        if parameter.ndim == 2:
            ratio = float(parameter.detach().std() / sizes[name].detach().std())
            assert ratio == pytest.approx(0.5 if name in hidden else 1.0, rel=0.1), name
    # a head of width 128: scores are divided by 128 / 8, not by its root
    assert wide.architecture.query_scale / math.sqrt(128) == pytest.approx(8 / 128)


def test_groups_are_split_by_rate_and_decay_as_much_as_before() -> None:
    made = network("decoder", 256)
    plain = optimizers.create("adamw", lr=0.1, weight_decay=0.2).build(made)
    before = {id(p): (g["lr"], g["weight_decay"]) for g in plain.param_groups for p in g["params"]}
    after = scale_rates(optimizers.create("adamw", lr=0.1, weight_decay=0.2).build(made), made)
    found = {id(p): (g["lr"], g["weight_decay"]) for g in after.param_groups for p in g["params"]}
    assert found.keys() == before.keys()
    assert after.param_groups[0]["lr"] == 0.1, "the log shows the full rate"
    for name, parameter in made.named_parameters():
        lr, decay = found[id(parameter)]
        scale = made.rate_scale(name)
        assert lr == pytest.approx(scale * 0.1), name
        assert lr * decay == pytest.approx(0.1 * before[id(parameter)][1]), name
    standard = network("decoder", 64, None)
    untouched = optimizers.create("adamw").build(standard)
    groups = list(untouched.param_groups)
    assert scale_rates(untouched, standard).param_groups == groups
    assert all("lr_scale" not in group for group in groups)


def test_a_resumed_run_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """Twelve steps at once; and seven, of which four are saved, and the rest."""
    import train_world
    from interruption import resumed_equals_whole

    def settings() -> dict[str, Any]:
        options = {"layers": 1, "width": 64, "heads": 2, "max_length": 64, "kernel": "products"}
        made = backbones.create("decoder", **options, width_transfer=32).network(train_world.SIZE, 3)
        optimizer = scale_rates(optimizers.create("adamw", lr=3e-3).build(made), made)
        assert {group["lr"] for group in optimizer.param_groups} == {3e-3, 1.5e-3}
        return {"objective": "clm", "network": made, "optimizer": optimizer}

    assert resumed_equals_whole(tmp_path, settings, 7).step == 12


BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True}
FOLDED: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("decoder", {}),
    "llama grouped, untied, biases": ("decoder", {"heads": 4, "kv_heads": 2, "tied": False, "bias": True}),
    "modernbert": ("encoder", {"bias": True}),
    "bert": ("encoder", BERT),
    "own post-norm decoder": ("decoder", {"norm": "post"}),
}


def shaken(made: Transformer) -> Transformer:
    """With weights large enough for mistakes to show, and no norm or bias at its initial value."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return made


@pytest.mark.parametrize("case", FOLDED)
def test_a_folder_computes_the_same_without_multipliers(case: str, tmp_path: Path) -> None:
    name, options = FOLDED[case]
    made = shaken(network(name, 96, 32, **options))
    write_network(made, tmp_path)
    tokens_BL = tokens(2, 12)
    expected = made.logits(made.hidden(tokens_BL))
    assert made.architecture.width_ratio == 3
    assert made.architecture.query_scale != 1
    again = Model(tmp_path).network()
    assert again.architecture.base_width is None
    torch.testing.assert_close(again.logits(again.hidden(tokens_BL)), expected, atol=1e-4, rtol=1e-4)
    if made.stock is None:
        assert case.startswith("own")
        return
    import transformers

    kind = "AutoModelForCausalLM" if name == "decoder" else "AutoModelForMaskedLM"
    theirs = getattr(transformers, kind).from_pretrained(tmp_path).eval()
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens_BL).logits, expected.detach(), atol=1e-4, rtol=1e-4)


def test_a_bad_base_width_is_named() -> None:
    with pytest.raises(InputError) as caught:
        backbones.create("decoder", width_transfer=0)
    assert caught.value.key == "width_transfer"
