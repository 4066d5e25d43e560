"""Step Law, the sweep that checks it, and the bowl in its result."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tiny_recipe import tiny_steps

from seedbed.compare.comparison import load_comparison
from seedbed.core.errors import InputError
from seedbed.core.files import write_json
from seedbed.models import backbones
from seedbed.scaling.bowl import Sweep, fit_bowl, judge, read_sweep
from seedbed.scaling.rate_law import fit_rate_law
from seedbed.scaling.recipe import Training, read_training
from seedbed.scaling.step_law import BATCH, RATE, suggest
from seedbed.scaling.sweep import comparison


def test_step_law_is_the_published_one() -> None:
    """Logarithms of equation 1, in decimal; and for 1 billion parameters and 100 billion tokens, the paper's own test
    point, a rate and a batch of the order that its grid holds (2.4e-4 to 2.2e-2; 2^15 to 2^22 tokens)."""
    for parameters, tokens in ((60e6, 2e9), (1e9, 100e9), (14e6, 300e6)):
        exponent = math.log10(1.79) - 0.713 * math.log10(parameters) + 0.307 * math.log10(tokens)
        assert RATE(parameters, tokens) == pytest.approx(10**exponent)
        assert BATCH(tokens) == pytest.approx(10 ** (math.log10(0.58) + 0.571 * math.log10(tokens)))
    assert 2.4e-4 < RATE(1e9, 100e9) < 2.2e-2
    assert 2**15 < BATCH(100e9) < 2**22


def test_a_suggestion_says_how_far_it_is_from_the_laws_data() -> None:
    near, far = suggest(400e6, 20e9, 2048), suggest(6e6, 200e9, 128)
    assert near.outside == []
    assert far.outside == [
        "parameters 10 times below the law's 6e+07 to 1.07e+09",
        "tokens 2 times above the law's 2e+09 to 1e+11",
    ]
    assert near.batch_tokens % 2048 == 0
    assert abs(near.batch_tokens - near.batch) <= 1024
    assert suggest(1e4, 1000, 128).batch_tokens == 128, "one row at least"
    with pytest.raises(InputError, match="--tokens"):
        suggest(1e6, 0, 128)


STEPS = {
    **tiny_steps(
        {"decoder": {"layers": 2, "width": 64, "heads": 2}},
        objective="clm",
        budget="100k tokens",
        length=64,
        batch_tokens=512,
    ),
    "longer": {"pretrain": {"model": "decoder", "data": {"world": 1.0}, "objective": "clm"}},
}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"steps": STEPS}, sort_keys=False))
    return path


def test_a_recipe_gives_its_size_without_embeddings_and_its_tokens(recipe: Path, tmp_path: Path) -> None:
    training = read_training(recipe, "decoder", [], tmp_path / "runs")
    network = backbones.create("decoder", layers=2, width=64, heads=2).network(300, 0)
    expected = sum(p.numel() for name, p in network.named_parameters() if name != "embedding.weight")
    assert training == Training("decoder", expected, 100_000, 64, 512, "adamw", 1e-3, "causal")
    steps = read_training(
        recipe, "decoder", ["decoder.budget=100 steps", "decoder.batch_tokens=600"], tmp_path / "runs"
    )
    assert steps.tokens == 100 * 9 * 64
    for step, problem in ((None, "which of the steps"), ("longer", "continues a model"), ("world", "unknown")):
        with pytest.raises(InputError, match=problem):
            read_training(recipe, step, [], tmp_path / "runs")


def test_a_sweep_is_a_comparison_around_the_suggestion(recipe: Path, tmp_path: Path) -> None:
    training = read_training(recipe, "decoder", [], tmp_path / "runs")
    suggestion = suggest(training.parameters, training.tokens, training.length)
    out = tmp_path / "below" / "sweep.yaml"
    out.parent.mkdir()
    content = comparison(recipe, training, suggestion, "decoder.loss", ["decoder.model.decoder.layers=1"], out)
    out.write_text(yaml.safe_dump(content, sort_keys=False))
    made = load_comparison(out)
    assert made.reference == "suggested"
    center = made.arms["suggested"]
    assert center["decoder.optimizer.adamw.lr"] == pytest.approx(suggestion.lr, rel=1e-3)
    assert center["decoder.batch_tokens"] == suggestion.batch_tokens
    rates = {arm["decoder.optimizer.adamw.lr"] / center["decoder.optimizer.adamw.lr"] for arm in made.arms.values()}
    assert sorted(rates) == pytest.approx([0.25, 0.5, 1, 2, 4], rel=1e-3)
    pairs = [tuple(arm.values()) for arm in made.arms.values()]
    assert len(pairs) == len(set(pairs)) == 15
    assert all(arm["decoder.batch_tokens"] % 64 == 0 for arm in made.arms.values())
    first = made.recipe.overridden(center).steps["decoder"]["pretrain"]
    assert first["model"]["decoder"]["layers"] == 1


LR, ROWS, LOW = 3e-3, 700.0, 3.2


def bowl(lr: np.ndarray, rows: np.ndarray) -> np.ndarray:
    x, y = np.log(lr / LR), np.log(rows / ROWS)
    return np.asarray(LOW + 0.05 * x**2 + 0.03 * y**2 + 0.01 * x * y)


def sweep(rates: list[float], batches: list[float]) -> Sweep:
    lr_A, batch_A = np.array(list(itertools.product(rates, batches))).T
    loss_A = bowl(lr_A, batch_A)
    return Sweep("made", [f"arm{i}" for i in range(len(lr_A))], lr_A, batch_A, loss_A[:, None])


RATES, BATCHES = [1e-3, 2e-3, 4e-3, 8e-3], [256.0, 512.0, 1024.0]


def test_a_bowl_comes_back() -> None:
    made = sweep(RATES, BATCHES)
    found = fit_bowl(made, made.loss_AS[:, 0])
    assert (found.lr, found.batch, found.loss) == pytest.approx((LR, ROWS, LOW), rel=1e-6)
    assert not found.problem
    far = made.loss_AS[:, 0] + 5.0 * (made.lr_A == 1e-3)  # unstable training far from the minimum changes nothing
    assert fit_bowl(made, far).lr == pytest.approx(LR, rel=1e-6)
    alone = sweep(RATES, [ROWS])
    assert fit_bowl(alone, alone.loss_AS[:, 0]).lr == pytest.approx(LR, rel=1e-6)
    assert fit_bowl(alone, alone.loss_AS[:, 0]).batch == ROWS


def test_no_optimum_is_made_up() -> None:
    edge = sweep([4e-3, 8e-3, 16e-3], BATCHES)
    assert "best lr lies at the edge" in fit_bowl(edge, edge.loss_AS[:, 0]).problem
    three = sweep(RATES[:3], BATCHES)
    x, y = np.log2(three.lr_A / 2e-3), np.log2(three.batch_A / 512)
    center = (x == 0) & (y == 0)
    saddle = np.where(center, 2.97, 3.0 - 0.02 * x**2 + 0.02 * y**2)
    assert "no bowl" in fit_bowl(three, saddle).problem
    valley = 3.0 + (x - 2 * y) ** 2 + 0.01 * (x + 2 * y - 3) ** 2  # its lowest point is at x = 1.5
    assert valley.argmin() == center.argmax()
    assert "far from the best arm" in fit_bowl(three, valley).problem
    alike = sweep([2e-3] * 3, [512.0])
    assert "the same rate and batch" in fit_bowl(alike, np.array([3.1, 3.0, 3.2])).problem


def result_of(made: Sweep, losses_AS: np.ndarray, suggested: int) -> dict[str, Any]:
    names = ["suggested" if i == suggested else name for i, name in enumerate(made.arms)]
    arms = {
        name: {
            "overrides": {"decoder.optimizer.adamw.lr": lr, "decoder.batch_tokens": rows},
            "values": {"loss": losses},
        }
        for name, lr, rows, losses in zip(
            names, made.lr_A.tolist(), made.batch_A.tolist(), losses_AS.tolist(), strict=True
        )
    }
    return {"metrics": {"loss": {"higher_is_better": False}}, "arms": arms}


def test_a_sweeps_result_is_judged(tmp_path: Path) -> None:
    made = sweep(RATES, BATCHES)
    noise_AS = 1e-4 * np.random.default_rng(1).standard_normal((len(made.arms), 4))
    write_json(tmp_path / "sweep.json", result_of(made, made.loss_AS + noise_AS, suggested=0))
    found = judge(read_sweep(tmp_path / "sweep.json"))
    assert found["best_arm"] == "arm7"  # 4e-3, 512
    assert found["lr_interval"][0] < LR < found["lr_interval"][1]
    assert found["batch_interval"][0] < ROWS < found["batch_interval"][1]
    assert found["gap"] == pytest.approx(made.loss_AS[0, 0] - LOW, abs=1e-3)
    result = result_of(made, made.loss_AS, suggested=0)
    for arm in result["arms"].values():  # what was changed in all arms alike comes first
        arm["overrides"] = {"other.optimizer.adamw.lr": 1e-2, "other.batch_tokens": 64, **arm["overrides"]}
    write_json(tmp_path / "sweep.json", result)
    again = read_sweep(tmp_path / "sweep.json")
    assert again.lr_A.tolist() == made.lr_A.tolist() and again.batch_A.tolist() == made.batch_A.tolist()
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(InputError, match="no result"):
        read_sweep(tmp_path / "sweep.json")


def sweep_of(name: str, parameters: float, tokens: float, noise: float = 1.0) -> Sweep:
    """Its bowl lies where LR = 2 N^-0.5 D^0.25 (times `noise`) and B = 0.7 D^0.6."""
    lr, rows = 2 * parameters**-0.5 * tokens**0.25 * noise, 0.7 * tokens**0.6
    lr_A, batch_A = np.array(list(itertools.product([lr / 3, lr / 1.4, 1.6 * lr], [rows / 2, rows * 1.1, rows * 2]))).T
    loss_A = LOW + 0.05 * np.log(lr_A / lr) ** 2 + 0.03 * np.log(batch_A / rows) ** 2
    return Sweep(name, [f"arm{i}" for i in range(9)], lr_A, batch_A, loss_A[:, None], parameters, tokens)


PLACES = [(1e6, 1e8), (4e6, 1e8), (1e6, 9e8), (16e6, 3e8)]


def test_several_sweeps_give_their_law() -> None:
    law = fit_rate_law([sweep_of(f"at{i}", *place) for i, place in enumerate(PLACES)])
    assert law.rate.law.factor == pytest.approx(2) and law.rate.law.exponents == pytest.approx((-0.5, 0.25))
    assert law.batch is not None and law.batch.law.exponents == pytest.approx((0.6,))
    assert law.rate.freedom == 1 and law.batch.freedom == 2
    value, span = law.rate.predicted(8e6, 5e8)
    assert value == pytest.approx(2 * 8e6**-0.5 * 5e8**0.25)
    assert span is not None and span[0] == pytest.approx(span[1])
    alone = fit_rate_law([sweep_of("small", 1e6, 1e8), sweep_of("long", 1e6, 9e8)])
    assert alone.rate.varied == (False, True) and alone.rate.exponent_intervals() == [None, None]
    assert alone.rate.law(1e6, 3e8) == pytest.approx(2 * 1e6**-0.5 * 3e8**0.25)


def test_a_laws_intervals_are_those_of_regression() -> None:
    """Against the textbook's formula with SciPy's quantile, on optima with noise."""
    from scipy import stats

    noises = (1.1, 0.9, 1.05, 1.0, 0.97)
    places = [*PLACES, (2e6, 2e8)]
    law = fit_rate_law([sweep_of(str(i), *place, noises[i]) for i, place in enumerate(places)])
    optima_S = [2 * n**-0.5 * d**0.25 * noise for (n, d), noise in zip(places, noises, strict=True)]
    design_SU = np.array([[1, math.log(n), math.log(d)] for n, d in places])
    found_U, rest, *_ = np.linalg.lstsq(design_SU, np.log(optima_S), rcond=None)
    error_U = np.sqrt(np.diag(np.linalg.inv(design_SU.T @ design_SU)) * rest[0] / 2)
    spans = law.rate.exponent_intervals()
    for place, span in enumerate(spans, 1):
        expected = stats.t.interval(0.95, 2, loc=found_U[place], scale=error_U[place])
        assert span == pytest.approx(expected, rel=1e-6)


def test_a_law_is_not_made_of_what_does_not_tell_it() -> None:
    def made(*places: tuple[float, float]) -> list[Sweep]:
        return [sweep_of(str(i), *place) for i, place in enumerate(places)]

    with pytest.raises(InputError, match="parameters and tokens vary"):
        fit_rate_law(made((1e6, 1e8), (2e6, 2e8), (4e6, 4e8)))
    with pytest.raises(InputError, match="no size vary"):
        fit_rate_law(made((1e6, 1e8), (1e6, 1e8)))
    edge = sweep(RATES, BATCHES)
    with pytest.raises(InputError, match="does not say what its runs cost"):
        fit_rate_law([edge, edge])
    steep = sweep_of("edge", 1e6, 1e8)
    steep = Sweep("edge", steep.arms, steep.lr_A, steep.batch_A, steep.lr_A[:, None], 1e6, 1e8)
    with pytest.raises(InputError, match="1 of 2 sweeps show an optimum"):
        fit_rate_law([steep, *made((2e6, 2e8))])
    assert fit_rate_law([steep, *made((1e6, 1e8), (1e6, 2e8))]).left_out == ("edge",)
