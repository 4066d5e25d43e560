"""Back-translation: what the network writes for a text, and the loss of the text behind it, by plain passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from train_world import MadeStream, batch_of, network_of, vocabulary_for

from seedbed.core.errors import InputError
from seedbed.data.artifact import TokenFile
from seedbed.objectives.back_translation import BackTranslation
from seedbed.objectives.base import Outputs
from seedbed.objectives.denoising_autoencoding import DenoisingAutoencoding
from seedbed.objectives.noising.reorder import Reorder

LANGUAGES = {"made": "t5", "second": "t6"}
PAD, END = 0, 3


def bilingual(number: int = 6) -> Any:
    """The rows of the made stream, of which every second document is of a second source, in another language."""
    batch = MadeStream(4).next(number)
    pieces = batch.pieces_N6.copy()
    pieces[:, 3] = np.arange(len(pieces)) % 2
    count = int(pieces[:, 4].max()) + 1
    nothing, ids = np.zeros(count, np.int64), [f"d{n}" for n in range(count)]
    files = (TokenFile(nothing, nothing, nothing, nothing, ids, [name] * count) for name in ("made", "second"))
    return replace(batch, pieces_N6=pieces, sources=("one", "two"), files=tuple(files))


def documents(batch: Any) -> list[tuple[list[int], int]]:
    """Each text without special tokens, and its source."""
    found = []
    for row, column, size, source, *_ in batch.pieces_N6:
        tokens = [token for token in batch.tokens_BL[row, column : column + size].tolist() if token >= 5]
        if tokens:
            found.append((tokens, int(source)))
    return found


def bound(objective: Any) -> Any:
    objective.bind(vocabulary_for(objective.attention))
    return objective


@torch.no_grad()
def shake(network: Any) -> None:
    """Small weights give even predictions, which would hide mistakes."""
    drawn = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=drawn) * 0.2)


def last_logits(network: Any, source: list[int], written: list[int]) -> Any:
    """Of what comes behind what is written, (V)."""
    read = torch.tensor([source])
    tokens = torch.tensor([[PAD, *written]])
    return network.logits(network.decoded(read, None, None, Outputs(tokens, None, None))[:, -1])[0].double()


@torch.no_grad()
def by_hand(network: Any, batch: Any, special: np.ndarray, longest: float) -> tuple[float, int, list[int]]:
    """The loss of all texts and the number of targets, token by token; and how long the translations are."""
    total, count, lengths = 0.0, 0, []
    forbidden = torch.from_numpy(special).clone()
    forbidden[END] = False
    for tokens, source in documents(batch):
        own, other = (5, 6) if source == 0 else (6, 5)
        written: list[int] = []
        while len(written) < int(np.ceil(longest * len(tokens))) + 2:
            logits = last_logits(network, [other, *tokens, END], written)
            said = int(logits.masked_fill(forbidden, -torch.inf).argmax())
            if said == END:
                break
            written.append(said)
        lengths.append(len(written))
        for place, target in enumerate([*tokens, END]):
            logits = last_logits(network, [own, *written, END], tokens[:place])
            total -= float(logits.log_softmax(-1)[target])
            count += 1
    return total, count, lengths


def test_loss_equals_a_slow_formula() -> None:
    network, objective = network_of("encoder-decoder", 3), bound(BackTranslation(LANGUAGES, longest=0.5))
    shake(network)
    batch = bilingual()
    examples = objective.corrupt(batch, seed=0, progress=0.5).to("cpu")
    loss = objective.loss(network, examples)
    special = vocabulary_for("encoder-decoder").special_V
    total, count, lengths = by_hand(network, batch, special, 0.5)
    assert loss.count == examples.num_targets == count
    assert float(loss.sum.detach()) == pytest.approx(total, rel=1e-4)
    assert max(lengths) > 2 and len(set(lengths)) > 2


def test_another_language_is_drawn_of_several() -> None:
    objective = bound(BackTranslation({**LANGUAGES, "third": "t7"}))
    batch = bilingual(40)
    found = objective.corrupt(batch, seed=0, progress=0.5)
    assert (found.own_S == np.array([5, 6])[[source for _, source in documents(batch)]]).all()
    assert (found.other_S != found.own_S).all()
    for own in (5, 6):
        others, counts = np.unique(found.other_S[found.own_S == own], return_counts=True)
        assert set(others.tolist()) == {5, 6, 7} - {own} and counts.min() > 8
    assert not np.array_equal(found.other_S, objective.corrupt(batch, seed=1, progress=0.5).other_S)


def test_a_prefix_decoder_writes_and_learns_too() -> None:
    network = network_of("prefix", 3)
    objective = bound(BackTranslation(LANGUAGES, network="prefix", temperature=1.0))
    losses = [
        objective.loss(network, objective.corrupt(bilingual(), seed=seed, progress=0.5).to("cpu")) for seed in (0, 0, 1)
    ]
    first, again, other = (float(loss.sum.detach()) for loss in losses)
    assert first == again != other, "what is drawn hangs on the seed alone"
    losses[0].sum.backward()
    assert all(p.grad is not None for name, p in network.named_parameters() if "type" not in name)


def test_denoising_says_which_language() -> None:
    noise: list[Any] = [Reorder(distance=1)]
    objective = bound(DenoisingAutoencoding(noise, languages=LANGUAGES))
    batch = bilingual()
    found = objective.corrupt(batch, seed=0, progress=0.5)
    plain = bound(DenoisingAutoencoding(noise)).corrupt(batch, seed=0, progress=0.5)
    assert np.array_equal(found.targets_T, plain.targets_T)
    starts = found.tokens_BL[(found.positions_BL == 0) & (found.segments_BL >= 0)]
    assert starts.tolist() == [5 + source for _, source in documents(batch)]
    assert objective.wanted_tokens() == ["t5", "t6"]


def test_what_it_cannot_do_is_said() -> None:
    with pytest.raises(InputError, match="two tokens"):
        BackTranslation({"made": "t5", "second": "t5"})
    with pytest.raises(InputError, match="no such token"):
        bound(BackTranslation({"made": "t5", "second": "other"}))
    with pytest.raises(InputError, match="no token for the domain 'second'"):
        bound(BackTranslation({"made": "t5", "third": "t6"})).corrupt(bilingual(), seed=0, progress=0.5)
    with pytest.raises(InputError, match="one of the two"):
        DenoisingAutoencoding(mode="t7", languages=LANGUAGES)
    nothing = bound(BackTranslation(LANGUAGES)).corrupt(batch_of([[[2, 3]]]), seed=0, progress=0.5)
    assert nothing.num_targets == 0
