"""Linear mode connectivity and CKA against formulas written out, on networks that differ by known amounts."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.connectivity import Questions, connectivity, similarity
from seedbed.evaluate.statistics import bootstrap_interval
from seedbed.evaluate.task import EvaluationContext, SystemRun, Task
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.save import save_model


def make(**parameters: Any) -> Task:
    return tasks.get("mode_connectivity").target(**parameters)  # type: ignore[no-any-return]


def neighbor(model: Model, folder: Path, size: float, seed: int = 1) -> Model:
    """The model with noise on its weights."""
    network, generator = model.network(), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=size)
    save_model(network, model.tokenizer().path, folder, {})
    return Model.open(folder)


def by_gram_matrices(x_TD: np.ndarray, y_TD: np.ndarray, weight_T: np.ndarray | None = None) -> float:
    """CKA as Kornblith et al. (2019) define it, by HSIC of centered Gram matrices (T, T); examples with weights."""
    weight_T = np.ones(len(x_TD)) if weight_T is None else weight_T
    share_T = weight_T / weight_T.sum()
    center_TT = np.eye(len(x_TD)) - share_T[None, :]
    k_TT, l_TT = (center_TT @ states @ states.T @ center_TT.T for states in (x_TD, y_TD))
    outer_TT = weight_T[:, None] * weight_T

    def hsic(one_TT: np.ndarray, two_TT: np.ndarray) -> float:
        return float((outer_TT * one_TT * two_TT).sum())

    return hsic(k_TT, l_TT) / math.sqrt(hsic(k_TT, k_TT) * hsic(l_TT, l_TT))


def test_connectivity_is_the_farthest_point_from_the_ends_mean() -> None:
    count_U = np.array([2.0, 3.0])
    barrier = np.array([[1.0, 2.0], [4.0, 1.5], [3.0, 2.0]])  # sums 3, 5.5, 5; the ends' mean is 4
    assert connectivity(barrier, count_U).value == pytest.approx((4 - 5.5) / 5)
    valley = np.array([[1.0, 1.0], [2.0, 1.0], [4.5, 1.0], [6.0, 3.0]])  # 2, 3, 5.5, 9: the ends do not count
    assert connectivity(valley, count_U).value == pytest.approx((5.5 - 3) / 5)
    drawn = bootstrap_interval(connectivity(barrier, count_U), seed=0)
    per_unit = np.array([2.0 - 4.0, 2.0 - 1.5])
    assert drawn.low == pytest.approx(per_unit[0] / 2) and drawn.high == pytest.approx(per_unit[1] / 3)


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_the_line_and_the_states_against_plain_forward_passes(
    kind: str, make_model: Any, corpus: Corpus, tmp_path: Path
) -> None:
    model = make_model(kind)
    other = neighbor(model, tmp_path / "other", 0.3)
    task: Any = make(corpus=corpus, other=other, points=5, max_documents=5, max_length=24, rate=0.3)
    context = EvaluationContext(model, baselines=False)
    result = task.run(context)
    (run,) = result.runs
    questions = task._questions(context, result.test_texts)
    first, second = model.network(), other.network()
    nats, errors, states = np.zeros(5), np.zeros(5), []
    for point in range(5):
        between = copy.deepcopy(first)
        mixed = {
            name: (1 - point / 4) * value.double() + point / 4 * second.state_dict()[name].double()
            for name, value in first.state_dict().items()
        }
        between.load_state_dict(mixed)
        for row, columns, targets in zip(questions.rows, questions.columns, questions.targets, strict=True):
            with torch.no_grad():
                hidden_TD = between.hidden(torch.tensor(row)[None])[0, columns]
                chances_TV = torch.log_softmax(between.logits(hidden_TD).double(), -1).numpy()
            nats[point] -= chances_TV[np.arange(len(targets)), targets].sum()
            errors[point] += (chances_TV.argmax(-1) != targets).sum()
            states.append((point, hidden_TD.double().numpy()))
    count = sum(map(len, questions.targets))
    assert result.counts == {"documents": 5, "rows": len(questions.rows), "targets": count}

    def lmc(values: np.ndarray) -> float:
        gaps = (values[0] + values[-1]) / 2 - values[1:-1]
        return float(max(gaps, key=abs)) / count

    ends = [np.concatenate([part for point, part in states if point == end]) for end in (0, 4)]
    expected = {"lmc": lmc(nats), "loss": (nats[0] + nats[4]) / 2 / count, "cka": by_gram_matrices(*ends)}
    for metric, wanted in expected.items():
        assert run.measures[metric].value == pytest.approx(wanted, abs=2e-5), metric
    assert run.measures["lmc_error"].value == pytest.approx(lmc(errors), abs=1.5 / count)  # ties of logits
    assert run.items.item == ["0", "0.25", "0.5", "0.75", "1"]
    assert list(run.items.score) == pytest.approx(list(nats / count), abs=2e-5)
    assert 0 < expected["cka"] < 0.99


def test_what_is_asked(encoder: Model, decoder: Model, corpus: Corpus) -> None:
    for model in (encoder, decoder):
        task: Any = make(corpus=corpus, other=model, max_length=16, max_documents=3)
        context = EvaluationContext(model)
        texts = [("a", "the gull sees the owl by the river . " * 6), ("", ""), ("b", "the crow hears the owl .")]
        asked, tokenizer = task._questions(context, texts), model.tokenizer().load()
        whole = [tokenizer.encode(text).ids for _, text in texts]
        assert max(map(len, asked.rows)) <= 16
        if model is decoder:
            parts = [ids[start : start + 16] for ids in whole for start in range(0, len(ids), 16)]
            parts = [part for part in parts if len(part) > 1]
            assert [[*row, targets[-1]] for row, targets in zip(asked.rows, asked.targets, strict=True)] == parts
            assert all((targets[:-1] == row[1:]).all() for row, targets in zip(asked.rows, asked.targets, strict=True))
        else:
            special = context.vocabulary.special_V
            for row, columns, targets in zip(asked.rows, asked.columns, asked.targets, strict=True):
                assert columns.tolist() == [
                    place for place, token in enumerate(row) if token == context.vocabulary.mask
                ]
                assert not special[targets].any()
        assert set(asked.units) == set(range(len(asked.count_U)))


def test_a_model_and_itself_and_a_rotation(decoder: Model, corpus: Corpus) -> None:
    (run,) = make(corpus=corpus, other=decoder, points=3).run(EvaluationContext(decoder, baselines=False)).runs
    assert run.measures["lmc"].value == run.measures["lmc_error"].value == 0
    assert run.measures["cka"].value == pytest.approx(1, abs=1e-12)
    interval = bootstrap_interval(run.measures["cka"])
    assert interval.low == pytest.approx(1) == interval.high


class Fixed:
    """A network whose hidden states are rows of a table."""

    def __init__(self, table_VD: np.ndarray) -> None:
        self.table = torch.from_numpy(table_VD)

    def parameters(self) -> Any:
        return iter([self.table])

    def hidden(self, tokens_BL: torch.Tensor, segments_BL: torch.Tensor | None) -> torch.Tensor:
        return self.table[tokens_BL]


def test_cka_and_the_linearization_behind_its_interval() -> None:
    dice = np.random.default_rng(0)
    one_VD = dice.normal(size=(40, 6)) + 3
    two_VD = one_VD @ dice.normal(size=(6, 6)) + dice.normal(size=(40, 6))
    rows = [dice.integers(0, 40, size).tolist() for size in (9, 5, 7, 4)]
    columns = [np.arange(len(row)) for row in rows]
    asked = Questions(rows, columns, columns, [0, 0, 1, 2])
    tokens, units = np.concatenate(rows), np.repeat(asked.units, [len(row) for row in rows])
    measure = similarity(Fixed(one_VD), Fixed(two_VD), asked, 0)
    value = by_gram_matrices(one_VD[tokens], two_VD[tokens])
    assert measure.value == pytest.approx(value, rel=1e-12)
    size = 1e-5
    for unit in range(3):
        up, down = (by_gram_matrices(one_VD[tokens], two_VD[tokens], 1 + s * (units == unit)) for s in (size, -size))
        assert measure.numerators_UK[unit, 0] - value / 3 == pytest.approx((up - down) / (2 * size), abs=1e-8)
    rotation_DD, _ = np.linalg.qr(dice.normal(size=(6, 6)))
    assert similarity(Fixed(one_VD), Fixed(5 * one_VD @ rotation_DD - 2), asked, 0).value == pytest.approx(1)
    assert similarity(Fixed(one_VD), Fixed(np.ones((40, 6))), asked, 0).value == 0


def test_the_floor_of_untrained_networks(decoder: Model, corpus: Corpus) -> None:
    runs = make(corpus=corpus, other=decoder, points=3, max_documents=4).run(EvaluationContext(decoder, seeds=2)).runs
    found: list[SystemRun] = [run for run in runs if run.system == "untrained"]
    assert [run.seed for run in found] == [0, 1]
    values = [run.measures["cka"].value for run in found]
    assert values[0] != values[1] and 0 < max(values) < 0.9


def test_models_that_cannot_be_compared(decoder: Model, encoder: Model, corpus: Corpus, tmp_path: Path) -> None:
    wide = backbones.create("decoder", layers=1, width=32, heads=2, max_length=64)
    save_model(wide.network(340, 7, pad=2), decoder.tokenizer().path, tmp_path / "wide", {})
    for other in (Model.open(tmp_path / "wide"), encoder):
        with pytest.raises(InputError, match="another architecture"):
            make(corpus=corpus, other=other).run(EvaluationContext(decoder))
    with pytest.raises(InputError, match="at least two ends"):
        make(corpus=corpus, other=decoder, points=2)
