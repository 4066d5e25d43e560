"""What every backbone promises, over the main options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.core.files import read_json
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.cross_entropy import linear_cross_entropy
from seedbed.models.transformer import Transformer
from seedbed.objectives.base import Outputs

VOCABULARY = 90
SMALL = {"layers": 2, "width": 32, "heads": 4, "max_length": 24}
BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True}
T5 = {"gated": False, "activation": "relu", "scaled_output": True}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "encoder": ("encoder", {}),
    "encoder as bert": ("encoder", BERT),
    "encoder without gate": ("encoder", {"gated": False, "activation": "relu2"}),
    "encoder post-norm, rotary, untied": ("encoder", {"norm": "post", "tied": False}),
    "encoder without positions": ("encoder", {"positions": "none", "bias": True}),
    "decoder": ("decoder", {}),
    "decoder grouped, untied": ("decoder", {"kv_heads": 2, "tied": False, "bias": True}),
    "decoder learned, no gate": ("decoder", {"positions": "learned", "gated": False, "activation": "gelu_tanh"}),
    "decoder post-norm": ("decoder", {"norm": "post", "activation": "relu"}),
    "decoder with prefix": ("decoder", {"attention": "prefix"}),
    "decoder as normformer, alibi": ("decoder", {"norm": "normformer", "positions": "alibi", "kv_heads": 2}),
    "encoder as normformer": ("encoder", {"norm": "normformer", "bias": True}),
    "encoder as mosaicbert": ("encoder", {"norm": "post", "positions": "alibi", "bias": True}),
    "encoder with shared layers": ("encoder", {"shared": True, "norm": "post"}),
    "encoder of bigs": ("encoder", {"mixer": "bigs", "positions": "none"}),
    "encoder of bigs and attention": ("encoder", {"mixer": [{"bigs": {"gating": False}}, None]}),
    "encoder of layers that differ": (
        "encoder",
        {
            "mixer": [None, "fourier", {"fourier": {"transform": "dct"}}],
            "feed": [{"dense": {"inner": 48}}, None],
            "layers": 3,
        },
    ),
    "decoder of dense feedforwards": (
        "decoder",
        {"feed": [{"dense": {"inner": 40}}, "dense"], "gated": False, "bias": True},
    ),
    "decoder of hyena": ("decoder", {"mixer": {"hyena": {"filter_width": 4}}, "positions": "none"}),
    "decoder of megalodon": (
        "decoder",
        {"mixer": {"megalodon": {"chunk": 4, "heads": 2, "states": 4}}, "positions": "none"},
    ),
    "decoder of pattention": ("decoder", {"mixer": {"pattention": {"tokens": 24}}, "feed": "pattention"}),
    "encoder as widenet": ("encoder", {"shared": True, "feed": {"experts": {"inner": 48}}}),
    "decoder as moduleformer": (
        "decoder",
        {"mixer": {"stick_breaking": {"router": 8}}, "feed": {"experts": {"router": 8, "balance": "information"}}},
    ),
    "decoder of rwkv7": ("decoder", {"mixer": {"rwkv7": {"rank": 4}}, "feed": "rwkv7", "positions": "none"}),
    "decoder of energies": ("decoder", {"energy_steps": 2}),
    "decoder with copies": ("decoder", {"copies": 3, "copy_window": 4, "copy_chunk": 6, "kv_heads": 2}),
    "roberta": ("roberta", {}),
    "gpt2": ("gpt2", {}),
    "decoder of implicit": (
        "decoder",
        {"mixer": {"implicit": {"states": 4, "steps": 3, "test_steps": 3, "tolerance": 0.0}}, "positions": "none"},
    ),
    "encoder as longformer": ("encoder", {**BERT, "activation": "gelu", "window": 3}),
    "encoder as big bird": ("encoder", {"sparse": {"block": 2, "random": 1}}),
    "encoder as electra-small": ("encoder", {**BERT, "activation": "gelu", "embedding_width": 24}),
    "encoder as albert": ("encoder", {**BERT, "activation": "gelu_tanh", "embedding_width": 24, "shared": "all"}),
    "encoder of narrow embeddings": ("encoder", {"embedding_width": 24}),
    "encoder_decoder": ("encoder_decoder", {}),
    "encoder_decoder as the first t5": ("encoder_decoder", {**T5, "decoder_layers": 3}),
    "encoder_decoder as bart": ("encoder_decoder", {**BERT, "activation": "gelu"}),
    "encoder_decoder interleaved": ("encoder_decoder", {"interleaved": True}),
    "encoder_decoder interleaved, post-norm": ("encoder_decoder", {**BERT, "interleaved": True}),
    "encoder_decoder rotary, untied": ("encoder_decoder", {"positions": "rope", "tied": False}),
}
# Ends of the names of first values that mixers do not draw.
FIXED = (
    "energy_step",
    "_real",
    "_imaginary",
    "_frequency",
    "_gain",
    "_shift",
    "shifts",
    "_base",
    "_norming",
    "key_rate",
    "bonus",
)


def backbone(case: str, **options: Any) -> Any:
    name, more = CASES[case]
    return backbones.create(name, **{**SMALL, "kernel": "products", **more, **options})


def network(case: str, seed: int = 1, **options: Any) -> Transformer:
    return backbone(case, **options).network(VOCABULARY, seed, pad=0)


def last(
    made: Transformer, tokens: torch.Tensor, segments: torch.Tensor | None = None, positions: torch.Tensor | None = None
) -> torch.Tensor:
    """The last hidden states; of a decoder that reads the same as its encoder where there is one."""
    if made.attention != "encoder-decoder":
        return made.hidden(tokens, segments, positions)
    return made.decoded(tokens, segments, positions, Outputs(tokens, segments, positions))


def tokens(rows: int = 3, length: int = 12, seed: int = 0) -> torch.Tensor:
    return torch.randint(3, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("case", CASES)
def test_counts(case: str) -> None:
    made = network(case)
    count = sum(parameter.numel() for parameter in made.parameters())
    assert backbone(case).num_parameters(VOCABULARY) == count
    assert {name: tuple(p.shape) for name, p in made.named_parameters()} == made.architecture.shapes()
    assert (made.width, made.vocabulary_size, made.max_length) == (32, VOCABULARY, 24)
    named = {"encoder": "bidirectional", "decoder": "causal", "encoder_decoder": "encoder-decoder"}
    named |= {"roberta": "bidirectional", "gpt2": "causal"}
    assert made.attention == ("prefix" if "prefix" in case else named[CASES[case][0]])


@pytest.mark.parametrize("case", CASES)
def test_flops_are_those_of_the_products(case: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    made, rows, length = network(case), 2, 16
    with FlopCounterMode(display=False) as counter:
        made.logits(last(made, tokens(rows, length)).flatten(0, 1)).sum().backward()
    blocks = list(made.architecture.blocks())
    uncounted = sum(block.uncounted(made.architecture, layer, length) for _, block, layer in blocks)
    estimate = (backbone(case).flops_per_token(VOCABULARY, length) - uncounted) * rows * length
    # The states that recurrences have behind their last chunk, here the only one, are for nobody; and kernels, made
    # once for all rows, are for few tokens here.
    rel = 0.03 if case in ("decoder of rwkv7", "decoder of implicit", "decoder of megalodon") else 0.01
    assert counter.get_total_flops() == pytest.approx(estimate, rel=rel)
    half = backbone(case).flops_per_token(VOCABULARY, length, targets=0.5)
    assert half - uncounted < estimate / (rows * length)


@pytest.mark.parametrize("case", CASES)
def test_initial_weights_come_from_the_seed(case: str) -> None:
    torch.manual_seed(99)
    one, again, other = network(case), network(case), network(case, seed=2)
    deeper = dict(network(case, layers=3).named_parameters())
    for (name, a), b, c in zip(one.named_parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b), name
        drawn = not name.endswith(("bias", "head_scale", *FIXED)) and "norm" not in name
        assert torch.equal(a, c) != drawn, name
        if not name.endswith(("out.weight", "expert_out", "shifts", "decay_base")):  # go by depth
            assert torch.equal(a, deeper[name]), name
    wanted = 1.0 if one.architecture.scaled_output else 0.02
    assert float(one.embedding.weight.detach().std()) == pytest.approx(wanted, rel=0.1)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradient_reaches_every_parameter(case: str, dtype: torch.dtype) -> None:
    made = network(case)
    positions = torch.arange(24).remainder(12).expand(4, 24)
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        hidden = last(made, tokens(4, 24), positions=positions)
        assert hidden.dtype == dtype
        loss, _ = linear_cross_entropy(made.head(hidden.flatten(0, 1)), *made.output(), tokens(4, 24, 1).flatten())
    loss.backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None and parameter.grad.dtype == torch.float32, name
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name


@torch.no_grad()
@pytest.mark.parametrize("case", CASES)
def test_bfloat16_is_close(case: str) -> None:
    made = network(case)
    exact = made.logits(last(made, tokens()))
    with torch.autocast("cpu", torch.bfloat16):
        coarse = made.logits(last(made, tokens()))
    assert coarse.dtype == torch.bfloat16
    assert float((coarse.float() - exact).norm() / exact.norm()) < 0.03
    pure = made.to(torch.bfloat16)
    assert float((pure.logits(last(pure, tokens())).float() - exact).norm() / exact.norm()) < 0.03


@torch.no_grad()
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kernel", ["products", "sdpa"])
def test_packed_segments_are_separate(case: str, kernel: str) -> None:
    made = network(case, kernel=kernel)
    pieces = [tokens(1, n, n) for n in (5, 4, 8)]
    row = torch.cat([*pieces, torch.zeros(1, 7, dtype=torch.int64)], 1)
    segments = torch.tensor([[0] * 5 + [1] * 4 + [2] * 8 + [-1] * 7])
    positions = torch.tensor([[*range(5), *range(4), *range(8), *range(7)]])
    packed = made.logits(last(made, row, segments, positions))
    assert packed.isfinite().all()
    alone = torch.cat([made.logits(last(made, piece)) for piece in pieces], 1)
    torch.testing.assert_close(packed[:, :17], alone, atol=1e-5, rtol=1e-5)
    row[:, 17:] = 5  # what stands in the padding does not matter
    again = made.logits(last(made, row, segments, positions))
    assert torch.equal(again[:, :17], packed[:, :17])


@torch.no_grad()
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kernel", ["products", "sdpa"])
def test_rows_do_not_depend_on_the_batch(case: str, kernel: str) -> None:
    made = network(case, kernel=kernel)
    together = last(made, tokens(5))
    apart = torch.cat([last(made, row[None]) for row in tokens(5)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("case", [case for case, (name, _) in CASES.items() if name == "decoder"])
@pytest.mark.parametrize("kernel", ["products", "sdpa"])
def test_a_decoder_sees_no_future(case: str, kernel: str) -> None:
    made = network(case, kernel=kernel)
    changed = tokens().clone()
    changed[:, 8:] = 7
    torch.testing.assert_close(last(made, tokens())[:, :8], last(made, changed)[:, :8])
    assert not torch.allclose(last(made, tokens())[:, 8:], last(made, changed)[:, 8:])


@pytest.mark.parametrize("case", CASES)
def test_kernels_agree_with_gradients(case: str) -> None:
    segments = torch.tensor([[0] * 5 + [1] * 7, [0] * 12, [0] * 3 + [-1] * 9])
    results = []
    for kernel in ("products", "sdpa"):
        made = network(case, kernel=kernel)
        loss = made.logits(last(made, tokens(), segments)).square().sum()
        results.append((loss, *torch.autograd.grad(loss, list(made.parameters()))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("case", CASES)
def test_saved_and_loaded(case: str, tmp_path: Path) -> None:
    made = network(case)
    for name, parameter in made.named_parameters():
        if "norm" in name or name.endswith("bias"):
            parameter.add_(torch.randn_like(parameter))
    made.save(tmp_path)
    model = Model.open(tmp_path)
    loaded = model.network()
    loaded.use_kernel("products")
    assert loaded.architecture == made.architecture
    assert torch.equal(loaded.logits(last(loaded, tokens())), made.logits(last(made, tokens())))
    assert model.configuration["model_type"] == (made.stock or "seedbed")
    if made.stock is None:
        assert "load it with seedbed" in model.configuration["note"]
    assert read_json(tmp_path / "config.json")["pad_token_id"] == 0


def test_stock_classes() -> None:
    found = {case: backbone(case).stock for case in CASES}
    assert found == {
        "encoder": "modernbert",
        "encoder as bert": "bert",
        "encoder without gate": None,
        "encoder post-norm, rotary, untied": None,
        "encoder without positions": None,
        "decoder": "llama",
        "decoder grouped, untied": "llama",
        "decoder learned, no gate": None,
        "decoder post-norm": None,
        "decoder with prefix": None,
        "decoder as normformer, alibi": None,
        "encoder as normformer": None,
        "encoder as mosaicbert": None,
        "encoder with shared layers": None,
        "encoder of bigs": None,
        "encoder of bigs and attention": None,
        "encoder of layers that differ": None,
        "decoder of dense feedforwards": None,
        "decoder of hyena": None,
        "decoder of megalodon": None,
        "decoder of pattention": None,
        "encoder as widenet": None,
        "decoder as moduleformer": None,
        "decoder of rwkv7": None,
        "decoder of energies": None,
        "decoder with copies": None,
        "roberta": "roberta",
        "gpt2": "gpt2",
        "decoder of implicit": None,
        "encoder as longformer": "longformer",
        "encoder as big bird": None,
        "encoder as electra-small": "electra",
        "encoder as albert": "albert",
        "encoder of narrow embeddings": None,
        "encoder_decoder": "t5",
        "encoder_decoder as the first t5": "t5",
        "encoder_decoder as bart": "bart",
        "encoder_decoder interleaved": None,
        "encoder_decoder interleaved, post-norm": None,
        "encoder_decoder rotary, untied": None,
    }


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("encoder", {"width": 100, "heads": 6}, "heads: does not divide width"),
        ("encoder", {"width": 36, "heads": 4}, "even width per head"),
        ("decoder", {"kv_heads": 5}, "kv_heads: does not divide heads"),
        ("decoder", {"kv_heads": 0}, "kv_heads: must be at least 1"),
        ("encoder", {"layers": 0}, "layers: must be at least 1"),
        ("encoder", {"activation": "swish"}, "encoder.activation"),
        ("encoder", {"kernel": "flash"}, "encoder.kernel"),
        ("encoder", {"norm_eps": 0.0}, "norm_eps: must be above 0"),
        ("encoder", {"hidden": 3}, "unknown key 'hidden'"),
        ("decoder", {"attention": "full"}, "decoder.attention"),
        ("encoder_decoder", {"decoder_layers": 0}, "decoder_layers: must be at least 1"),
        ("encoder_decoder", {"buckets": 2}, "buckets: must be at least 4"),
        ("encoder_decoder", {"max_distance": 16}, "max_distance: must be above half"),
    ],
)
def test_bad_settings_are_clear(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        backbones.create(name, **options)


def test_learned_positions_end() -> None:
    made = network("encoder as bert")
    with pytest.raises(InputError, match="above max_length"):
        last(made, tokens(1, 25))
    assert network("encoder").hidden(tokens(1, 25)).shape == (1, 25, 32)


def test_the_smallest_input() -> None:
    for case in CASES:
        made = network(case)
        assert last(made, tokens(1, 1)).shape == (1, 1, 32)
        assert made.logits(last(made, tokens(1, 1)).flatten(0, 1)[:0]).shape == (0, VOCABULARY)


def test_kernel_may_be_set() -> None:
    made = network("encoder", kernel="auto")
    last(made, tokens())
    assert "probe" in made.kernel_note
    chosen = made.choose_kernel(3, 12, torch.float32)
    made.use_kernel(chosen)
    assert made.kernel == chosen and "as set" in made.kernel_note
    with pytest.raises(InputError, match="kernel"):
        made.use_kernel("flash")


def test_configurations_need_no_torch() -> None:
    code = (
        "import sys; from seedbed.models import backbones; b = backbones.create('encoder');"
        "b.num_parameters(8192), b.flops_per_token(8192, 128), b.stock; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
