"""The step that trains a tokenizer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Annotated, Any

from seedbed.core.errors import InputError
from seedbed.core.files import write_json
from seedbed.core.machine import usable_cores
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import HELD_OUT_SPLITS, Corpus

from . import Algorithm, algorithms
from .artifact import Tokenizer
from .counts import count_words
from .groups import Group, documents
from .join import join
from .sample import HELD_OUT_SHARE, Drawn, by_group, draw
from .save import Style, finish, special_tokens, write_folder
from .statistics import measure_groups

# Megabytes per second of a core, measured on 16 MB of English, 8,192 tokens; one core learns, but for sentencepiece.
_SPEEDS = {"bpe": 1.9, "wordpiece": 2.0, "unigram": 0.3, "bytes": 1000.0, "characters": 7.0}


@step("train_tokenizer", gives=Tokenizer, version=2, papers=["031", "065"])
def train_tokenizer(
    context: StepContext,
    *,
    corpus: Corpus | list[Corpus],
    algorithm: Annotated[Algorithm, algorithms] = "wordpiece",  # type: ignore[assignment]
    size: int | dict[str, int] = 16384,
    style: Style = "encoder",
    sample_mb: float = 100.0,
    by: Group = "domain",
    alpha: float = 1.0,
    weights: dict[str, float] | None = None,
    tokens: list[str] = [],  # noqa: B006
    special: list[str] = [],  # noqa: B006
    seed: int = 0,
) -> None:
    """Train a tokenizer on a sample of one corpus or several.

    At most about `sample_mb` megabytes are drawn by a hash of the texts. They are read one after the other and their
    words counted (`counts.WordCounts`): memory grows with the number of different words alone, and that is bounded.
    `alpha` below 1 gives small groups (domains, languages, sources: the corpus's column `by`) a larger part, and
    `weights` says what part each gets: see `sample.draw`.

    A `size` for each group (`{hin: 8000, eng: 4000}`) is a budget: each group's own vocabulary is trained to that size
    on its own texts, special tokens and characters included, and the tokenizer has all of them (`join.join`). What 031
    does in detail for its languages' budgets its abstract does not say; this is the way of Chung et al. (2020).

    Special tokens are BERT's for the `style` encoder ([PAD] [UNK] [CLS] [SEP] [MASK], text becomes [CLS] text [SEP]),
    <pad> <s> </s> for a decoder (<s> text </s>), with <unk> where the algorithm needs it, and T5's for an
    encoder-decoder or a prefix decoder (seq2seq: <pad> </s> <unk> and a hundred sentinels <extra_id_0> ..., text </s>).
    `special` are further ones of your own, such as a denoiser's `[R]`, which no text yields. `tokens` are further
    strings that are never cut, such as `<url>` where a corpus has it in the place of addresses. If the
    text yields fewer than `size` tokens, the vocabulary is smaller, which is said and counted.

    `statistics.json` holds fertility, bytes per token and the unknown rate by group on held-out text: the
    validation split, else 2% of the documents, which are then not trained on.
    """
    _check(size, sample_mb, alpha, weights, tokens, special, style)
    corpora = corpus if isinstance(corpus, list) else [corpus]
    held_out_split = _held_out_split(corpora)
    training = partial(documents, corpora, by, lambda split: split not in HELD_OUT_SPLITS)
    share = 0.0 if held_out_split else HELD_OUT_SHARE
    drawn = draw(training, sample_mb * 1e6, seed, alpha=alpha, weights=weights, share_held_out=share)
    context.say(f"training on at most {sample_mb:g} MB of {sum(drawn.sizes.values()) / 1e6:.1f} MB")
    tokenizer, sampled = _train(algorithm, drawn, size, special_tokens(style, special), tokens)
    roles = finish(tokenizer, style, special)
    tokenizer.add_tokens([_whole(token) for token in tokens])
    write_folder(context.folder, tokenizer, roles)
    actual, wanted = tokenizer.get_vocab_size(), size if isinstance(size, int) else sum(size.values())
    if actual < wanted:
        context.say(f"the vocabulary has {actual} tokens, not {wanted}: the text yields no more")
    if sampled["dropped_words"]:
        context.say(f"{sampled['dropped_words']:,} rare words were not counted, to bound memory")
    held_out: dict[str, list[str]] = {name: pool.texts() for name, pool in drawn.held_out.items()}
    if held_out_split:
        held_out = by_group(partial(documents, corpora, by, lambda split: split == held_out_split), seed)
    described = held_out_split or "documents kept from training"
    if not any(held_out.values()):
        held_out, described = by_group(training, seed), "the training text: nothing is held out"
    tokenizer.encode_special_tokens = True  # as `tokenize` does
    unk = tokenizer.token_to_id(roles["unk"]) if "unk" in roles else None
    groups = measure_groups(tokenizer, held_out, unk)
    write_json(context.folder / "statistics.json", {"measured_on": described, "by_domain": groups})
    context.counts.update(
        size=actual,
        wanted_size=wanted,
        **sampled,
        corpus_documents=drawn.num_documents,
        corpus_bytes=sum(drawn.sizes.values()),
        measured_on=described,
        by_domain=groups,
    )


@train_tokenizer.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Seconds for the sample, once the corpus's bytes are known."""
    corpus = parameters["corpus"]
    counts = [counts_of(item) for item in (corpus if isinstance(corpus, list) else [corpus])]
    known = [float(count["kept"]["bytes"]) for count in counts if "kept" in count]
    megabytes = min(parameters["sample_mb"], sum(known) / 1e6) if len(known) == len(counts) else parameters["sample_mb"]
    name = parameters["algorithm"].name
    speed = _SPEEDS.get(name, 1.0) * (usable_cores() if name == "unigram" else 1)
    size = parameters["size"]
    return Estimate(
        seconds=megabytes / speed,
        notes=f"at most {megabytes:.1f} MB of text",
        counts={"size": size if isinstance(size, int) else sum(size.values())},
    )


def _train(
    algorithm: Algorithm, drawn: Drawn, size: int | dict[str, int], specials: list[str], tokens: list[str]
) -> tuple[Any, dict[str, int]]:
    """The tokenizer, of one vocabulary or of one for each group, and what was counted for it."""
    if isinstance(size, dict) and set(size) != set(drawn.cuts):
        raise InputError("size", "wants a budget for each group", value=size, allowed=sorted(drawn.cuts))
    sums = {"sampled_documents": 0, "sampled_bytes": 0, "distinct_words": 0, "dropped_words": 0}
    made = []
    for group, budget in (size if isinstance(size, dict) else {None: size}).items():
        counts = count_words(_counted(drawn.texts(group), tokens, sums))
        if not any(word.strip() for word in counts.counts):
            named = "the corpora hold" if group is None else f"the group '{group}' holds"
            raise InputError("corpus", f"{named} no text to train on")
        sums["distinct_words"] += len(counts.counts)
        sums["dropped_words"] += counts.dropped
        made.append(algorithm(counts, budget - len(tokens) * (group is None), specials))
    return (made[0] if len(made) == 1 else join(made, specials)), sums


def _counted(texts: Iterable[str], tokens: list[str], sums: dict[str, int]) -> Iterator[str]:
    """The texts, counted as they go by, with a newline in the place of what is a token already."""
    pattern = re.compile("|".join(map(re.escape, sorted(tokens, key=len, reverse=True)))) if tokens else None
    for text in texts:
        sums["sampled_documents"] += 1
        sums["sampled_bytes"] += len(text.encode("utf8"))
        yield pattern.sub("\n", text) if pattern else text


def _whole(token: str) -> Any:
    from tokenizers import AddedToken

    return AddedToken(token, normalized=False)


def _check(
    size: int | dict[str, int],
    sample_mb: float,
    alpha: float,
    weights: dict[str, float] | None,
    tokens: list[str],
    special: list[str],
    style: Style,
) -> None:
    sizes = size if isinstance(size, dict) else {"": size}
    for group, budget in sizes.items():
        if budget < 1:
            raise InputError(f"size.{group}".rstrip("."), "must be positive", value=budget)
    if not sizes:
        raise InputError("size", "names no group", value=size)
    if not sample_mb > 0:
        raise InputError("sample_mb", "must be positive", value=sample_mb)
    if not 0 <= alpha <= 1:
        raise InputError("alpha", "must lie in [0, 1]", value=alpha)
    if weights is not None and alpha != 1.0:
        raise InputError("weights", "stand in the place of alpha: give one of both", value=weights)
    known = {*special_tokens(style), "<unk>"}
    for name, given in (("special", special), ("tokens", tokens)):
        for index, token in enumerate(given):
            if token in known:
                raise InputError(f"{name}.{index}", "is a special token already", value=token)
            if not token.strip() or token in given[:index]:
                raise InputError(f"{name}.{index}", "is empty, or named twice", value=token)
        known |= {*given}


def _held_out_split(corpora: list[Corpus]) -> str | None:
    """The split to measure on: the first of validation and test that a corpus has."""
    present = {split for corpus in corpora for split in corpus.splits()}
    return next((split for split in HELD_OUT_SPLITS if split in present), None)
