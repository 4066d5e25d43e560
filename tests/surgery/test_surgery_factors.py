"""OFA whose factors stay: the same rows as multiplied out, fewer numbers, and what can be done with the model then.

Shapes: V old tokens, N new ones, F primitives, D width.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_vocabularies import change, change_with, made_texts, make_model, make_tokenizer, permuted
from test_surgery_wechsel import aligned, made_table, words_of

from seedbed.cli.results import export
from seedbed.core.errors import InputError
from seedbed.core.step import StepContext
from seedbed.models.artifact import Model
from seedbed.models.transformer import Transformer
from seedbed.objectives.base import Outputs
from seedbed.surgery.attach import attach_decoder
from seedbed.surgery.change_attention import change_attention
from seedbed.surgery.initializers.gaussian import draw
from seedbed.surgery.initializers.ofa import OFA
from seedbed.surgery.initializers.overlap import Overlap
from seedbed.surgery.positions.extend import extend_positions
from seedbed.surgery.positions.rule import position_rules
from seedbed.surgery.pruning.prune import prune
from seedbed.surgery.vocabulary.factors import multiplied
from seedbed.surgery.vocabulary.match import same_tokens
from seedbed.vectors.artifact import AlignedVectors
from seedbed.vocabulary.artifact import Tokenizer

OLD, NEW = made_texts(), made_texts(1, letters="acefhijlprtuvö")
PRIMITIVES = 6
BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True}
STYLES = {"encoder": "encoder", "decoder": "decoder", "encoder_decoder": "seq2seq"}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("encoder", BERT),
    "llama": ("decoder", {}),
    "untied llama": ("decoder", {"tied": False}),
    "t5": ("encoder_decoder", {"gated": False, "activation": "relu", "scaled_output": True}),  # the first version
    "untied t5": ("encoder_decoder", {"tied": False}),
    "bart": ("encoder_decoder", {**BERT, "activation": "gelu"}),
}
AUTO = {
    "encoder": "AutoModelForMaskedLM",
    "decoder": "AutoModelForCausalLM",
    "encoder_decoder": "AutoModelForSeq2SeqLM",
}


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> AlignedVectors:
    dice = np.random.default_rng(0)
    tables = [made_table(words, dice.standard_normal((len(words), 10))) for words in map(words_of, (OLD, NEW))]
    return aligned(tmp_path_factory.mktemp("vectors") / "v", *tables)


def tokenizers(root: Path, backbone: str) -> tuple[Tokenizer, Tokenizer]:
    """The old one and the new one, whose ids are shuffled."""
    style = STYLES[backbone]
    old = make_tokenizer(root / "old", "bpe", OLD, style, 460)
    return old, permuted(make_tokenizer(root / "new", "unigram", NEW, style, 400), root / "permuted")


def world(root: Path, kind: str) -> tuple[Model, Tokenizer]:
    backbone, options = KINDS[kind]
    old, new = tokenizers(root, backbone)
    return make_model(root / "model", backbone, old, **options), new


def kept(model: Model, new: Tokenizer, folder: Path, vectors: AlignedVectors, primitives: int = PRIMITIVES) -> Model:
    return change_with(model, new, folder, OFA(vectors, primitives, "kept"))


def logits(network: Transformer, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        if network.decoder is None:
            return network.logits(network.hidden(ids))
        return network.logits(network.decoded(ids, None, None, Outputs(ids.flip(1), None, None)))


def tables(network: Transformer) -> list[tuple[str, Any]]:
    return [(name, getattr(network, name)) for name in ("embedding", "output_embedding") if getattr(network, name)]


@pytest.mark.parametrize("kind", KINDS)
def test_kept_factors_are_those_multiplied_out(kind: str, vectors: AlignedVectors, tmp_path: Path) -> None:
    model, new = world(tmp_path, kind)
    changed = kept(model, new, tmp_path / "kept", vectors)
    network, before = changed.network(), model.network()
    whole = change_with(model, new, tmp_path / "whole", OFA(vectors, PRIMITIVES)).network()
    ordinary_N = torch.from_numpy(~new.vocabulary().special_V)
    count = whole.architecture.num_parameters()
    for name, table in tables(network):
        assert table.weight.shape == (new.vocabulary().size, PRIMITIVES)
        assert table.primitives.shape == (PRIMITIVES, 32)
        product_ND = (table.weight @ table.primitives).detach()
        torch.testing.assert_close(product_ND[ordinary_N], getattr(whole, name).weight[ordinary_N], atol=1e-5, rtol=0)
        count -= table.weight.shape[0] * 32 - table.weight.numel() - table.primitives.numel()
    assert changed.seen["parameters"] == count == sum(p.numel() for p in network.parameters())  # type: ignore[attr-defined]
    for name, value in before.named_parameters():
        if "embedding" not in name.removesuffix("_norm.weight") and name != "output_bias":
            assert torch.equal(value, network.get_parameter(name)), name

    out = multiplied(network)
    assert out.architecture == replace(network.architecture, primitives=None)
    ids = torch.tensor([new.load().encode(NEW[0]).ids])
    torch.testing.assert_close(logits(out, ids), logits(network, ids), atol=1e-4, rtol=1e-4)
    assert multiplied(out) is out


@pytest.mark.parametrize("kind", ["bert", "untied llama"])
def test_special_tokens_are_copied_in_coordinates(kind: str, vectors: AlignedVectors, tmp_path: Path) -> None:
    """Their counterparts' rows of the best factorization of the rows that have tokens; those without a counterpart are
    drawn among the old coordinates."""
    backbone, options = KINDS[kind]
    old = make_tokenizer(tmp_path / "old", "bpe", OLD, "decoder", 460)  # has no mask
    new = permuted(make_tokenizer(tmp_path / "new", "unigram", NEW, "encoder", 400), tmp_path / "permuted")
    model = make_model(tmp_path / "model", backbone, old, extra_rows=7, **options)
    network = kept(model, new, tmp_path / "kept", vectors).network()
    same_N, special_N = same_tokens(old, new), new.vocabulary().special_V
    found, alone = np.flatnonzero(special_N & (same_N >= 0)), np.flatnonzero(special_N & (same_N < 0))
    assert len(found) and len(alone)
    for name, table in tables(network):
        old_VD = getattr(model.network(), name).weight.detach()[:-7]
        left, values, right = torch.linalg.svd(old_VD.double(), full_matrices=False)
        nearest_VD = (left[:, :PRIMITIVES] * values[:PRIMITIVES]) @ right[:PRIMITIVES]
        product_ND = (table.weight @ table.primitives).double()
        torch.testing.assert_close(product_ND[found], nearest_VD[same_N[found]], atol=1e-5, rtol=0)
        kind_of = "input" if name == "embedding" else "output"
        coordinates_VF = (old_VD.double() @ torch.linalg.pinv(table.primitives.double())).float()
        drawn = draw(coordinates_VF, len(alone), 0, f"special {kind_of}")
        torch.testing.assert_close(table.weight[alone], drawn, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["bert", "untied llama", "t5"])
def test_there_and_back_changes_no_bit(kind: str, vectors: AlignedVectors, tmp_path: Path) -> None:
    model, new = world(tmp_path, kind)
    first = kept(model, new, tmp_path / "kept", vectors)
    there = change(first, permuted(new, tmp_path / "shuffled", 1), tmp_path / "there")
    back = change(there, new, tmp_path / "back")
    before, after = first.network().state_dict(), back.network().state_dict()
    assert before.keys() == after.keys()
    assert not torch.equal(before["embedding.weight"], there.network().embedding.weight)
    for name, value in before.items():
        assert torch.equal(value, after[name]), name


def test_what_a_later_change_does_with_the_primitives(vectors: AlignedVectors, tmp_path: Path) -> None:
    model, new = world(tmp_path, "untied llama")
    first = kept(model, new, tmp_path / "kept", vectors)
    own = [table.primitives for _, table in tables(first.network())]

    def again(name: str, *given: Any) -> Transformer:
        return change_with(first, new, tmp_path / name, OFA(vectors, *given)).network()

    for same in (again("none", None), again("as many", PRIMITIVES, "kept")):
        for (_, table), primitives in zip(tables(same), own, strict=True):
            assert torch.equal(table.primitives, primitives)
    fewer, out = again("fewer", 4, "kept"), again("multiplied", 4)
    assert (fewer.architecture.primitives, out.architecture.primitives) == (4, None)
    ordinary_N = torch.from_numpy(~new.vocabulary().special_V)
    for name, table in tables(fewer):
        left, values, right = torch.linalg.svd(getattr(multiplied(first.network()), name).weight.detach())
        nearest_ND = (left[:, :4] * values[:4]) @ right[:4]
        torch.testing.assert_close(
            (table.weight @ table.primitives)[ordinary_N], nearest_ND[ordinary_N], atol=1e-4, rtol=0
        )
        torch.testing.assert_close(getattr(out, name).weight[ordinary_N], nearest_ND[ordinary_N], atol=1e-4, rtol=0)
    with pytest.raises(InputError, match="primitives: is more than the model has: 6"):
        again("more", PRIMITIVES + 1, "kept")
    with pytest.raises(InputError, match="more than the rank of the embeddings: 32"):
        kept(model, new, tmp_path / "too many", vectors, 33)
    with pytest.raises(InputError, match="factors: cannot be kept where there are none"):
        OFA(vectors, factors="kept")


def test_within_overlap_factors_are_kept_too(vectors: AlignedVectors, tmp_path: Path) -> None:
    """Tokens that look alike are copied in coordinates; in another case they are not."""
    model, new = world(tmp_path, "llama")
    bare = kept(model, new, tmp_path / "kept", vectors).network()
    within = change_with(model, new, tmp_path / "within", Overlap(OFA(vectors, PRIMITIVES, "kept"))).network()
    assert torch.equal(bare.embedding.primitives, within.embedding.primitives)  # type: ignore[arg-type]
    assert torch.equal(bare.embedding.weight, within.embedding.weight)


@pytest.mark.parametrize(("kind", "deviation"), [("untied llama", 0.02), ("t5", 1.0)])
def test_random_rows_are_as_long_as_new_ones(
    kind: str, deviation: float, vectors: AlignedVectors, tmp_path: Path
) -> None:
    model, new = world(tmp_path, kind)
    changed = kept(model, new, tmp_path / "kept", vectors)
    network = change(changed, new, tmp_path / "random", "random").network()
    ordinary_N = torch.from_numpy(~new.vocabulary().special_V)
    for _, table in tables(network):
        product_ND = (table.weight @ table.primitives)[ordinary_N]
        assert float(product_ND.detach().square().mean().sqrt()) == pytest.approx(deviation, rel=0.1)


def exported(model: Model, folder: Path) -> Model:
    """By `seedbed export`, of a folder that looks like a finished step's."""
    manifest = {"format": 1, "kind": "model", "fingerprint": "0", "files": {}, "counts": {}}
    (model.path / "manifest.json").write_text(json.dumps(manifest))
    export(model.path, folder)
    return Model.open(folder)


def step_of(step: Any, model: Model, folder: Path, **parameters: Any) -> Transformer:
    folder.mkdir()
    context = StepContext(folder, folder.name, {})
    step.function(context, model=model, **parameters)
    network = Model.open(folder).network()
    assert context.counts["parameters"] == network.architecture.num_parameters()
    return network


def test_other_surgery_keeps_the_factors(vectors: AlignedVectors, tmp_path: Path) -> None:
    """Each step gives a factored network whose product is what the step makes of the multiplied-out one."""
    bert, llama = (world(tmp_path / kind, kind) for kind in ("bert", "llama"))
    encoder, decoder = (kept(*given, tmp_path / str(n), vectors) for n, given in enumerate((bert, llama)))
    ids = torch.tensor([bert[1].load().encode(NEW[0]).ids[:20]])
    rule = position_rules.create("taper")
    for name, model, step, given in (
        ("attached", encoder, attach_decoder, {}),
        ("longer", encoder, extend_positions, {"length": 1100, "rule": rule}),
        ("pruned", encoder, prune, {"density": 0.5}),
        ("prefix", decoder, change_attention, {"attention": "prefix"}),
    ):
        plain = exported(model, tmp_path / f"{name} plain")
        found = step_of(step, model, tmp_path / name, **given)
        wanted = step_of(step, plain, tmp_path / f"{name} wanted", **given)
        assert (found.architecture.primitives, wanted.architecture.primitives) == (PRIMITIVES, None)
        torch.testing.assert_close(logits(found, ids), logits(wanted, ids), atol=1e-4, rtol=1e-4)


def test_growth_is_refused(vectors: AlignedVectors, tmp_path: Path) -> None:
    from seedbed.models import backbones
    from seedbed.surgery import growth

    network = kept(*world(tmp_path, "llama"), tmp_path / "kept", vectors).network()
    large = backbones.create("decoder", layers=2, width=32, heads=2).architecture(network.vocabulary_size)
    weights = {name: value.detach() for name, value in network.named_parameters()}
    with pytest.raises(InputError, match="primitives"):
        growth.create("stack").operator(weights, network.architecture, large, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_model_is_an_ordinary_one(kind: str, vectors: AlignedVectors, tmp_path: Path) -> None:
    import transformers

    model, new = world(tmp_path, kind)
    changed = kept(model, new, tmp_path / "kept", vectors)
    network = changed.network()
    assert network.stock is None and "seedbed (no stock class)" in (changed.path / "README.md").read_text()
    plain = exported(changed, tmp_path / "out").network()
    auto = AUTO[KINDS[kind][0]]
    theirs = getattr(transformers, auto).from_pretrained(tmp_path / "out").eval()
    fast = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    ids = fast(NEW[0], return_tensors="pt")["input_ids"]
    assert ids[0].tolist() == new.load().encode(NEW[0]).ids
    with torch.no_grad():
        given = {} if network.decoder is None else {"decoder_input_ids": ids.flip(1)}
        torch.testing.assert_close(theirs(input_ids=ids, **given).logits, logits(network, ids), atol=1e-4, rtol=1e-4)
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"{plain.architecture.num_parameters():,} parameters" in card and auto in card
    assert "library_name: transformers" in card and "seedbed (no stock class)" not in card
    assert "vocabulary changed by" in card  # the rest of the card stays
    ours = json.loads((changed.path / "config.json").read_text())
    assert ours["model_type"] == "seedbed" and ours["architecture"]["primitives"] == PRIMITIVES
    assert plain.stock == json.loads((tmp_path / "out" / "config.json").read_text())["model_type"]
