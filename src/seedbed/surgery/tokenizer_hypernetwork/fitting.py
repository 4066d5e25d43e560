"""Training the hypernetwork through a frozen model, with another random tokenizer in every step.

Shapes: B rows, L tokens a row, N tokens of a sampled vocabulary that are used in a step, S of them shared with the old
vocabulary, V old tokens, D width, P pieces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seedbed.core.counters import generator, key
from seedbed.core.errors import InputError
from seedbed.data.batch import Batch
from seedbed.models.scoring import settled
from seedbed.objectives.load import Load
from seedbed.optim.tool import ToolOptimizer
from seedbed.surgery.initializers.subtokens import mean_of_pieces
from seedbed.surgery.substitution import with_weights
from seedbed.surgery.tokenizer_hypernetwork.network import EmbeddingPredictor, Tables, arrays
from seedbed.surgery.tokenizer_hypernetwork.sampling import Candidates, Noise, Windows, sample_tokenizer
from seedbed.surgery.vocabulary.change import TABLES, tables_of
from seedbed.surgery.vocabulary.contexts import frame
from seedbed.surgery.vocabulary.match import by_surface
from seedbed.surgery.vocabulary.pieces import Decomposer
from seedbed.vocabulary.artifact import Vocabulary
from seedbed.vocabulary.roles import ROLES

if TYPE_CHECKING:
    from seedbed.models.artifact import Model
    from seedbed.objectives.base import Loss, Objective
    from seedbed.train.precision import Precision

Tensor = torch.Tensor
_CHARACTERS = 8  # of text for each token of a row
_EVERY = 50  # steps between lines of progress


class Frozen:
    """A model as training sees it: its network, of which nothing learns, its tables, and its pieces of any surface.

    `special` are the old ids of special tokens, which come first in every sampled vocabulary: those with a role, and
    those of `named` that the tokenizer has."""

    def __init__(
        self, model: Model, device: torch.device, say: Callable[[str], None], named: Iterable[str] = ()
    ) -> None:
        tokenizer = model.tokenizer()
        self.vocabulary = tokenizer.vocabulary()
        self.network = model.network(device, say)
        model.check_fit(self.network)
        self.network.requires_grad_(False).eval()
        settled(self.network)
        self.old: Tables = tables_of(self.network, self.vocabulary.size)
        roles = {role: getattr(self.vocabulary, role) for role in ROLES}
        by_name = {token: index for index, token in enumerate(self.vocabulary.tokens)}
        wanted = [*roles.values(), *(by_name.get(token) for token in named)]
        self.special = list(dict.fromkeys(index for index in wanted if index is not None))
        self.places = {role: None if index is None else self.special.index(index) for role, index in roles.items()}
        self.frame = frame(self.places, with_decoder=self.network.decoder is not None)
        self.plain_K = torch.from_numpy(np.flatnonzero(~self.vocabulary.special_V)).to(device)
        self._decomposer, self._pieces = Decomposer(tokenizer), dict[str, tuple[int, ...]]()
        self._ids = by_surface(tokenizer)

    def same(self, surface: str) -> int:
        """The old token that looks like this, -1 if there is none."""
        return self._ids.get(surface, -1)

    def pieces(self, surface: str) -> tuple[int, ...]:
        """Its pieces in the old vocabulary; a token of both is its only piece."""
        if surface not in self._pieces:
            same = self.same(surface)
            self._pieces[surface] = (same,) if same >= 0 else tuple(self._decomposer(surface))
        return self._pieces[surface]

    def loss(self, objective: Objective, made: Tables, examples: Any, same_N: Tensor) -> Loss:
        """The objective's loss with new tables: rows of special tokens are the old ones, then come those that are
        `made`. The logits' bias is as `change_vocabulary` will set it: the same token's, or the mean."""
        weights = {TABLES[name]: torch.cat((self.old[name][self.special], rows)) for name, rows in made.items()}
        if self.network.output_bias is not None:
            bias_V = self.network.output_bias[: self.vocabulary.size]
            bias_N = torch.where(same_N >= 0, bias_V[same_N.clamp(min=0)], bias_V.mean())
            weights["output_bias"] = torch.cat((bias_V[self.special], bias_N))
        found: Loss = with_weights(self.network, weights, lambda network: objective.loss(network, examples))
        return found


@dataclass(frozen=True)
class How:
    """How a hypernetwork is trained; see `train_tokenizer_hypernetwork`."""

    steps: int
    mimicry: int
    lr: float
    rows: int
    length: int
    size: int
    subsample: int
    noise: Noise
    similarity: float
    seed: int


@dataclass
class Sampled:
    """A step's rows in a sampled vocabulary, of which only some tokens are there (see `draw`)."""

    examples: Any
    pieces_P: Tensor
    token_P: Tensor
    same_N: Tensor
    read: int  # tokens of its texts

    @property
    def tokens(self) -> int:
        return len(self.same_N)


@dataclass
class Trained:
    """What training saw."""

    losses: list[float] = field(default_factory=list)
    mimicry: list[float] = field(default_factory=list)
    tokens: int = 0
    flops: float = 0.0


def draw(
    frozen: Frozen, objective: Objective, candidates: Candidates, windows: Windows, how: How, step: int
) -> Sampled:
    """A tokenizer, and texts cut by it. The vocabulary is cut down to the tokens of these texts and random others, at
    least `subsample` together, as the authors do; special tokens come first."""
    tokenizer = sample_tokenizer(candidates, how.size, how.noise, how.seed, step)
    first, last = frozen.frame
    room = how.length - len(first) - len(last)
    rows = [ids[:room] for ids in tokenizer.encode(windows.draw(how.seed, step, how.rows, _CHARACTERS * how.length))]
    used = np.unique(np.concatenate([np.array(row, dtype=np.int64) for row in rows]))
    others = np.setdiff1d(np.arange(len(tokenizer.surfaces)), used)
    extra = generator(how.seed, "other tokens", step).permutation(others)[: max(0, how.subsample - len(used))]
    chosen = np.sort(np.concatenate((used, extra)))
    places = dict(zip(chosen.tolist(), range(len(frozen.special), len(frozen.special) + len(chosen)), strict=True))
    batch = _batch([[*first, *(places[index] for index in row), *last] for row in rows], how, step, frozen)
    texts = [tokenizer.surfaces[index] for index in chosen]
    objective.bind(_vocabulary(frozen, texts))
    examples = objective.corrupt(batch, seed=key(how.seed, "zett"), progress=min(1.0, step / max(how.steps, 1)))
    device = frozen.old["input"].device
    pieces_P, token_P = arrays([frozen.pieces(text) for text in texts])
    same_N = torch.tensor([frozen.same(text) for text in texts], dtype=torch.int64)
    return Sampled(examples.to(device), pieces_P.to(device), token_P.to(device), same_N.to(device), batch.num_tokens)


def fit(
    predictor: EmbeddingPredictor,
    frozen: Frozen,
    objective: Objective,
    draws: Callable[[int], Sampled],
    how: How,
    precision: Precision,
    say: Callable[[str], None],
) -> Trained:
    """Mimicry, then the objective's loss and `similarity` times the distance of shared tokens."""
    found = Trained()
    device = frozen.old["input"].device
    if how.mimicry:
        optimizer = ToolOptimizer(predictor.parameters(), how.lr, how.mimicry)
        for step in range(how.mimicry):
            ids_N = frozen.plain_K[_drawn(len(frozen.plain_K), how, step)]
            made = predictor(ids_N, torch.arange(len(ids_N), device=device), len(ids_N), frozen.old)
            found.mimicry.append(_step(optimizer, distance(made, frozen.old, ids_N), "mimicry", step))
            found.flops += predictor.sizes.flops(len(ids_N), len(ids_N))
        say(f"mimicry: distance {found.mimicry[0]:.4f}, at the end {found.mimicry[-1]:.4f}")
    optimizer = ToolOptimizer(predictor.parameters(), how.lr, how.steps)
    for step in range(how.steps):
        sampled = draws(step)
        made = predictor(sampled.pieces_P, sampled.token_P, sampled.tokens, frozen.old)
        with precision.autocast(device):
            loss = frozen.loss(objective, made, sampled.examples, sampled.same_N)
        total = loss.sum / max(loss.count, 1) + how.similarity * distance(made, frozen.old, sampled.same_N)
        _step(optimizer, total, "training", step)
        found.losses.append(float(loss.sum.detach()) / max(loss.count, 1))
        found.tokens += sampled.read
        architecture = replace(frozen.network.architecture, vocabulary_size=sampled.tokens)
        found.flops += predictor.sizes.flops(len(sampled.pieces_P), sampled.tokens)
        found.flops += Load.of([sampled.examples]).flops(architecture, objective)
        if (step + 1) % _EVERY == 0:
            say(f"step {step + 1} of {how.steps}, loss {np.mean(found.losses[-_EVERY:]):.4f}")
    return found


@torch.no_grad()
def measure(
    predictor: EmbeddingPredictor, frozen: Frozen, objective: Objective, samples: Iterator[Sampled]
) -> dict[str, float]:
    """The loss (nats a target) with predicted embeddings, and with the mean of the pieces, on the same rows."""
    sums = {"loss": 0.0, "loss_of_pieces": 0.0}
    count = 0
    for sampled in samples:
        means = {
            name: mean_of_pieces(old_VD, sampled.pieces_P, sampled.token_P, sampled.tokens)
            for name, old_VD in frozen.old.items()
        }
        made = predictor.predict(sampled.pieces_P, sampled.token_P, sampled.tokens, frozen.old)
        for name, tables in (("loss", made), ("loss_of_pieces", means)):
            loss = frozen.loss(objective, tables, sampled.examples, sampled.same_N)
            sums[name] += float(loss.sum)
        count += loss.count
    return {name: round(value / max(count, 1), 6) for name, value in sums.items()}


def distance(made: Mapping[str, Tensor], old: Mapping[str, Tensor], same_N: Tensor) -> Tensor:
    """Of tokens that the old vocabulary has (`same_N` is not negative): the mean squared distance of their new and old
    embeddings over the mean length of the old ones, the mean of both tables. 0 where there are none."""
    shared_S = same_N >= 0
    if not bool(shared_S.any()):
        return next(iter(made.values())).sum() * 0.0
    found = []
    for name, rows_ND in made.items():
        wanted_SD = old[name][same_N[shared_S]]
        squares_S = (rows_ND[shared_S] - wanted_SD).square().sum(1)
        found.append(squares_S.mean() / wanted_SD.norm(dim=1).mean())
    return torch.stack(found).mean()


def _step(optimizer: ToolOptimizer, loss: Tensor, phase: str, step: int) -> float:
    value = optimizer.step(loss)
    if not math.isfinite(value):
        raise InputError("lr", f"the loss of {phase}'s step {step + 1} is not finite", fix="a lower rate")
    return value


def _drawn(number: int, how: How, step: int) -> Tensor:
    """Which of the old tokens a step of mimicry takes, each at most once."""
    return torch.from_numpy(generator(how.seed, "mimicry", step).permutation(number)[: how.subsample])


def _batch(rows: list[list[int]], how: How, step: int, frozen: Frozen) -> Batch:
    shape = len(rows), how.length
    tokens_BL, segments_BL = np.full(shape, frozen.places["pad"] or 0), np.full(shape, -1)
    for row, ids in enumerate(rows):
        tokens_BL[row, : len(ids)], segments_BL[row, : len(ids)] = ids, 0
    positions_BL = np.broadcast_to(np.arange(how.length), shape).copy()
    numbers_B = step * how.rows + np.arange(len(rows))
    return Batch(tokens_BL, segments_BL, positions_BL, numbers_B, np.zeros((0, 6), np.int64), ())


def _vocabulary(frozen: Frozen, texts: list[str]) -> Vocabulary:
    """The vocabulary of a step, as objectives want it."""
    special = len(frozen.special)
    size = special + len(texts)
    special_V = np.arange(size) < special
    word_start_V = np.array([True] * special + [text[:1].isspace() for text in texts])
    names = [frozen.vocabulary.tokens[index] for index in frozen.special]
    return Vocabulary(size, **frozen.places, tokens=[*names, *texts], special_V=special_V, word_start_V=word_start_V)
