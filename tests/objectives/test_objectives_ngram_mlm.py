"""N-grams with identities of their own against plain loops: what is hidden, who sees what, the whole loss."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from masked_world import lexicon, rows_of
from train_world import SIZE, batch_of, network_of, vocabulary

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.network import Ranks
from seedbed.objectives.masking.ngrams import Ngrams
from seedbed.objectives.ngram_mlm import NgramMaskedLanguageModeling

PHRASES = [
    [first + place for place in range(size)] for first, size in ((9, 6), (12, 3), (15, 9), (30, 3), (39, 6), (54, 6))
]
MASK = 4


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """The objective, bound, and with its modules in a network."""

    def make(network: Any = None, **parameters: Any) -> Any:
        objective = NgramMaskedLanguageModeling(lexicon(tmp_path, PHRASES), **parameters)
        objective.bind(vocabulary())
        if network is not None:
            objective.prepare(network, 5)
        return objective

    return make


@torch.no_grad()
def shake(network: Any) -> None:
    """Small weights give even predictions, which would hide mistakes."""
    drawn = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=drawn) * 0.3)


def phrased(number: int = 36) -> Any:
    """Rows with two phrases, the second cut at the row's end in some, and a token between them."""
    return batch_of([[[2, *PHRASES[n % 6], 51, *PHRASES[n // 6 % 6]][:16]] for n in range(number)])


def hidden_units(objective: Any, batch: Any, seed: int, rate: float) -> list[list[tuple[int, list[int]]]]:
    """For each row its hidden units, as the column of the first token and the tokens: where the mask `ngrams` hides a
    phrase it is one, and else a token is drawn for itself."""
    rows = rows_of(batch)
    mask = Ngrams(objective.lexicon)
    mask.bind(vocabulary())
    begins, inside = mask._phrases.find(rows, seed)
    found: list[list[tuple[int, list[int]]]] = []
    for number in range(len(batch.rows_B)):
        units: list[tuple[int, list[int]]] = []
        for column in np.flatnonzero(rows.maskable_BL[number]):
            if inside[number, column] and not begins[number, column]:
                units[-1][1].append(int(batch.tokens_BL[number, column]))
            else:
                units.append((int(column), [int(batch.tokens_BL[number, column])]))
        columns = np.array([[column for column, _ in units]])
        part = rows.select(np.array([number]))
        drawn = part.drawn(columns, seed)[0] if units else []
        found.append([unit for unit, number in zip(units, drawn, strict=True) if number < rate])
    return found


def test_an_ngram_is_one_mask_and_its_tokens_ask_from_their_own_places(made: Any) -> None:
    batch = phrased()
    objective = made(rate=0.3)
    found = objective.corrupt(batch, seed=6, progress=0.5)
    width, length = found.tokens_BL.shape[1], batch.tokens_BL.shape[1]
    coarse, fine, long = {}, {}, 0
    for row, units in enumerate(hidden_units(objective, batch, 6, 0.3)):
        for number, (column, tokens) in enumerate(units):
            identity = tokens[0] if len(tokens) == 1 else SIZE + PHRASES.index(tokens)
            coarse[row * width + column] = identity
            long += len(tokens) > 1
            for place, token in enumerate(tokens):
                at = length + number if place == 0 else column + place
                fine[row * width + at] = token
                assert found.tokens_BL[row, at] == MASK
                assert found.segments_BL[row, at] == batch.segments_BL[row, column]
                assert found.positions_BL[row, at] == batch.positions_BL[row, column + place]
    assert long > 10
    assert dict(zip(found.where_T.tolist(), found.targets_T.tolist(), strict=True)) == coarse
    assert dict(zip(found.query_N.tolist(), found.token_N.tolist(), strict=True)) == fine
    shown = found.ranks.shown_BL.ravel() <= 0
    assert set(np.flatnonzero(~shown)) == set(found.query_N.tolist()) and (found.ranks.sees_BL == 0).all()
    kept = np.setdiff1d(np.arange(batch.tokens_BL.size), found.where_T // width * length + found.where_T % width)
    kept = np.setdiff1d(kept, [i // width * length + i % width for i in found.query_N if i % width < length])
    assert np.array_equal(found.tokens_BL[:, :length].ravel()[kept], batch.tokens_BL.ravel()[kept])
    judged = sum(len(units) for units in hidden_units(objective, batch, 6, 1.1))
    assert len(found.unit_J) == len(np.unique(found.unit_J)) == judged


def test_without_queries_the_places_of_a_hidden_ngram_are_empty(made: Any) -> None:
    batch = batch_of([[[2, 30, 31, 32, 51, 3]]] * 20)
    found = made(rate=0.5, tokens=False).corrupt(batch, seed=0, progress=0.5)
    assert found.tokens_BL.shape == batch.tokens_BL.shape and found.ranks is None and not len(found.query_N)
    hidden = found.tokens_BL[:, 1] == MASK
    assert 0 < hidden.sum() < 20
    assert (found.segments_BL[hidden, 2:4] == -1).all() and (found.segments_BL[~hidden, 2:4] == 0).all()
    assert set(found.targets_T.tolist()) == {SIZE + 3, 51}


def by_hand(network: Any, objective: Any, found: Any) -> dict[str, float]:
    """The losses, target by target, from probabilities."""
    weight, bias = network.output()
    weight, bias = weight[:SIZE], torch.zeros(SIZE) if bias is None else bias[:SIZE]
    own = network.extra["ngram_table"].ngram_embedding.weight
    of_ngrams = network.extra["ngram_table"].ngram_bias
    of_ngrams = torch.zeros(len(own)) if of_ngrams is None else of_ngrams
    place, losses = (found.segments_BL, found.positions_BL, found.ranks), {"generator": 0.0, "detection": 0.0}

    def chances(reader: Any, hidden: Any, its_bias: Any, its_weight: Any) -> Any:
        logits = torch.cat((reader.head(hidden) @ its_weight.T + its_bias, reader.head(hidden) @ own.T + of_ngrams), -1)
        return logits.double().softmax(-1)

    vectors, replaced = network.embedding(found.tokens_BL).clone(), {}
    if objective.relations:
        generator = network.extra["ngram_generator"]
        states = generator.hidden(found.tokens_BL, *place).flatten(0, 1)
        likely = chances(
            generator, states[found.where_T], generator.output_bias[:SIZE], generator.embedding.weight[:SIZE]
        )
        for unit, (where, target, number) in enumerate(zip(found.where_T, found.targets_T, found.draws_U, strict=True)):
            losses["generator"] -= math.log(float(likely[unit, target]))
            drawn = int((likely[unit].cumsum(0) <= float(number)).sum())
            row, column = divmod(int(where), found.tokens_BL.shape[1])
            vectors[row, column] = network.embedding.weight[drawn] if drawn < SIZE else own[drawn - SIZE]
            replaced[int(where)] = drawn != int(target)
    hidden = network.read(vectors, *place).flatten(0, 1)
    likely = chances(network, hidden[found.where_T], bias, weight)
    losses["ngrams"] = -sum(math.log(float(p[t])) for p, t in zip(likely, found.targets_T, strict=True))
    single = network.logits(hidden[found.query_N]).double().softmax(-1)
    losses["tokens"] = -sum(math.log(float(p[t])) for p, t in zip(single, found.token_N, strict=True))
    for where in found.unit_J.tolist() if objective.relations else []:
        chance = float(torch.sigmoid(network.extra["ngram_head"](hidden[where : where + 1]))[0])
        losses["detection"] -= math.log(chance if replaced.get(where, False) else 1 - chance)
    assert not objective.relations or 3 < sum(replaced.values()) < len(found.unit_J)
    return losses


@pytest.mark.parametrize("relations", [False, True])
@pytest.mark.parametrize("more", [0, 3])
def test_loss_equals_a_slow_formula(made: Any, relations: bool, more: int) -> None:
    """Also where a network has more rows than there are tokens."""
    sizes = {"layers": 1, "width": 32, "heads": 2, "kernel": "products"}
    network = backbones.create("encoder", **sizes).network(SIZE + more, 3, pad=0)
    objective = made(network, rate=0.3, relations=relations, width=0.5, weight=7.0)
    shake(network)
    found = objective.corrupt(phrased(12), seed=1, progress=0.5).to("cpu")
    loss = objective.loss(network, found)
    with torch.no_grad():
        expected = by_hand(network, objective, found)
    parts = {name: part for name, part in expected.items() if relations or name in ("ngrams", "tokens")}
    assert {name: float(part.sum) for name, part in loss.parts.items()} == pytest.approx(parts, rel=1e-4)
    whole = expected["ngrams"] + expected["tokens"] + expected["generator"] + 7.0 * 0.3 * expected["detection"]
    assert float(loss.sum.detach()) == pytest.approx(whole, rel=1e-4)
    assert loss.count == found.num_targets == loss.parts["ngrams"].count > 5
    assert loss.parts["tokens"].count == len(found.token_N) > loss.count


def test_the_text_does_not_see_its_queries(made: Any) -> None:
    """Another token in a query's place changes that query alone."""
    network, objective = network_of("bidirectional", 3), made(rate=0.4)
    shake(network)
    found = objective.corrupt(phrased(12), seed=0, progress=0.5).to("cpu")
    place = found.segments_BL, found.positions_BL, Ranks(found.ranks.shown_BL, found.ranks.sees_BL)
    before = network.hidden(found.tokens_BL, *place).flatten(0, 1)
    for query in (int(found.query_N[0]), int(found.query_N[-1])):  # behind the row, and within
        changed = found.tokens_BL.flatten().clone()
        changed[query] = 20
        after = network.hidden(changed.view_as(found.tokens_BL), *place).flatten(0, 1)
        assert ((before - after).abs().amax(1) > 1e-6).nonzero().flatten().tolist() == [query]


def test_what_it_cannot_do_is_said(made: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.positions"):
        made(backbones.create("encoder", layers=1, width=32, heads=2, positions="alibi").network(SIZE, 3, pad=0))
    alone = NgramMaskedLanguageModeling(lexicon(tmp_path / "alone", [[9], [12]]))
    with pytest.raises(InputError, match="no phrase of several tokens"):
        alone.bind(vocabulary())
    with pytest.raises(InputError, match="rate"):
        made(rate=0.0)
