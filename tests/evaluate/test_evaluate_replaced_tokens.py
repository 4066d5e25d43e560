"""The task replaced_tokens: what replaces tokens, and judgements by known heads and by slow formulas."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate.masking import counts_of_neighbors
from seedbed.evaluate.suite.replaced_tokens import ReplacedTokens, Row, _odds, _others
from seedbed.evaluate.task import EvaluationContext, TaskResult
from seedbed.models.artifact import Model
from seedbed.models.detection import DetectionHead, load_head, save_head


def test_others_are_drawn_by_frequency_and_never_the_token_itself() -> None:
    chances_V = np.array([0.0, 0.4, 0.1, 0.0, 0.5])
    grid_T = (np.arange(1000) + 0.5) / 1000
    for token in range(5):
        drawn_T = _others(np.full(1000, token), np.cumsum(chances_V), grid_T)
        wanted_V = np.where(np.arange(5) == token, 0.0, chances_V)
        assert np.bincount(drawn_T, minlength=5) / 1000 == pytest.approx(wanted_V / wanted_V.sum(), abs=2e-3)


@pytest.fixture
def judge(encoder: Model, tmp_path: Path) -> Any:
    """The encoder with a head of this bias, and of weights of this size."""

    def of(bias: float, weights: float = 0.0) -> EvaluationContext:
        folder = tmp_path / f"{bias}-{weights}"
        shutil.copytree(encoder.path, folder)
        head = DetectionHead(encoder.network().architecture, "detection", 1)  # type: ignore[attr-defined]
        with torch.no_grad():
            head.dense_prediction.weight.normal_(generator=torch.Generator().manual_seed(3)).mul_(weights)
            head.dense_prediction.bias.fill_(bias)
        save_head(head, folder)
        return EvaluationContext(Model.open(folder), seeds=1)

    return of


def values(result: TaskResult, system: str) -> dict[str, float]:
    run = next(run for run in result.runs if run.system == system)
    return {name: measure.value for name, measure in run.measures.items()}


@pytest.mark.parametrize("sign", [-1, 1])
def test_one_word_for_all_tokens(sign: int, judge: Any, corpus: Corpus) -> None:
    result = ReplacedTokens(corpus, max_length=32).run(judge(4.0 * sign))
    share = result.counts["replaced"] / result.counts["tokens"]
    assert 0.08 < share < 0.25
    wrong = (1 - share) if sign > 0 else share
    nats = np.logaddexp(0, -4.0) * (1 - wrong) + np.logaddexp(0, 4.0) * wrong
    assert values(result, "model") == pytest.approx(
        {"balanced_accuracy": 0.5, "found": float(sign > 0), "kept": float(sign < 0), "nats": nats}
    )
    assert {run.system for run in result.runs} == {"model", "untrained", "neighbors"}


def test_each_token_is_judged_where_it_stands(judge: Any, corpus: Corpus) -> None:
    """Row by row, by the network and the head alone."""
    context = judge(0.1, 0.5)
    task = ReplacedTokens(corpus, max_length=32)
    result = task.run(context)
    texts = [(str(d["id"]), str(d["text"])) for d in corpus.documents("test")]
    coder = context.coder(32)
    counted = counts_of_neighbors(context, coder, corpus, "train", 5_000)
    rows = task._rows(context, coder, sorted(texts), counted)
    head = load_head(context.model.path, context.trained.architecture)
    found: list[tuple[bool, bool]] = []
    special = context.vocabulary.special_V
    for row in rows:
        assert (row.ids != row.truth)[row.columns_T].tolist() == row.replaced_T.tolist()
        assert not special[row.ids[row.columns_T[row.replaced_T]]].any() and len(row.ids) <= 32
        with torch.no_grad():
            logits_L = head(context.trained.hidden(torch.from_numpy(row.ids)[None])[0])
        found += [(bool(logits_L[c] > 0), bool(r)) for c, r in zip(row.columns_T, row.replaced_T, strict=True)]
    model = values(result, "model")
    hits = [called for called, replaced in found if replaced]
    assert len(hits) == result.counts["replaced"] and 0 < sum(hits) < len(hits)
    assert model["found"] == pytest.approx(sum(hits) / len(hits))
    assert model["kept"] == pytest.approx(np.mean([not called for called, replaced in found if not replaced]))
    assert model["balanced_accuracy"] == pytest.approx((model["found"] + model["kept"]) / 2)


def test_the_odds_of_counts() -> None:
    class Counted:
        unigram_V = np.array([0.1, 0.6, 0.3])

        def distribution(self, left: int | None, right: int | None) -> np.ndarray:
            return {(None, 2): np.array([0.2, 0.7, 0.1]), (1, None): np.array([0.5, 0.25, 0.25])}[left, right]

    row = Row(0, np.array([1, 2]), np.array([1, 0]), np.array([0, 1]), np.array([False, True]))
    wanted = [np.log(0.2 * 0.6 / (0.8 * 0.7)), np.log(0.2 * 0.3 / (0.8 * 0.25))]
    assert _odds(row, Counted(), 0.2) == pytest.approx(wanted)  # type: ignore[arg-type]


def test_a_model_without_a_head_is_refused(encoder: Model, decoder: Model, corpus: Corpus) -> None:
    with pytest.raises(InputError, match="has no head that judges tokens"):
        ReplacedTokens(corpus).run(EvaluationContext(encoder))
    with pytest.raises(InputError, match="bits_per_byte"):
        ReplacedTokens(corpus).run(EvaluationContext(decoder))
    with pytest.raises(InputError, match="rate"):
        ReplacedTokens(corpus, rate=1.0)
