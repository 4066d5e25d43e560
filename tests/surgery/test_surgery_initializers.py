"""Each initializer against a slow formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_vocabularies import made_texts, make_change, make_corpus, make_model, make_tokenizer

from seedbed.core.errors import InputError
from seedbed.surgery.initializer import Change, initializers
from seedbed.surgery.initializers.gaussian import draw
from seedbed.surgery.vocabulary.contexts import Context, find_contexts, missing_tokens
from seedbed.surgery.vocabulary.distiller import Distiller
from seedbed.surgery.vocabulary.pieces import Decomposer

TEXTS = made_texts()
OTHER = made_texts(4)


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Change]:
    """An untied decoder to the vocabulary of other words of the same letters; a tied encoder likewise."""
    root, found = tmp_path_factory.mktemp("initializers"), {}
    for backbone, kind in (("decoder", "bpe"), ("encoder", "wordpiece")):
        old = make_tokenizer(root / backbone / "old", kind, TEXTS, backbone)
        new = make_tokenizer(root / backbone / "new", kind, OTHER, backbone)
        model = make_model(root / backbone / "model", backbone, old, tied=backbone == "encoder")
        found[backbone] = make_change(model, new, seed=3)
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_corpus(tmp_path_factory.mktemp("corpus") / "corpus", OTHER)


def initialize(change: Change, name: str, **parameters: Any) -> dict[str, torch.Tensor]:
    return dict(initializers.create(name, **parameters).initialize(change))


@pytest.mark.parametrize("name", ["random", "gaussian", "mean", "subtokens", "overlap"])
@pytest.mark.parametrize("backbone", ["decoder", "encoder"])
def test_shapes_and_the_same_again(name: str, backbone: str, changes: dict[str, Change]) -> None:
    change = changes[backbone]
    found, again = initialize(change, name), initialize(change, name)
    assert list(found) == (["input", "output"] if backbone == "decoder" else ["input"])
    for table, new_ND in found.items():
        assert new_ND.shape == (len(change.same_N), 32) and new_ND.dtype == torch.float32
        assert torch.equal(new_ND, again[table]) and bool(torch.isfinite(new_ND).all())


def test_random_is_as_a_new_network(changes: dict[str, Change]) -> None:
    found = initialize(changes["decoder"], "random")
    assert float(found["input"].std()) == pytest.approx(0.02, rel=0.05) and float(found["input"].abs().max()) <= 0.06
    assert not torch.equal(found["input"], found["output"])


def test_random_is_as_a_new_network_of_the_first_t5(tmp_path: Path) -> None:
    """Whose output embedding begins larger, since hidden states are divided before it."""
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS, "seq2seq", 460)
    t5 = {"tied": False, "gated": False, "activation": "relu", "scaled_output": True}
    found = initialize(make_change(make_model(tmp_path / "model", "encoder_decoder", old, **t5), old), "random")
    assert float(found["input"].std()) == pytest.approx(0.02, rel=0.05)
    assert float(found["output"].std()) == pytest.approx(1.0, rel=0.05)


def test_gaussian_has_mean_and_covariance() -> None:
    dice = torch.Generator().manual_seed(1)
    old_VD = torch.randn(50, 4, generator=dice) @ torch.randn(4, 4, generator=dice) + torch.tensor([1.0, 0, -2, 5])
    drawn = draw(old_VD, 200_000, 7, "input").double().numpy()
    expected = np.cov(old_VD.double().numpy().T, bias=True)
    assert np.allclose(drawn.mean(0), old_VD.mean(0), atol=0.03)
    assert np.allclose(np.cov(drawn.T, bias=True), expected, atol=0.03 * expected.max())
    narrow = draw(old_VD, 200_000, 7, "input", 0.01).double().numpy()
    assert np.allclose(np.cov(narrow.T, bias=True), expected / 100, atol=0.0003 * expected.max())
    alone = draw(old_VD, 200_000, 7, "input", independent=True).double().numpy()
    assert np.allclose(np.cov(alone.T, bias=True), np.diag(np.diag(expected)), atol=0.03 * expected.max())
    few = draw(old_VD[:2], 100, 7, "input")  # a covariance of rank one: all on a line
    assert int(np.linalg.matrix_rank((few - old_VD[:2].mean(0)).numpy(), tol=1e-3)) == 1


def test_mean(changes: dict[str, Change]) -> None:
    for table, new_ND in initialize(changes["decoder"], "mean").items():
        expected = np.mean([row.numpy() for row in changes["decoder"].embeddings[table]], axis=0)
        assert np.allclose(new_ND.numpy(), expected[None], atol=1e-6)


@pytest.mark.parametrize("backbone", ["decoder", "encoder"])
def test_subtokens(backbone: str, changes: dict[str, Change]) -> None:
    change = changes[backbone]
    decomposer = Decomposer(change.old)
    several = 0
    for table, new_ND in initialize(change, "subtokens").items():
        for index, surface in enumerate(change.new_surfaces):
            same = int(change.same_N[index])
            ids = [same] if same >= 0 else decomposer(surface)
            rows = change.embeddings[table][ids] if ids else change.embeddings[table]
            assert torch.allclose(new_ND[index], rows.mean(0), atol=1e-6)
            several += len(ids) > 1
    assert several > 20


def test_overlap_copies_bit_by_bit(changes: dict[str, Change]) -> None:
    change = changes["decoder"]
    found, rest = initialize(change, "overlap", rest="gaussian"), initialize(change, "gaussian")
    has = change.same_N >= 0
    assert 0 < has.sum() < len(has)
    for table, new_ND in found.items():
        assert torch.equal(new_ND[has], change.embeddings[table][change.same_N[has]])
        assert torch.equal(new_ND[~has], rest[table][~has])


def test_contexts(changes: dict[str, Change], corpus: Any) -> None:
    """Windows of the old ids with the pattern at its place, one a document, begun and ended as texts are."""
    for change in changes.values():
        patterns = missing_tokens(change)
        contexts = find_contexts(change, corpus, patterns, number=3, length=12)
        vocabulary = change.old.vocabulary()
        texts = [change.old.load().encode(text, add_special_tokens=False).ids for text in OTHER]
        of = {token: pattern for pattern, token in patterns.items()}
        for context in contexts:
            pattern = of[context.token]
            assert context.ids[context.start : context.start + context.size] == pattern
            inner = list(context.ids[1:])
            assert context.ids[0] == (vocabulary.bos if vocabulary.cls is None else vocabulary.cls)
            if vocabulary.cls is not None:
                assert inner.pop() == vocabulary.sep
            assert len(context.ids) <= max(12, len(pattern) + 2)
            assert any(ids[at : at + len(inner)] == inner for ids in texts for at in range(len(ids)))
        for pattern, token in patterns.items():
            size = len(pattern)
            holding = sum(any(tuple(ids[at : at + size]) == pattern for at in range(len(ids))) for ids in texts)
            assert sum(context.token == token for context in contexts) == min(3, holding)


@pytest.mark.parametrize("backbone", ["decoder", "encoder"])
def test_the_loss_of_distillation(backbone: str, changes: dict[str, Change], corpus: Any) -> None:
    """Against one text after the other, with the row put into a network of a larger vocabulary; and its gradient."""
    change = changes[backbone]
    contexts = find_contexts(change, corpus, missing_tokens(change), number=1, length=16)[:4]
    tokens_M = np.array([context.token for context in contexts])
    rows_MD = torch.randn(4, 32, generator=torch.Generator().manual_seed(2))
    distiller = Distiller(change, tokens_M, rows_MD)
    loss = distiller.loss(contexts)
    network = change.model.network()
    network.use_kernel("products")
    squares, count = 0.0, 0
    rows = network.vocabulary_size
    table = network.embedding.weight.detach().clone()
    for index, context in enumerate(contexts):
        with torch.no_grad():
            teacher = network.hidden(torch.tensor([context.ids]))[0]
            network.embedding.weight = torch.nn.Parameter(torch.cat((table, rows_MD)))
            merged = [*context.ids[: context.start], rows + index, *context.ids[context.start + context.size :]]
            student = network.hidden(torch.tensor([merged]))[0]
            network.embedding.weight = torch.nn.Parameter(table)
        for place, hidden in enumerate(student):
            old = place if place < context.start else place + context.size - 1
            squares += float((hidden - teacher[old]).square().sum())
            count += 32
    assert float(loss.detach()) == pytest.approx(squares / count, rel=1e-4)
    loss.backward()  # type: ignore[no-untyped-call]
    moved = rows_MD.clone()
    moved[1, 3] += 1e-2
    other = float(Distiller(change, tokens_M, moved).loss(contexts).detach())
    assert float(distiller.rows_MD.grad[1, 3]) == pytest.approx((other - float(loss.detach())) / 1e-2, rel=0.05)
    assert all(parameter.grad is None for parameter in distiller.network.parameters())


@pytest.mark.parametrize("backbone", ["decoder", "encoder"])
def test_distillation_lowers_the_loss(backbone: str, changes: dict[str, Change], corpus: Any) -> None:
    change = changes[backbone]
    parameters = {"corpus": corpus, "snippets": 2, "length": 12, "epochs": 4, "lr": 2e-2}
    found = initializers.get("token_distillation").target(**parameters).initialize(change)
    means = initialize(change, "subtokens")
    contexts = find_contexts(change, corpus, missing_tokens(change), number=2, length=12)
    tokens_M = np.unique([context.token for context in contexts])
    with torch.no_grad():
        before, after = (
            float(Distiller(change, tokens_M, f["input"][tokens_M]).loss(contexts)) for f in (means, found)
        )
    assert after < 0.9 * before
    others = np.setdiff1d(np.arange(len(change.same_N)), tokens_M)
    assert torch.equal(found["input"][others], means["input"][others])
    if "output" in means:
        assert torch.equal(found["output"], means["output"])


def test_contextual_distillation(changes: dict[str, Change], corpus: Any) -> None:
    change = changes["encoder"]
    method = initializers.get("contextual_distillation").target
    plain = method(corpus=corpus, snippets=3, length=16, rescale=False).initialize(change)["input"]
    scaled = method(corpus=corpus, snippets=3, length=16).initialize(change)["input"]
    contexts = find_contexts(change, corpus, missing_tokens(change), number=3, length=16)
    network = change.model.network()
    states: dict[int, list[Any]] = {}
    for context in contexts:
        with torch.no_grad():
            hidden = network.hidden(torch.tensor([context.ids]))[0]
        states.setdefault(context.token, []).extend(hidden[context.start : context.start + context.size])
    length = change.embeddings["input"].norm(dim=1).mean()
    for token, rows in states.items():
        mean = torch.stack(rows).mean(0)
        assert torch.allclose(plain[token], mean, atol=1e-4)
        assert torch.allclose(scaled[token], mean * length / mean.norm(), atol=1e-4)
    others = np.setdiff1d(np.arange(len(change.same_N)), list(states))
    assert torch.equal(plain[others], initialize(change, "subtokens")["input"][others])


def test_a_corpus_without_the_new_tokens(changes: dict[str, Change], tmp_path: Path) -> None:
    empty = make_corpus(tmp_path / "corpus", ["."])
    with pytest.raises(InputError, match="corpus: none of the new tokens stands in it"):
        initializers.get("token_distillation").target(corpus=empty).initialize(changes["decoder"])
    with pytest.raises(InputError, match="length: must be at least 8"):
        initializers.get("contextual_distillation").target(corpus=empty, length=4)


def test_windows() -> None:
    context = Context(9, (1, 5, 6, 7, 8, 2), 2, 3)
    assert context.merged(40) == (1, 5, 40, 2)
