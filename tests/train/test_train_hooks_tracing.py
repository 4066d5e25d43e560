"""What is measured while training: against slow formulas, in float64."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import resumed_equals_whole
from train_world import MadeStream, batch_of, log_without_times, make_loop, make_run, train

from seedbed.core.errors import InputError
from seedbed.train import interventions
from seedbed.train.hooks.activation_norms import moments
from seedbed.train.hooks.gradient_noise import unbiased
from seedbed.train.intervention import Intervention
from seedbed.train.run import Run


class Listed(MadeStream):
    """Held-out batches of two sources."""

    def named(self, source: str, rows: int) -> Any:
        batch = self.next(rows)
        batch.sources = (source,)
        return batch


def test_source_loss_is_each_sources_validation(tmp_path: Path) -> None:
    made = Listed(5)
    batches = [made.named("one", 3), made.named("one", 2), made.named("other", 4)]

    class Check(Intervention):
        def after_step(self, run: Run) -> None:
            if run.step == 4:
                whole = [run.evaluate(batch, seed=20, progress=1.0) for batch in batches]
                first = (whole[0].loss + whole[1].loss) / (whole[0].count + whole[1].count)
                self.wanted = {"A": first, "other": whole[2].loss / whole[2].count}
                self.mean = sum(total.loss for total in whole) / sum(total.count for total in whole)

    check = Check()
    chosen = [check, interventions.create("source_loss", every=4)]
    train(tmp_path, steps=6, interventions=chosen, held_out=lambda rows: batches, labels={"one": "A"})
    lines = log_without_times(tmp_path)
    assert ["source_loss" in line for line in lines] == [False, False, False, True, False, True]
    assert lines[3]["source_loss"] == pytest.approx(check.wanted, rel=1e-12)
    assert lines[3]["validation_loss"] == pytest.approx(check.mean, rel=1e-12)
    validated = [interventions.create("validate", every=4)]
    train(tmp_path / "validate", steps=6, interventions=validated, held_out=lambda rows: batches)
    assert log_without_times(tmp_path / "validate")[5]["validation_loss"] == lines[5]["validation_loss"]


def test_the_noise_scale_of_known_gradients() -> None:
    """Gradients of examples drawn from N(g, C): estimates from parts of unequal size have the right mean."""
    rng = np.random.default_rng(0)
    truth, deviation = np.array([1.0, -2.0, 0.5]), np.array([2.0, 1.0, 3.0])
    sizes = [3, 5, 8]
    found = []
    for _ in range(20000):
        sums = [rng.normal(truth, deviation, (size, 3)).sum(0) for size in sizes]
        squares = [((part / size) ** 2).sum() for part, size in zip(sums, sizes, strict=True)]
        whole = ((sum(sums) / 16) ** 2).sum()
        found.append(unbiased(float(np.mean(squares)), float(np.mean([1 / size for size in sizes])), whole, 16))
    signal, variance = np.mean(found, axis=0)
    assert signal == pytest.approx((truth**2).sum(), rel=0.02)
    assert variance == pytest.approx((deviation**2).sum(), rel=0.02)


def test_for_equal_parts_it_is_the_papers_formula() -> None:
    small, big, small_square, big_square = 4.0, 32.0, 7.0, 2.5
    signal, variance = unbiased(small_square, 1 / small, big_square, big)
    assert signal == pytest.approx((big * big_square - small * small_square) / (big - small))
    assert variance == pytest.approx((small_square - big_square) / (1 / small - 1 / big))


@pytest.mark.parametrize(("micro_tokens", "cuts"), [(48, [0, 3, 6, 8]), (1000, [0, 4, 8])])
def test_gradient_noise_is_from_the_micro_batches(micro_tokens: int, cuts: list[int], tmp_path: Path) -> None:
    """The first step's gradients again, by autograd alone; a single micro-batch is halved."""
    hook = interventions.create("gradient_noise", every=1)
    train(tmp_path, "clm", steps=1, interventions=[hook], micro_tokens=micro_tokens)
    run = make_run("clm")
    batch = run.stream.next(8)
    gradients, counts = [], []
    for start, stop in itertools.pairwise(cuts):
        run.network.zero_grad()
        examples = run.objective.corrupt(batch.select(slice(start, stop)), seed=3, progress=0.0)
        loss = run.objective.loss(run.network, examples.to("cpu"))
        loss.sum.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in run.network.parameters()]).double().numpy())
        counts.append(loss.count)
    total = sum(counts)
    small = np.mean([((g / n) ** 2).sum() for g, n in zip(gradients, counts, strict=True)])
    big = ((sum(gradients) / total) ** 2).sum()
    variance = (small - big) / (np.mean([1 / n for n in counts]) - 1 / total)
    signal = big - variance / total
    line = log_without_times(tmp_path)[0]
    assert hook.state_dict() == pytest.approx({"signal": signal, "variance": variance}, rel=1e-3)
    assert line["noise_scale"] == pytest.approx(variance / signal * batch.num_tokens / total, rel=1e-3)


def test_noise_is_averaged_before_the_division(tmp_path: Path) -> None:
    hook = interventions.create("gradient_noise", every=2, smoothing=0.5)
    seen = []

    class Watch(Intervention):
        def after_step(self, run: Run) -> None:
            seen.append(hook.state_dict())

    train(tmp_path, steps=6, interventions=[hook, Watch()])
    alone = interventions.create("gradient_noise", every=4, smoothing=0.0)
    train(tmp_path / "alone", steps=4, goal=(6, "steps"), interventions=[alone], save_every=_never())
    assert ["noise_scale" in line for line in log_without_times(tmp_path)] == [False, True] * 3
    assert seen[3]["signal"] == pytest.approx(0.5 * seen[1]["signal"] + 0.5 * alone.state_dict()["signal"], rel=1e-3)


def _never() -> Any:
    from seedbed.train.budget import Every

    return Every(0, "steps")


def test_measuring_changes_nothing_else(tmp_path: Path) -> None:
    """The same gradient up to the order of additions."""
    plain = train(tmp_path / "plain", steps=5)
    chosen = [interventions.create("gradient_noise", every=2), interventions.create("activation_norms", every=2)]
    measured = train(tmp_path / "measured", steps=5, interventions=chosen)
    for one, other in zip(plain.network.parameters(), measured.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["gradient_noise", "activation_norms", "gradient_norms", "source_loss"])
@pytest.mark.parametrize("killed_at", [2, 5])
def test_resume(name: str, killed_at: int, tmp_path: Path) -> None:
    def settings() -> dict[str, Any]:
        held_out = [MadeStream(5).next(4)]
        return {"interventions": [interventions.create(name, every=1)], "held_out": lambda rows: held_out}

    resumed_equals_whole(tmp_path, settings, killed_at)


def test_moments() -> None:
    values = np.random.default_rng(1).gamma(2.0, 3.0, 1000) - 1
    sums = [float((values**power).sum()) for power in (1, 2, 3, 4)]
    rms, kurtosis = moments(1000.0, *sums)
    centered = values - values.mean()
    assert rms == pytest.approx(np.sqrt((values**2).mean()))
    assert kurtosis == pytest.approx((centered**4).mean() / (centered**2).mean() ** 2)


def test_activation_norms_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    chosen = [interventions.create("activation_norms", every=2, modules=["layers.*", "final_norm"])]
    train(tmp_path, "clm", steps=3, interventions=chosen, schedule=lambda progress: 0.0)  # no learning
    lines = log_without_times(tmp_path)
    assert ["activation_rms" in line for line in lines] == [False, True, False]
    run = make_run("clm")
    run.stream.next(8)
    batch = run.stream.next(8)
    outputs: list[torch.Tensor] = []
    run.network.layers[1].register_forward_hook(lambda module, inputs, output: outputs.append(output))
    examples = run.objective.corrupt(batch, seed=3, progress=0.0).to("cpu")
    with torch.no_grad():
        run.network.hidden(examples.tokens_BL, examples.segments_BL, examples.positions_BL)
    values = outputs[0].double().numpy().ravel()
    centered = values - values.mean()
    assert list(lines[1]["activation_rms"]) == ["layers.0", "layers.1", "final_norm"]
    assert lines[1]["activation_rms"]["layers.1"] == pytest.approx(np.sqrt((values**2).mean()), rel=1e-5)
    wanted = (centered**4).mean() / (centered**2).mean() ** 2
    assert lines[1]["activation_kurtosis"]["layers.1"] == pytest.approx(wanted, rel=1e-5)


def test_gradient_norms_are_those_of_the_whole_batch_and_averaged(tmp_path: Path) -> None:
    hook = interventions.create("gradient_norms", every=2)
    done = train(tmp_path, "clm", steps=5, interventions=[hook], clip=1e-3, schedule=lambda progress: 0.0)
    lines = log_without_times(tmp_path)
    assert ["gradient_l1" in line for line in lines] == [False, True, False, True, False]
    slow: list[list[float]] = []
    run = make_run("clm")
    for step in range(4):
        batch = run.stream.next(8)
        run.network.zero_grad()
        loss = run.objective.loss(run.network, run.objective.corrupt(batch, seed=3, progress=step / 5).to("cpu"))
        (loss.sum / loss.count).backward()
        slow.append([float(layer.feedforward_out.weight.grad.abs().mean()) for layer in run.network.layers])
    names = [f"layers.{index}.feedforward_out.weight" for index in (0, 1)]
    for line, wanted in ((lines[1], slow[1]), (lines[3], slow[3])):
        assert line["gradient_l1"] == pytest.approx(dict(zip(names, wanted, strict=True)), rel=1e-4)
    ratio = (slow[1][0] + slow[3][0]) / (slow[1][1] + slow[3][1])
    assert done.counts["gradient_ratio"] == pytest.approx(ratio, rel=1e-4)


def test_errors_name_the_parameter() -> None:
    for name, parameters, named in (
        ("gradient_noise", {"every": "never"}, "every"),
        ("gradient_noise", {"smoothing": 1.0}, "smoothing"),
        ("activation_norms", {"every": "1 minutes"}, "every"),
        ("gradient_norms", {"every": "never"}, "every"),
    ):
        with pytest.raises(InputError, match=named):
            interventions.create(name, **parameters)
    with pytest.raises(InputError, match="no module has such a name"):
        make_loop(
            make_run(interventions=[interventions.create("activation_norms", modules=["blocks.*"])]), None
        ).train()
    with pytest.raises(InputError, match="no trained parameter has such a name"):
        make_loop(
            make_run(interventions=[interventions.create("gradient_norms", parameters=["blocks.*"])]), None
        ).train()
    with pytest.raises(InputError, match="two rows"):
        make_loop(make_run(rows=1, interventions=[interventions.create("gradient_noise")]), None).train()


def test_batches_of_one_target_and_none(tmp_path: Path) -> None:
    """A part without targets is left out of the mean."""

    class Short(MadeStream):
        def next(self, num_rows: int) -> Any:
            full = super().next(num_rows)
            return batch_of(
                [[[5]], [[6]], *[[row[:12].tolist()] for row in full.tokens_BL[2:]]], first_row=full.rows_B[0]
            )

    hook = interventions.create("gradient_noise", every=1)
    train(tmp_path, "clm", steps=2, interventions=[hook], stream=Short(3), micro_tokens=32)
    assert all(np.isfinite(list(hook.state_dict().values())))
