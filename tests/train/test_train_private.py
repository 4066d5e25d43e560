"""Private training: clipping row by row, the noise, the account, and that nothing of it is lost on the way."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from interruption import resumed_equals_whole
from opacus.accountants import RDPAccountant, create_accountant
from opacus.accountants.utils import get_noise_multiplier
from processes import launch
from safetensors.torch import load_file
from test_train_distributed import last
from train_world import LENGTH, SIZE, MadeStream, Watch, make_loop, make_run, objective_of, train

from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.data import samplers
from seedbed.data.artifact import TokenFile
from seedbed.objectives import objectives
from seedbed.optim import optimizers
from seedbed.train.budget import Every
from seedbed.train.hooks.private import Private, epsilon_of, noise_for
from seedbed.train.intervention import Intervention
from seedbed.train.metrics import METRICS
from seedbed.train.run import Run


def poisson(number: int = 400, seed: int = 3, longest: int = 3 * LENGTH) -> Any:
    """A Poisson stream over documents of one token and more."""
    dice = generator(1, "documents")
    lengths = dice.integers(1, longest, number)
    tokens = dice.integers(5, SIZE, lengths.sum()).astype(np.uint16)
    ids = [f"d{index}" for index in range(number)]
    file = TokenFile(tokens, np.cumsum(lengths) - lengths, lengths, lengths, ids)
    return samplers.create("poisson").stream({"made": file}, {"made": 1.0}, LENGTH, 0, seed)


def watched(private: Private, **extra: Any) -> tuple[Watch, Run]:
    watch = Watch()
    return watch, train(None, interventions=[private, watch], clip=0.0, **{"steps": 1, **extra})


def row_gradients(run: Run, batch: Any, seed: int = 3) -> list[torch.Tensor]:
    """Each row's, by itself, of its mean loss: in float64 where it is summed up."""
    found = []
    for row in range(len(batch.rows_B)):
        example = run.objective.corrupt(batch.select(slice(row, row + 1)), seed=seed, progress=run.coming_progress())
        loss = run.objective.loss(run.network, example.to("cpu"))
        wanted = [parameter for parameter in run.network.parameters() if parameter.requires_grad]
        parts = torch.autograd.grad(loss.sum / max(1, loss.count), wanted, materialize_grads=True)
        found.append(torch.cat([part.flatten() for part in parts]).double())
    return found


@pytest.mark.parametrize("objective", ["mlm", "clm"])
@pytest.mark.parametrize("micro_tokens", [LENGTH, 4 * LENGTH])
def test_every_row_is_clipped_by_itself(objective: str, micro_tokens: int) -> None:
    fresh = make_run(objective, steps=1, rows=6)
    rows = row_gradients(fresh, MadeStream(3).next(6))
    norms = sorted(float(row.norm()) for row in rows)
    limit = (norms[2] + norms[3]) / 2  # some are above it and some below
    watch, _ = watched(Private(clip=limit, noise=0.0), objective=objective, rows=6, micro_tokens=micro_tokens)
    wanted = sum(row * min(1.0, limit / max(float(row.norm()), 1e-30)) for row in rows) / 6
    torch.testing.assert_close(watch.gradients[0].double(), wanted, rtol=1e-4, atol=1e-7)
    assert float(wanted.norm()) < float((sum(rows) / 6).norm())


def test_one_document_moves_the_sum_by_at_most_the_limit() -> None:
    """The sensitivity that the account assumes, on batches that differ in one document."""
    limit = 0.3
    stream = poisson()
    batch = stream.next(12)
    others = [batch.select(slice(0, len(batch.rows_B) - 1)), batch]

    class Fixed(MadeStream):
        def __init__(self, given: Any) -> None:
            super().__init__(3)
            self.given = given

        def next(self, num_rows: int) -> Any:
            return self.given

    settings: dict[str, Any] = {"objective": "clm", "rows": 12}
    runs = [watched(Private(clip=limit, noise=0.0), **settings, stream=Fixed(one)) for one in others]
    first, second = (watch.gradients[0] * 12 for watch, _ in runs)
    moved = float((second - first).norm())
    assert 0.5 * limit < moved <= limit * (1 + 1e-4)


def test_the_noise_is_normal_with_the_stated_deviation_and_new_in_every_step() -> None:
    settings: dict[str, Any] = {"rows": 4, "steps": 1}
    silent, _ = watched(Private(clip=0.5, noise=0.0), **settings)
    noisy, _ = watched(Private(clip=0.5, noise=2.0), **settings)
    drawn = ((noisy.gradients[0] - silent.gradients[0]) * 4 / (2.0 * 0.5)).double().numpy()
    number = len(drawn)
    assert number > 20_000
    assert abs(drawn.mean()) < 4 / math.sqrt(number)
    assert abs(drawn.std() - 1) < 4 / math.sqrt(2 * number)
    assert abs((drawn**4).mean() - 3) < 4 * math.sqrt(96 / number)
    grid = np.sort(drawn)
    normal = 0.5 * (1 + np.array([math.erf(value / math.sqrt(2)) for value in grid]))
    assert np.abs(normal - np.arange(1, number + 1) / number).max() < 1.95 / math.sqrt(number)  # Kolmogorov, 0.1%

    several, _ = watched(Private(clip=1e-9, noise=1e9), **{**settings, "steps": 2, "save_every": Every(0, "steps")})
    first, second = (gradient.double() for gradient in several.gradients)
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 5 / math.sqrt(number)
    other, _ = watched(Private(clip=1e-9, noise=1e9), **settings, seed=4)
    assert abs(float(torch.corrcoef(torch.stack([first, other.gradients[0].double()]))[0, 1])) < 5 / math.sqrt(number)


def test_a_step_without_documents_or_targets_is_noise_and_still_a_step() -> None:
    stream = poisson()
    stream.rates = lambda rows: [0.0]
    before = make_run("mlm", steps=1).network
    watch, run = watched(Private(noise=1.0), stream=stream, rows=8)
    assert len(watch.batches[0].pieces_N6) == 0 and run.counts["steps_without_targets"] == 1
    assert abs(float(watch.gradients[0].std()) * 8 - 1) < 0.02
    moved = [not torch.equal(a, b) for a, b in zip(run.network.parameters(), before.parameters(), strict=True)]
    assert any(moved)

    start = make_run("mlm", steps=1)
    weights = torch.nn.utils.parameters_to_vector(start.network.parameters()).detach()
    settings: dict[str, Any] = {"network": start.network, "optimizer": torch.optim.SGD(start.network.parameters(), 1.0)}
    train(None, interventions=[Private(noise=1.0)], stream=stream, rows=8, steps=1, clip=1e-2, **settings)
    step = torch.nn.utils.parameters_to_vector(start.network.parameters()).detach() - weights
    rate = settings["optimizer"].param_groups[0]["lr"]
    assert float(step.norm()) == pytest.approx(1e-2 * rate, rel=1e-3), "clipped as in every other step"

    causal, _ = watched(Private(noise=0.0), stream=stream, rows=8, objective="clm")  # here the empty row has a target
    assert not causal.gradients[0].any()


def test_epsilon_of_full_batches_is_the_gaussian_mechanism_s() -> None:
    """With q = 1 the moments are alpha / (2 sigma^2) a step (Mironov, 2017, proposition 7); the conversion is that of
    Balle et al. (2020, theorem 21), as in the log of Opacus' own function."""
    sigma, steps, delta = 5.0, 30, 1e-5
    orders = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64))
    wanted = min(
        steps * a / (2 * sigma**2) + math.log1p(-1 / a) - (math.log(delta) + math.log(a)) / (a - 1) for a in orders
    )
    assert epsilon_of([(sigma, 1.0, steps)], delta, "rdp") == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("accountant", ["rdp", "prv"])
def test_the_log_s_epsilon_is_opacus_own(accountant: Any, tmp_path: Path) -> None:
    private = Private(noise=1.3, delta=1e-4, accountant=accountant, every=Every(3, "steps"))
    stream = poisson()
    run = train(tmp_path, "clm", interventions=[private], stream=stream, rows=8, steps=7)
    theirs = create_accountant(accountant)
    wanted = {}
    for step in range(1, 8):
        theirs.step(noise_multiplier=1.3, sample_rate=8 / stream.num_documents)
        wanted[step] = theirs.get_epsilon(1e-4)
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    found = {line["step"]: line["epsilon"] for line in lines if "epsilon" in line}
    assert found == pytest.approx({step: wanted[step] for step in (3, 6, 7)}, rel=1e-12)
    assert run.counts["epsilon"] == found[7] and run.counts["delta"] == 1e-4 and run.counts["noise"] == 1.3


def test_weights_that_change_are_accounted_for_step_by_step() -> None:
    class Fewer(Intervention):
        def before_step(self, run: Run) -> None:
            run.batch_rows = 8 if run.step < 2 else 4

    stream = poisson()
    run = train(None, "clm", interventions=[Fewer(), Private(delta=1e-4)], stream=stream, rows=8, steps=5)
    theirs = RDPAccountant()
    for rows in (8, 8, 4, 4, 4):
        theirs.step(noise_multiplier=1.0, sample_rate=rows / stream.num_documents)
    assert run.counts["epsilon"] == pytest.approx(theirs.get_epsilon(1e-4))


def test_the_noise_for_an_epsilon() -> None:
    mine = noise_for(3.0, 1e-5, 0.02, 200, "rdp")
    theirs = get_noise_multiplier(
        target_epsilon=3.0, target_delta=1e-5, sample_rate=0.02, steps=200, epsilon_tolerance=1e-3
    )
    assert mine == pytest.approx(theirs, rel=5e-3)
    assert 2.97 < epsilon_of([(mine, 0.02, 200)], 1e-5, "rdp") <= 3.0

    private = Private(epsilon=3.0, delta=1e-4)
    run = train(None, "clm", interventions=[private], stream=poisson(), rows=8, steps=5)
    assert 2.9 < run.counts["epsilon"] <= 3.0 and run.counts["noise"] == private.noise != 1.0


def test_resuming_is_bitwise(tmp_path: Path) -> None:
    def settings() -> dict[str, Any]:
        private = Private(epsilon=4.0, delta=1e-4, every=Every(4, "steps"))
        return {"interventions": [private], "stream": poisson(), "rows": 8, "steps": 9}

    resumed_equals_whole(tmp_path, settings, 5, 7)


def test_without_poisson_sampling_no_epsilon_is_claimed() -> None:
    said: list[str] = []
    run = train(None, interventions=[Private()], steps=2, say=said.append)
    assert run.counts["epsilon"] is None and any("no epsilon can be claimed" in line for line in said)
    with pytest.raises(InputError, match="sampler poisson alone"):
        train(None, interventions=[Private(epsilon=2.0)], steps=2)
    bare = train(None, interventions=[Private(noise=0.0, delta=1e-4)], steps=2, stream=poisson())
    assert bare.counts["epsilon"] is None


def test_what_would_break_the_account_is_refused() -> None:
    class Whole(Intervention):
        def on_batch(self, run: Run) -> None:
            run.micro_batches = 1

    class Cut(Intervention):
        def on_batch(self, run: Run) -> None:
            assert run.batch is not None
            run.batch = run.batch.cut(2)

    with pytest.raises(InputError, match="several rows into one micro-batch"):
        train(None, interventions=[Private(), Whole()], steps=1)
    with pytest.raises(InputError, match="more than one row"):
        train(None, "clm", interventions=[Cut(), Private(delta=1e-4)], stream=poisson(), steps=1)
    with pytest.raises(InputError, match="count steps"):
        run = make_run(interventions=[Private()], goal=(100, "tokens"))
        make_loop(run, None).train()
    with pytest.raises(InputError, match="below 1 / "):
        train(None, "clm", interventions=[Private(delta=0.5)], stream=poisson(), steps=1)
    network = make_run("clm").network
    sophia = optimizers.create("sophia").build(network)  # its curvature is from the rows as they are
    with pytest.raises(InputError, match="another gradient of the batch"):
        train(None, "clm", interventions=[Private()], network=network, optimizer=sophia, steps=1)
    minutes = Every(1, "minutes")
    for settings in ({"clip": 0}, {"noise": -1}, {"epsilon": 0}, {"delta": 0}, {"delta": 1}, {"every": minutes}):
        with pytest.raises(InputError):
            Private(**settings)


def test_the_optimizer_does_not_matter_to_the_gradient() -> None:
    """The private gradient is what every rule gets: one step of two rules from the same weights."""
    run = make_run("clm", steps=1)
    again = copy.deepcopy(run.network)
    plain = torch.optim.SGD(run.network.parameters(), lr=0.1)
    one, _ = watched(Private(), objective="clm")
    other, _ = watched(Private(), objective="clm", network=run.network, optimizer=plain)
    assert torch.equal(one.gradients[0], other.gradients[0])
    start, end = (torch.cat([p.detach().flatten() for p in network.parameters()]) for network in (again, run.network))
    lr = plain.param_groups[0]["lr"]
    torch.testing.assert_close(end, start - lr * other.gradients[0])


def test_every_objective_can_be_private() -> None:
    for name in objectives.names():
        if objective_of(name).memory:
            with pytest.raises(InputError, match="keeps counts of the data"):
                watched(Private(), objective=name, rows=5)
            continue
        watch, _ = watched(Private(clip=1e-3, noise=0.0), objective=name, rows=5)
        assert 0 < float(watch.gradients[0].norm()) <= 1e-3 * (1 + 1e-4)


TWO = """
    import sys
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from seedbed.core import distributed
    from seedbed.train.hooks.private import Private
    from train_world import train
    distributed.setup()
    train(Path(sys.argv[1]), "clm", rows=5, steps=4, interventions=[Private(clip=0.2, noise=0.01)])
"""


def test_two_processes_equal_one(tmp_path: Path) -> None:
    launch(TWO, tmp_path, tmp_path / "two")
    train(tmp_path / "one", "clm", rows=5, steps=4, interventions=[Private(clip=0.2, noise=0.01)])
    one, two = (load_file(last(tmp_path / name) / "model.safetensors") for name in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-5, msg=name)
