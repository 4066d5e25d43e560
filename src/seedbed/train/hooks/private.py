"""Training with differential privacy: gradients clipped row by row, noise on their sum, and an account of what it cost.

DP-SGD (Abadi et al., 2016, algorithm 1), for any optimizer that sees nothing of a batch but this gradient: what it
makes of it is private. A step's gradient is

    ( sum over rows of  g_i * min(1, clip / |g_i|)  +  noise * clip * N(0, I) ) / rows expected

where g_i is the gradient of the mean loss of row i over its targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seedbed.core import distributed
from seedbed.core.checks import check_positive, check_rate
from seedbed.core.counters import generator
from seedbed.core.errors import InputError, missing_extra
from seedbed.train import Intervention, interventions
from seedbed.train.budget import Every, check_in_steps

if TYPE_CHECKING:
    import torch

    from seedbed.train.run import Run

Accountant = Literal["rdp", "prv"]
History = list[tuple[float, float, int]]  # (noise multiplier, sampling rate, steps), one after the other


def epsilon_of(history: History, delta: float, accountant: Accountant) -> float:
    """What so many steps of the subsampled Gaussian mechanism cost, by Opacus' accountant."""
    try:
        from opacus.accountants import create_accountant
    except ImportError as error:
        raise missing_extra("opacus", "privacy", "privacy accounting") from error
    made = create_accountant(accountant)
    made.history = history
    return float(made.get_epsilon(delta))


def noise_for(epsilon: float, delta: float, rate: float, steps: int, accountant: Accountant) -> float:
    """The least noise multiplier (to about a percent of epsilon) that costs at most `epsilon`."""
    low, high = 0.0, 1.0
    while epsilon_of([(high, rate, steps)], delta, accountant) > epsilon:
        low, high = high, 2 * high
        if high > 1e6:
            raise InputError("epsilon", "no noise is enough for it", value=epsilon, fix="a larger epsilon or delta")
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        enough = epsilon_of([(middle, rate, steps)], delta, accountant) <= epsilon
        low, high = (low, middle) if enough else (middle, high)
    return high


@interventions.register("private", papers=["275"])
class Private(Intervention):
    """Differentially private training (DP-SGD, DP-Adam ...; Abadi et al., 2016): each row's gradient is clipped to norm
    `clip`, and Gaussian noise of standard deviation `noise` * `clip` is added to their sum.

    With the sampler `poisson` a row is a document, and epsilon at `delta` is accounted for by Opacus (extra `privacy`),
    from moments (`rdp`) or, tighter and slower, numerically (`prv`): for any two data sets of which one has a document
    more, the final weights' distributions are (epsilon, delta)-close. `epsilon`, where given, decides the noise in
    place of `noise`. Epsilon stands in the log every so many steps, and in the counts. With another sampler gradients
    are clipped and noised all the same, and no epsilon is claimed: it is null. The budget must count steps, since the
    number of tokens is random.

    What the number means, and what it does not:
    - Protected are the weights of this run (and its checkpoints' moments), against all that their holder may know. The
      run's folder is not for release: log, manifest and batches.bin tell exact losses, seeds and documents. Documents
      that share text (copies, one author's) are protected one by one only: remove duplicates first.
    - Noise and sampling are functions of the run's seed. Whoever knows the seed can subtract the noise, so the
      guarantee holds only against those who do not know it: a recipe's `seed: 17` protects nothing outside of
      studies, and the numbers' generators are not made for cryptography. Neither are the attacks on noise in
      floating-point numbers (Mironov, 2012) answered.
    - Not accounted for: tokenizer, curation and choice of settings, where private text had a say; a private run that
      this one continues (add up the epsilons); the number of documents; other interventions that decide by losses or
      gradients of the batch. This one must stand behind those that change gradients, else their change comes on top.

    Each row is a micro-batch of its own, which is exact for any network and costs speed: small products, and three
    passes over the gradient a row. Not implemented: ghost norms and other ways to have all rows' norms in one pass;
    several rows a document; 275's analysis of basins by interpolation.
    """

    def __init__(
        self,
        clip: float = 1.0,
        noise: float = 1.0,
        epsilon: float | None = None,
        delta: float = 1e-5,
        accountant: Accountant = "rdp",
        every: Every = Every(100, "steps"),
    ) -> None:
        check_positive(clip=clip, epsilon=1.0 if epsilon is None else epsilon)
        check_rate("noise", noise)
        check_in_steps(every=every)
        if not 0 < delta < 1:
            raise InputError("delta", "lies between 0 and 1", value=delta)
        self.clip, self.noise, self.epsilon, self.delta = clip, noise, epsilon, delta
        self.accountant, self.every = accountant, every
        self._history: History = []
        self._sum: torch.Tensor | None = None  # of clipped gradients, of this process's rows
        self._rows = 0

    def on_start(self, run: Run) -> None:
        """The noise, and whether there can be an account."""
        import torch

        if run.goal[1] != "steps":
            raise InputError("budget", "must count steps in private training", value=f"{run.goal[0]} {run.goal[1]}")
        if run.objective.memory:
            problem = "keeps counts of the data in its checkpoints, which no noise hides"
            raise InputError("interventions.private", problem, value=type(run.objective).__name__, fix="rts")
        assert run.gradients is not None
        self._sum = torch.zeros_like(run.gradients.flat)
        if not hasattr(run.stream, "rates"):
            if self.epsilon is not None:
                raise InputError("epsilon", "can be had with the sampler poisson alone", fix="sampler: poisson")
            run.say("private: rows are not drawn by the sampler poisson, so no epsilon can be claimed")
            return
        if self.delta * run.stream.num_documents >= 1:
            allowed = f"below 1 / {run.stream.num_documents}, the number of documents"
            raise InputError("delta", "would allow whole documents to be given away", value=self.delta, allowed=allowed)
        if self.epsilon is not None and not self._history:
            rate, steps = max(run.stream.rates(run.batch_rows)), run.goal[0]
            self.noise = noise_for(self.epsilon, self.delta, rate, steps, self.accountant)
            run.say(f"private: noise {self.noise:.4g} for epsilon {self.epsilon:g} at delta {self.delta:g}")

    def on_batch(self, run: Run) -> None:
        """One micro-batch a row, and no document in two rows."""
        assert run.batch is not None and self._sum is not None
        if getattr(run.optimizer, "wants_sampled_gradient", False):
            raise InputError("optimizer", "takes another gradient of the batch, which is not private", fix="adamw")
        self._sum.zero_()
        self._rows = 0
        run.micro_batches = len(run.batch.rows_B)
        if not hasattr(run.stream, "rates"):
            return
        pieces_N6 = run.batch.pieces_N6
        documents = len(np.unique(pieces_N6[:, 3:5], axis=0))
        if not len(pieces_N6) == documents == len(np.unique(pieces_N6[:, 0])):
            raise InputError("private", "another intervention has given a document more than one row, or part of one")
        rate = max(run.stream.rates(run.batch_rows))
        noise, last, steps = self._history.pop() if self._history else (self.noise, rate, 0)
        if (noise, last) == (self.noise, rate):
            self._history.append((noise, rate, steps + 1))
        else:
            self._history += [(noise, last, steps), (self.noise, rate, 1)]

    def after_micro_batch(self, run: Run, targets: int) -> None:
        """Take the row's gradient out of the buffer, and add what its norm may be."""
        import torch

        assert run.gradients is not None and run.batch is not None and self._sum is not None
        self._rows += 1
        if targets and len(run.batch.pieces_N6):
            norm = float(torch.linalg.vector_norm(run.gradients.flat)) / targets
            factor = self.clip / norm if norm > self.clip else 1.0
            self._sum.add_(run.gradients.flat, alpha=factor / targets)
        run.gradients.flat.zero_()

    def after_backward(self, run: Run) -> None:
        """The private gradient, the same in all processes, in place of the loop's."""
        import torch

        assert run.gradients is not None and run.batch is not None and self._sum is not None
        (rows,) = distributed.total([float(self._rows)])
        if rows != len(run.batch.rows_B):
            raise InputError("private", "another intervention has put several rows into one micro-batch")
        distributed.add(self._sum)
        flat = run.gradients.flat
        if self.noise:
            drawn = generator(run.seed, "private", run.step).standard_normal(flat.numel(), dtype=np.float32)
            self._sum.add_(torch.from_numpy(drawn).to(flat), alpha=self.noise * self.clip)
        flat.copy_(self._sum).div_(run.batch_rows)
        run.measure_gradients()
        if not run.metrics["targets"]:
            run.skip_update = False  # an update that is left out would tell that there was nothing

    def after_step(self, run: Run) -> None:
        """Epsilon so far, now and then."""
        if self.every.due(run.step, 0.0) or run.finished:
            run.metrics["epsilon"] = self._spent()

    def on_end(self, run: Run) -> None:
        """What it has cost in all."""
        counts: dict[str, Any] = run.counts
        counts.update(epsilon=self._spent(), delta=self.delta, noise=self.noise)

    def _spent(self) -> float | None:
        """Epsilon at `delta` of all steps so far; None where there is no bound."""
        return epsilon_of(self._history, self.delta, self.accountant) if self._history and self.noise else None

    def state_dict(self) -> dict[str, Any]:
        return {"history": [list(part) for part in self._history], "noise": self.noise}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._history = [(float(noise), float(rate), int(steps)) for noise, rate, steps in state["history"]]
        self.noise = float(state["noise"])
