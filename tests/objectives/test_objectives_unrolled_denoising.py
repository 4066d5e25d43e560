"""Unrolled denoising, against slow formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from train_world import MadeStream, batch_of, make_run, vocabulary_for

from seedbed.core.errors import InputError
from seedbed.objectives import objectives

END, PAD = 3, 0


def bound(**settings: Any) -> Any:
    made = objectives.create("unrolled_denoising", **settings)
    made.bind(vocabulary_for("bidirectional"))
    return made


def test_texts_are_cut_and_followed_by_end_and_padding() -> None:
    batch = MadeStream(1).next(30)
    examples = bound(room=0.5).corrupt(batch, seed=2, progress=0.0)
    original = examples.tokens_BL.ravel().copy()
    original[examples.where_T] = examples.targets_T
    whole = original.reshape(examples.tokens_BL.shape)
    is_target = np.isin(np.arange(whole.size), examples.where_T).reshape(whole.shape)
    found, spares = [], []
    for row in range(30):
        for segment in range(examples.segments_BL[row].max() + 1):
            inside = examples.segments_BL[row] == segment
            source, canvas = (whole[row][inside & (is_target[row] == side)].tolist() for side in (False, True))
            assert source[-1] == END and source.count(END) == 1
            end = canvas.index(END)
            assert end >= 1 and canvas[end + 1 :] == [PAD] * (len(canvas) - end - 1)
            assert len(canvas) - end - 1 <= np.ceil(0.5 * end)
            spares.append(len(canvas) - end - 1)
            found.append(source[:-1] + canvas[:end])
    texts = [batch.tokens_BL[row][batch.segments_BL[row] == segment] for row in range(30) for segment in range(2)]
    assert found == [text[text >= 5].tolist() for text in texts if (text >= 5).sum() > 1]
    assert min(spares) == 0 and max(spares) > 1


def test_the_share_of_random_tokens_is_even_and_what_they_are_too() -> None:
    batch = batch_of([[(5 + np.arange(60) % 59).tolist()]] * 2000, length=60)
    examples = bound(room=0.0, steps=3).corrupt(batch, seed=5, progress=0.0)
    shown_T = examples.tokens_BL.ravel()[examples.where_T]
    changed_T = shown_T != examples.targets_T
    row_T = examples.where_T // examples.tokens_BL.shape[1]
    share_B = np.bincount(row_T, changed_T) / np.bincount(row_T)
    long_B = np.bincount(row_T) > 30
    histogram = np.histogram(share_B[long_B], bins=5, range=(0, 1))[0] / long_B.sum()
    assert np.allclose(histogram, 0.2, atol=0.04)
    counts = np.bincount(shown_T[changed_T], minlength=64)
    assert counts[[1, 2, 4]].sum() == 0, "no special token but the end and padding"
    others = counts[[0, 3, *range(5, 64)]]
    assert others.min() > 0.7 * others.mean() and others.max() < 1.3 * others.mean()
    assert examples.draws_TK.shape == (len(examples.where_T), 2)
    assert abs(np.corrcoef(examples.draws_TK.T)[0, 1]) < 0.02


def test_each_step_reads_what_the_one_before_has_drawn() -> None:
    objective, network = bound(steps=3), make_run("unrolled_denoising").network
    examples = objective.corrupt(MadeStream(7).next(4), seed=0, progress=0.5).to("cpu")
    loss = objective.loss(network, examples)
    tokens, where = examples.tokens_BL.clone(), examples.where_T
    losses = []
    with torch.no_grad():
        for step in range(3):
            hidden = network.hidden(tokens, examples.segments_BL, examples.positions_BL)
            log_p = network.logits(hidden.flatten(0, 1)[where]).double().log_softmax(-1)
            losses.append(-float(log_p[torch.arange(len(where)), examples.targets_T].sum()))
            if step < 2:
                drawn = []
                for row, number in zip(log_p.exp().float(), examples.draws_TK[:, step].tolist(), strict=True):
                    drawn.append(int((row.double().cumsum(0) <= number * float(row.double().sum())).sum()))
                tokens.view(-1)[where] = torch.tensor(drawn)
    assert float(loss.sum.detach()) == pytest.approx(sum(losses) / 3, rel=1e-5)
    assert list(loss.parts) == ["step1", "step2", "step3"]
    for part, expected in zip(loss.parts.values(), losses, strict=True):
        assert float(part.sum) == pytest.approx(expected, rel=1e-5) and part.count == loss.count == len(where)


def test_flops_are_those_of_all_passes() -> None:
    architecture = make_run("unrolled_denoising").network.architecture
    once, twice = (bound(steps=steps).flops_per_token(architecture, 16, 0.5) for steps in (1, 2))
    assert once == architecture.flops_per_token(16, 0.5)
    assert twice == 2 * once + 2 * 0.5 * architecture.width * architecture.vocabulary_size


@pytest.mark.parametrize("given", [{"steps": 0}, {"share": 0.6}, {"room": -0.1}])
def test_settings_are_checked(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(given))):
        objectives.create("unrolled_denoising", **given)
