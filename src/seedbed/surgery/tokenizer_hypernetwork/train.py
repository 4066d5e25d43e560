"""The step `train_tokenizer_hypernetwork`: something that gives a model embeddings for any tokenizer."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from seedbed.core.checks import check_positive, check_rate
from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import HELD_OUT_SPLITS, Corpus
from seedbed.models.artifact import Model
from seedbed.objectives import Objective, objectives
from seedbed.objectives.base import check_network
from seedbed.objectives.prediction import TokenPrediction
from seedbed.surgery.tokenizer_hypernetwork.artifact import TokenizerHypernetwork
from seedbed.surgery.tokenizer_hypernetwork.sizes import Sizes
from seedbed.vocabulary.artifact import SENTINELS

if TYPE_CHECKING:
    from seedbed.surgery.tokenizer_hypernetwork.fitting import Frozen
    from seedbed.surgery.tokenizer_hypernetwork.sampling import Windows

_CHECKS = 8  # tokenizers that were not trained on, on texts held out
_HELD_OUT_SHARE = 0.02
_SHORTEST = 8  # tokens of a row
_PIECES = 2.2  # of a token, for plans: in English, and vocabularies of some thousand tokens


@step("train_tokenizer_hypernetwork", gives=TokenizerHypernetwork, papers=["392"])
def train_tokenizer_hypernetwork(
    context: StepContext,
    *,
    model: Model,
    corpus: Corpus | list[Corpus],
    objective: Annotated[Objective, objectives] = "clm",  # type: ignore[assignment]
    steps: int = 1000,
    mimicry: int = 200,
    lr: float = 1e-3,
    rows: int = 16,
    length: int = 128,
    size: int | None = None,
    subsample: int = 1024,
    noise: tuple[float, float] = (1e-5, 4.0),
    similarity: float = 0.5,
    residual: bool = False,
    hidden: int | None = None,
    layers: int = 3,
    pieces: int = 7,
    sample_mb: float = 10.0,
    precision: Literal["auto", "bf16", "fp32"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    seed: int = 0,
) -> None:
    """Train a hypernetwork that predicts the embeddings of tokens from what a model's tokenizer makes of them (ZeTT,
    Minixhofer, Ponti and Vulić, 2024); `change_vocabulary: {method: {zett: {hypernetwork: STEP}}}` uses it.

    In every step a random unigram tokenizer is made (`sampling.sample_tokenizer`): the best of all substrings of the
    corpus' words by frequency times bytes, after noise of random strength. Texts are cut by it, the hypernetwork gives
    embeddings to its tokens, and the loss of the frozen model with these embeddings teaches the hypernetwork. `mimicry`
    steps come first, in which it learns to give old tokens their own embeddings; later `similarity` times the distance
    of tokens that both vocabularies have is added to the loss. Special tokens keep their embeddings: those with a role,
    and what the objective needs, such as sentinels.

    model: an encoder (objective: mlm), a decoder (clm) or an encoder-decoder (span_corruption), tied or not, with its
    tokenizer; it is not changed. objective: one that predicts tokens, without modules of its own. corpus: text like the
    model's own; at most `sample_mb` megabytes, drawn by a hash, are held in memory, 2% held out. rows, length: of a
    step. size: of the sampled vocabularies; the model's own by default. subsample: at least so many of their tokens are
    there in a step, those of its texts and random others. noise: median and log-deviation of the noise's own deviation,
    as in the authors' settings. residual: the mean of the pieces is the beginning, and the hypernetwork gives what is
    added to it (ours; no mimicry then). hidden, layers, pieces: of the hypernetwork (`network.EmbeddingPredictor`);
    hidden is the model's width by default, pieces the most that are read of a token. precision: of the model's passes;
    the hypernetwork computes in fp32.

    The counts say what it cost: `steps`, `tokens`, `seconds`, and `flops`, which count the model's passes as if all its
    weights learned (by a third too much), and not the check at the end: `held_out` has the loss on texts and tokenizers
    that were not trained on, in nats a target, with the predicted embeddings and with the mean of the pieces.

    Other than in the authors' code: words are counted once in the whole sample, not in a queue of the last 2,048 texts;
    rows hold one text each; AdamW is that of the tools here (`optim.tool`), with a warm-up and a cosine for either
    phase, and clips at norm 1 (0.1 there); mimicry divides by the embeddings' length, as the similarity does. Steps and
    sizes of the defaults are for models of some million parameters (there: 200,000 steps of 128 rows, 10,000 of them
    mimicry, 32,768 tokens). Not implemented: several languages with an embedding each, a predicted bias of the logits,
    attention between tokens, training the model besides.
    """
    from seedbed.surgery.tokenizer_hypernetwork import fitting, sampling
    from seedbed.surgery.tokenizer_hypernetwork.artifact import write_hypernetwork
    from seedbed.surgery.tokenizer_hypernetwork.network import EmbeddingPredictor
    from seedbed.train.numerics import find_device, settle
    from seedbed.train.precision import Precision
    from seedbed.vocabulary.counts import count_words

    check_positive(lr=lr, steps=steps, rows=rows, subsample=subsample, sample_mb=sample_mb)
    check_rate("mimicry", mimicry)
    check_rate("similarity", similarity)
    _check_length(length)
    place, started = find_device(device), time.monotonic()
    frozen = fitting.Frozen(model, place, context.say, _named(objective))
    _check_objective(objective, frozen, length)
    texts, held_out = _texts(corpus if isinstance(corpus, list) else [corpus], sample_mb, seed)
    candidates = sampling.count_candidates(count_words(texts))
    how = fitting.How(
        steps=steps,
        mimicry=0 if residual else mimicry,
        lr=lr,
        rows=rows,
        length=length,
        size=_checked_size(size, frozen),
        subsample=subsample,
        noise=sampling.Noise(*noise),
        similarity=similarity,
        seed=seed,
    )
    columns = frozen.old["input"].shape[1]  # fewer than the network is wide where its tables are narrow, or factored
    sizes = Sizes(columns, tuple(frozen.old), hidden or frozen.network.width, layers, pieces, residual)
    predictor = EmbeddingPredictor(sizes, seed=seed).to(place)
    predictor.fit_scales(frozen.old, frozen.plain_K)
    numerics = settle(frozen.network, place, precision, length=length, rows=rows, saved=None)
    arithmetic = Precision.from_dict(numerics.precision)

    def draws(windows: Windows, number: int) -> fitting.Sampled:
        return fitting.draw(frozen, objective, candidates, windows, how, number)

    with arithmetic.applied():
        of_training = partial(draws, sampling.Windows(texts))
        trained = fitting.fit(predictor, frozen, objective, of_training, how, arithmetic, context.say)
        seconds = time.monotonic() - started
        of_check = partial(draws, sampling.Windows(held_out))
        checked = fitting.measure(predictor, frozen, objective, map(of_check, range(steps, steps + _CHECKS)))
    write_hypernetwork(predictor.cpu(), model.tokenizer(), context.folder)
    last = trained.losses[-max(1, steps // 10) :]
    context.counts.update(
        steps=steps,
        tokens=trained.tokens,
        flops=trained.flops,
        seconds=round(seconds, 2),
        parameters=sum(parameter.numel() for parameter in predictor.parameters()),
        candidates=len(candidates.texts),
        loss=round(sum(last) / len(last), 6),
        mimicry=[round(value, 6) for value in trained.mimicry[:1] + trained.mimicry[-1:]],
        held_out=checked,
        numerics=numerics.as_dict(),
    )
    context.say(f"held out: loss {checked['loss']:.4f}, with the mean of pieces {checked['loss_of_pieces']:.4f}")


@train_tokenizer_hypernetwork.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Tokens, and FLOPs where it is known what a token costs the model, and how wide the hypernetwork is."""
    tokens = float(parameters["steps"] * parameters["rows"] * parameters["length"])
    size, hidden = counts_of(parameters["model"]).get("parameters"), parameters["hidden"]
    notes, own = "without the passes of the hypernetwork, whose width is not known", 0.0
    if hidden is not None:
        sizes = Sizes(hidden, ("input",), hidden, parameters["layers"], parameters["pieces"], parameters["residual"])
        number = (parameters["steps"] + parameters["mimicry"]) * parameters["subsample"]
        own, notes = sizes.flops(_PIECES * number, number), f"assuming {_PIECES} pieces a token"
    flops = 6.0 * size * tokens + own if isinstance(size, int | float) else None
    counts = {"tokens": tokens, "flops": flops, "steps": parameters["steps"]}
    return Estimate(tokens=tokens, flops=flops, notes=notes, counts=counts)


def _texts(corpora: list[Corpus], sample_mb: float, seed: int) -> tuple[list[str], list[str]]:
    """Texts to train on, and some that are held out; where there are too few texts for that, the same."""
    from seedbed.vocabulary.groups import documents
    from seedbed.vocabulary.sample import draw

    read = partial(documents, corpora, "domain", lambda split: split not in HELD_OUT_SPLITS)
    drawn = draw(read, sample_mb * 1e6, seed, share_held_out=_HELD_OUT_SHARE)
    texts = [text for text in drawn.texts() if text.strip()]
    if not texts:
        raise InputError("corpus", "holds no text to train on", value=[str(corpus.path) for corpus in corpora])
    held_out = [text for name in sorted(drawn.held_out) for text in drawn.held_out[name].texts() if text.strip()]
    return texts, held_out or texts


def _named(objective: Objective) -> list[str]:
    """The special tokens that it needs by name. What writes a text for a damaged one may take a sentinel for a mask,
    which it does not name."""
    writes = objective.attention in ("encoder-decoder", "prefix")
    return [*objective.wanted_tokens(), *(SENTINELS if writes else [])]


def _check_objective(objective: Objective, frozen: Frozen, length: int) -> None:
    """Raises InputError if it does not train such a model, or not in this way: with no tasks and modules of its own,
    rows without sources, and the special tokens that the model's tokenizer has."""
    check_network(objective, frozen.network, length)
    more = not isinstance(objective, TokenPrediction) and type(objective).prepare is not Objective.prepare
    if more or objective.wanted_sources():
        raise InputError(
            "objective",
            "does not only predict tokens of plain texts, as a hypernetwork needs it",
            value=type(objective).__name__,
            fix="objective mlm for an encoder, clm for a decoder, span_corruption for an encoder-decoder",
        )
    objective.bind(frozen.vocabulary)


def _check_length(length: int) -> None:
    if length < _SHORTEST:
        raise InputError("length", f"must be at least {_SHORTEST} tokens", value=length)


def _checked_size(size: int | None, frozen: Frozen) -> int:
    """Of the sampled vocabularies, bytes included."""
    found = frozen.vocabulary.size if size is None else size
    least = 2 * 256
    if found < least:
        raise InputError("size", f"must be at least {least}: 256 are bytes", value=found)
    return found
