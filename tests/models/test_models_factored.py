"""Tables of tokens as coordinates times primitives: the network is the one with the product as its table.

Shapes: V tokens, F primitives, D width, B rows, L tokens a row.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.architecture import Architecture
from seedbed.models.huggingface import read_network, write_network
from seedbed.models.transformer import Transformer
from seedbed.objectives.base import Outputs
from seedbed.objectives.prediction import cross_entropy
from seedbed.optim import optimizers

VOCABULARY, PRIMITIVES = 50, 5
BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True}  # with a head and a bias of the logits
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "encoder": ("encoder", {}),
    "bert": ("encoder", BERT),
    "narrow": ("encoder", {"embedding_width": 12}),
    "untied encoder": ("encoder", {"tied": False}),
    "decoder": ("decoder", {}),
    "untied decoder": ("decoder", {"tied": False}),
    "width transfer": ("decoder", {"width_transfer": 8}),
    "encoder-decoder": ("encoder_decoder", {"scaled_output": True}),  # states are divided by sqrt(D)
    "untied encoder-decoder": ("encoder_decoder", {"tied": False}),
}


def architecture(case: str) -> Architecture:
    backbone, options = CASES[case]
    sizes = {"layers": 2, "width": 16, "heads": 2, "max_length": 32, "kernel": "products"}
    return backbones.create(backbone, **sizes, **options).architecture(VOCABULARY)


def made(case: str, seed: int = 3) -> Transformer:
    """A factored network, biases and norms drawn too."""
    network = Transformer(replace(architecture(case), primitives=PRIMITIVES), seed=seed, kernel="products")
    dice = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=dice), alpha=0.1)
    return network


def hidden(network: Any, tokens_BL: torch.Tensor) -> torch.Tensor:
    if network.decoder is None:
        return network.hidden(tokens_BL)
    return network.decoded(tokens_BL, None, None, Outputs(tokens_BL.flip(1), None, None))


def multiplied_weights(network: Transformer) -> dict[str, torch.Tensor]:
    """Those of the network without factors, differentiable in the factored one's."""
    found = dict(network.named_parameters())
    for name in [name for name in found if name.endswith(".primitives")]:
        rows = name.replace("primitives", "weight")
        found[rows] = found[rows] @ found.pop(name)
    return found


class Logits(torch.nn.Module):
    """A network from tokens to logits, for torch to call with other weights."""

    def __init__(self, network: Transformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens_BL: torch.Tensor) -> torch.Tensor:
        return self.network.logits(hidden(self.network, tokens_BL).flatten(0, 1))


@pytest.mark.parametrize("case", CASES)
def test_logits_and_gradients_are_those_of_the_product(case: str) -> None:
    """The chunked loss on some rows, against torch's cross-entropy of all logits with the table C P, through which
    torch finds the factors' gradients."""
    network = made(case).double()
    plain = Transformer(architecture(case), kernel="products").double()
    tokens_BL = torch.from_numpy(np.random.default_rng(0).integers(0, VOCABULARY, (3, 11)))
    where_T = torch.tensor([2, 3, 7, 20, 32])
    targets_T = tokens_BL.flatten()[where_T - 1]
    weights = {f"network.{name}": value for name, value in multiplied_weights(network).items()}
    assert weights.keys() == dict(Logits(plain).named_parameters()).keys()
    wanted_TV = torch.func.functional_call(Logits(plain), weights, (tokens_BL,))
    torch.testing.assert_close(Logits(network)(tokens_BL), wanted_TV, atol=1e-12, rtol=1e-10)
    slow = torch.nn.functional.cross_entropy(wanted_TV[where_T], targets_T, reduction="sum")
    loss = cross_entropy(network, hidden(network, tokens_BL).flatten(0, 1)[where_T], targets_T).sum
    torch.testing.assert_close(loss, slow)
    parameters = dict(network.named_parameters())
    ours = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True, materialize_grads=True)
    theirs = torch.autograd.grad(slow, list(parameters.values()), allow_unused=True, materialize_grads=True)
    for name, one, other in zip(parameters, ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-8, msg=name)
        if "embedding.primitives" in name:
            assert float(one.abs().min()) > 0, name


@pytest.mark.parametrize("case", CASES)
def test_parameters_are_counted(case: str) -> None:
    plain = architecture(case)
    factored = replace(plain, primitives=PRIMITIVES)
    network = Transformer(factored)
    assert {name: tuple(p.shape) for name, p in network.named_parameters()} == factored.shapes()
    tables, width = 1 if plain.tied else 2, plain.table_width
    fewer = tables * (VOCABULARY * width - PRIMITIVES * (VOCABULARY + width))
    assert fewer > 0 and plain.num_parameters() - factored.num_parameters() == fewer
    assert factored.num_parameters(embeddings=False) == plain.num_parameters(embeddings=False)
    assert factored.num_parameters() == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("case", CASES)
def test_flops_are_those_of_the_products(case: str) -> None:
    """What is beside the layers, forward and backward; torch counts no lookup."""
    from torch.utils.flop_counter import FlopCounterMode

    tokens_BL = torch.zeros(2, 16, dtype=torch.long)

    def counted(given: Architecture) -> int:
        network = Transformer(given, seed=0, kernel="products")
        with FlopCounterMode(display=False) as counter:
            network.logits(hidden(network, tokens_BL)).float().logsumexp(-1).sum().backward()
        return counter.get_total_flops()

    plain = architecture(case)
    factored = replace(plain, primitives=PRIMITIVES)
    wanted = 32 * (factored.flops_per_token(16, 1.0) - plain.flops_per_token(16, 1.0))
    assert counted(factored) - counted(plain) == pytest.approx(wanted)


def test_a_new_network_has_vectors_of_the_usual_size_and_else_the_same_weights() -> None:
    plain = replace(architecture("decoder"), vocabulary_size=2000, width=64, head_width=32)
    factored = Transformer(replace(plain, primitives=24), seed=7)
    for name, value in Transformer(plain, seed=7).named_parameters():
        if not name.startswith("embedding."):
            assert torch.equal(value, factored.get_parameter(name)), name
    vectors_VD = factored.embedding(torch.arange(2000))
    assert vectors_VD.shape == (2000, 64) and float(vectors_VD.detach().std()) == pytest.approx(0.02, rel=0.1)


def test_a_type_of_the_computation_is_kept() -> None:
    """Autocast is for the products; vectors come in the type of the weights, as from any table."""
    network = made("decoder")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tokens_BL = torch.arange(8)[None]
        assert network.embedding(tokens_BL).dtype == torch.float32
        states_TD = network.hidden(tokens_BL)[0]
        assert states_TD.dtype == network.head(states_TD).dtype == torch.bfloat16
        found_TV = network.logits(states_TD)
    torch.testing.assert_close(found_TV.float(), network.logits(network.hidden(tokens_BL)[0]), atol=0.2, rtol=0.05)


@pytest.mark.parametrize("case", ["bert", "untied decoder", "encoder-decoder"])
def test_saved_and_read_bit_for_bit(case: str, tmp_path: Path) -> None:
    network = made(case)
    assert network.stock is None
    write_network(network, tmp_path)
    read = read_network(tmp_path)
    assert read.architecture.primitives == PRIMITIVES
    assert read.state_dict().keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert torch.equal(value, read.state_dict()[name]), name


def test_primitives_belong_to_the_embedding() -> None:
    """They do not decay, and are no hidden matrix; where embeddings decay they do."""
    network = made("untied decoder")
    factors = [network.get_parameter(f"{table}embedding.primitives") for table in ("", "output_")]

    def group_of(optimizer: Any, parameter: torch.Tensor) -> dict[str, Any]:
        return next(group for group in optimizer.param_groups if any(p is parameter for p in group["params"]))

    for factor in factors:
        assert group_of(optimizers.create("adamw", weight_decay=0.1).build(network), factor)["weight_decay"] == 0
        assert group_of(optimizers.create("muon").build(network), factor)["rule"] == "adamw"
    decaying = optimizers.create("adamw", weight_decay=0.1, decay_embeddings=True).build(network)
    assert group_of(decaying, factors[0])["weight_decay"] == 0.1
    hidden_matrix = network.layers[0].feedforward_in.weight
    assert group_of(optimizers.create("muon").build(network), hidden_matrix)["rule"] == "muon"


def test_what_needs_whole_rows_says_so() -> None:
    from seedbed.models.channels import attach
    from seedbed.models.detection import make_generator, small_architecture
    from seedbed.models.ngram_table import NgramTable
    from seedbed.train.hooks.initial_embeddings import InitialEmbeddings

    network = made("encoder")
    small = small_architecture(network.architecture, width=0.5, layers=0.5)
    assert small.primitives is None
    for refused in (
        lambda: make_generator(network, small, "shared", 0),
        lambda: NgramTable(network, 40, 3, "ngrams", 0),
        lambda: attach(network, None, torch.zeros(VOCABULARY, 8, dtype=torch.long), 0),
        lambda: InitialEmbeddings(vectors=None).prepare(network, 0),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match="coordinates over primitives"):
            refused()
    assert make_generator(network, small, "none", 0).embedding.weight.shape == (VOCABULARY, small.width)
    with pytest.raises(InputError, match="primitives"):
        replace(network.architecture, primitives=0)


def test_objectives_that_look_at_vectors_see_the_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """`crts` clusters them, and regression reads sums of them."""
    from types import SimpleNamespace

    from seedbed.models import clusters
    from seedbed.objectives import objectives
    from seedbed.objectives.regression.vectors import answers, features

    network = made("encoder")
    table_VD = (network.embedding.weight @ network.embedding.primitives).detach()
    seen: list[np.ndarray] = []
    fit = clusters.clusters_of
    monkeypatch.setattr(clusters, "clusters_of", lambda rows, *given: seen.append(rows) or fit(rows, *given))
    objective = objectives.create("crts", clusters=4)
    special_V = np.arange(VOCABULARY) < 5
    objective.bind(SimpleNamespace(special_V=special_V, mask=4, word_start_V=~special_V, tokens=["x"] * VOCABULARY))
    objective.prepare(network, 0)
    np.testing.assert_allclose(seen[0], table_VD[5:].numpy(), atol=1e-6)

    network, plain = made("decoder"), Transformer(architecture("decoder"), kernel="products")
    plain.load_state_dict(multiplied_weights(network))
    dice = np.random.default_rng(0)
    features_BLF = torch.from_numpy(features(dice.standard_normal((2, 4, 3)), dice.standard_normal((2, 4))))
    given = features_BLF, None, None, torch.tensor([0, 3, 9])
    torch.testing.assert_close(answers(network, *given), answers(plain, *given))
