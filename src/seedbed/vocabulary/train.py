"""The step that trains a tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any

from seedbed.core.errors import InputError
from seedbed.core.files import write_json
from seedbed.core.machine import usable_cores
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus

from . import Algorithm, algorithms
from .artifact import Tokenizer
from .sample import HELD_OUT_SHARE, by_domain, draw
from .save import SPECIALS, Style, finish, write_folder
from .statistics import measure_domains

HELD_OUT_SPLITS = ("validation", "test")
# Megabytes per second and core, measured on English and code.
_SPEEDS = {"bpe": 5.0, "wordpiece": 3.5, "unigram": 0.5, "bytes": 1000.0}


@step("train_tokenizer", gives=Tokenizer)
def train_tokenizer(
    context: StepContext,
    *,
    corpus: Corpus | list[Corpus],
    algorithm: Annotated[Algorithm, algorithms] = "wordpiece",  # type: ignore[assignment]
    size: int = 16384,
    style: Style = "encoder",
    sample_mb: float = 100.0,
    alpha: float = 1.0,
    seed: int = 0,
) -> None:
    """Train a tokenizer on a sample of one corpus or several.

    At most about `sample_mb` megabytes are drawn by a hash of the texts; memory is bounded by that. `alpha` below 1
    gives small domains (languages) a larger part: see `sample.draw`. Special tokens are BERT's for the `style`
    encoder ([PAD] [UNK] [CLS] [SEP] [MASK], text becomes [CLS] text [SEP]), and <pad> <s> </s> for a decoder (<s>
    text </s>), with <unk> where the algorithm needs it. If the text yields fewer than `size` tokens, the vocabulary
    is smaller, which is said and counted.

    `statistics.json` holds fertility, bytes per token and the unknown rate by domain on held-out text: the
    validation split, else 2% of the documents, which are then not trained on.
    """
    _check(size, sample_mb, alpha)
    corpora = corpus if isinstance(corpus, list) else [corpus]
    held_out_split = _held_out_split(corpora)
    training = partial(_documents, corpora, lambda split: split not in HELD_OUT_SPLITS)
    drawn = draw(training, sample_mb * 1e6, seed, alpha=alpha, share_held_out=0.0 if held_out_split else HELD_OUT_SHARE)
    if not any(text.strip() for text in drawn.texts):
        raise InputError("corpus", "holds no text to train on", value=[str(item.path) for item in corpora])
    sampled = sum(len(text.encode("utf8")) for text in drawn.texts)
    context.say(f"training on {sampled / 1e6:.1f} MB of {drawn.num_bytes / 1e6:.1f} MB")
    tokenizer = algorithm(drawn.texts, size, list(SPECIALS[style].values()))
    roles = finish(tokenizer, style)
    write_folder(context.folder, tokenizer, roles)
    actual = tokenizer.get_vocab_size()
    if actual < size:
        context.say(f"the vocabulary has {actual} tokens, not {size}: the text yields no more")
    held_out: dict[str, list[str]] = {name: pool.texts() for name, pool in drawn.held_out.items()}
    if held_out_split:
        held_out = by_domain(partial(_documents, corpora, lambda split: split == held_out_split), seed)
    described = held_out_split or "documents kept from training"
    if not any(held_out.values()):
        held_out, described = by_domain(training, seed), "the training text: nothing is held out"
    tokenizer.encode_special_tokens = True  # as `tokenize` does
    unk = tokenizer.token_to_id(roles["unk"]) if "unk" in roles else None
    domains = measure_domains(tokenizer, held_out, unk)
    write_json(context.folder / "statistics.json", {"measured_on": described, "by_domain": domains})
    context.counts.update(
        size=actual,
        wanted_size=size,
        sampled_documents=len(drawn.texts),
        sampled_bytes=sampled,
        corpus_documents=drawn.num_documents,
        corpus_bytes=drawn.num_bytes,
        measured_on=described,
        by_domain=domains,
    )


@train_tokenizer.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Seconds for the sample, once the corpus's bytes are known."""
    corpus = parameters["corpus"]
    counts = [counts_of(item) for item in (corpus if isinstance(corpus, list) else [corpus])]
    known = [float(count["kept"]["bytes"]) for count in counts if "kept" in count]
    megabytes = min(parameters["sample_mb"], sum(known) / 1e6) if len(known) == len(counts) else parameters["sample_mb"]
    speed = _SPEEDS.get(parameters["algorithm"].name, 1.0) * usable_cores()
    return Estimate(
        seconds=megabytes / speed,
        notes=f"at most {megabytes:.1f} MB of text",
        counts={"size": parameters["size"]},
    )


def _check(size: int, sample_mb: float, alpha: float) -> None:
    if size < 1:
        raise InputError("size", "must be positive", value=size)
    if not sample_mb > 0:
        raise InputError("sample_mb", "must be positive", value=sample_mb)
    if not 0 <= alpha <= 1:
        raise InputError("alpha", "must lie in [0, 1]", value=alpha)


def _held_out_split(corpora: list[Corpus]) -> str | None:
    """The split to measure on: the first of validation and test that a corpus has."""
    present = {split for corpus in corpora for split in corpus.splits()}
    return next((split for split in HELD_OUT_SPLITS if split in present), None)


def _documents(corpora: list[Corpus], wanted: Callable[[str], bool]) -> Iterator[Mapping[str, Any]]:
    for corpus in corpora:
        for split in corpus.splits():
            if wanted(split):
                rows: Iterable[Mapping[str, Any]] = corpus.documents(split, ["text", "domain"])
                yield from rows
