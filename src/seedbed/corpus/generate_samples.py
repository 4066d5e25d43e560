"""The step `generate_samples`: sentences of a corpus whose ends a model has written anew, as a corpus."""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.models.artifact import Model
from seedbed.vocabulary.groups import Group

from .artifact import Corpus
from .documents import Document, Unreadable

if TYPE_CHECKING:
    from .neural.continuing import Continuing

_AT_ONCE = 512  # prompts
_SHORTEST = 8  # tokens that a model must see


@dataclass(frozen=True, order=True)
class Prompt:
    """The beginning of a sentence: a line of a document. `counter` decides which are drawn, the smallest ones."""

    counter: int
    corpus: int
    id: str
    line: int
    text: str
    tokens: int  # so many are to be written
    domain: str
    license: str


@step("generate_samples", gives=Corpus, papers=["040"])
def generate_samples(
    context: StepContext,
    *,
    model: Model,
    corpus: Corpus | list[Corpus],
    samples: int = 500,
    by: Group = "domain",
    share: float = 0.15,
    min_words: int = 3,
    max_words: int = 250,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    from_split: str = "train",
    round: int = 1,
    max_length: int = 256,
    seed: int = 0,
) -> None:
    """New training texts from a model itself: self-active learning (AfroLM, Dossou et al., 2022).

    model: an encoder (trained by masks) or a decoder, with its tokenizer. corpus: where sentences are from: lines of
    its documents, of `min_words` to `max_words` words between white space; of each group (a column of the corpus, `by`)
    `samples` are drawn, or all there are. A sentence loses its last words, `share` of them and one, and the model
    writes as many tokens, one after the other, each in the place of a mask behind all before it: the most likely one,
    or one drawn at a `temperature`, of the `top_k` likeliest ones, and of the fewest that together have a share `top_p`
    of the chances (None: of all). Give each `round` its number, so that other sentences are drawn. The result is to
    be trained on beside the corpus, `data: {corpus: {alpha: 1.0}, samples: {alpha: 1.0}}`; none of it is held out.

    After the authors' code (trainer.py), since what we could read of the paper leaves the numbers open. There 500
    sentences of a language are drawn with replacement, from a fifth of the data that this round does not train on, but
    most others do. Here none is drawn twice, and they may be trained on; `from_split` can name a split that is not.
    There each token is written into text, and the text cut into tokens again; here the tokens stay. Special tokens are
    never written. A sample that ends in part of a character loses it; one with such a part inside, or to which nothing
    was added, is in quarantine. Cost, in `flops`: a forward pass over the sentence for every token; of a decoder that
    keeps what it has read (docs/writing.md) one over the prompt, and over one token for every further one.
    """
    from seedbed.core.checks import check_counts, check_share
    from seedbed.models.writing.choice import check_draws

    from .neural.continuing import Continuing

    check_counts(samples=samples, min_words=min_words, max_words=max_words, round=round)
    check_share("share", share)
    check_draws(temperature, top_k, top_p)
    if min_words < 2:
        raise InputError("min_words", "must be at least 2: one to begin with, one to be written", value=min_words)
    if max_length < _SHORTEST:
        raise InputError("max_length", f"must be at least {_SHORTEST} tokens", value=max_length)
    corpora = corpus if isinstance(corpus, list) else [corpus]
    stream = key(seed, "continuations", round)
    prompts = drawn(corpora, from_split, by, (min_words, max_words), share, samples, stream)
    if not prompts:
        raise InputError("corpus", f"the split '{from_split}' has no line of {min_words} to {max_words} words")
    drawing: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    writer = Continuing(model, max_length=max_length, seed=seed, say=context.say, **drawing)
    context.counts["prompts"] = len(prompts)
    _write_corpus(context, _documents(prompts, writer, round))
    context.counts["flops"] = writer.flops


@generate_samples.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """How much of it is foreseen: nothing but the number."""
    size = counts_of(parameters["model"]).get("parameters")
    return Estimate(parameters=size, notes=f"at most {parameters['samples']} samples for each {parameters['by']}")


def drawn(
    corpora: Sequence[Corpus], split: str, by: Group, words: tuple[int, int], share: float, samples: int, stream: int
) -> list[Prompt]:
    """Of each group the prompts with the smallest counters, in their order. Memory: those."""
    chosen: dict[str | None, list[tuple[int, Prompt]]] = {}
    columns = list(dict.fromkeys(["id", "text", "domain", "license", by]))
    for number, corpus in enumerate(corpora):
        for row in corpus.documents(split, columns):
            heap = chosen.setdefault(row[by], [])
            for line, text in enumerate(row["text"].split("\n"), 1):
                parts = text.split()
                if not words[0] <= len(parts) <= words[1]:
                    continue
                tokens = min(int(len(parts) * share) + 1, len(parts) - 1)
                counter = key(stream, number, row["id"], line)
                start = " ".join(parts[:-tokens])
                prompt = Prompt(counter, number, row["id"], line, start, tokens, row["domain"], row["license"])
                if len(heap) < samples:
                    heapq.heappush(heap, (-counter, prompt))
                else:
                    heapq.heappushpop(heap, (-counter, prompt))
    return sorted(prompt for heap in chosen.values() for _, prompt in heap)


def _documents(prompts: Sequence[Prompt], writer: Continuing, round: int) -> Iterator[Document | Unreadable]:
    """What the model made of each prompt."""
    for first in range(0, len(prompts), _AT_ONCE):
        batch = prompts[first : first + _AT_ONCE]
        texts = [prompt.text for prompt in batch]
        numbers = [prompt.counter for prompt in batch]
        written = writer.written(texts, [prompt.tokens for prompt in batch], numbers)
        for prompt, added in zip(batch, written, strict=True):
            ending = added.rstrip("\ufffd").rstrip()
            if not ending or "\ufffd" in ending:
                reason = "bytes that are no character were written" if ending else "nothing was written"
                yield Unreadable(prompt.id, prompt.line, reason)
                continue
            facts = {"original": prompt.id, "line": prompt.line, "prompt": len(prompt.text)}
            name = f"round-{round}/{prompt.id}:{prompt.line}"
            yield Document(name, prompt.text + ending, "generate_samples", prompt.license, prompt.domain, facts)


def _write_corpus(context: StepContext, documents: Iterator[Document | Unreadable]) -> None:
    """Files, counts and card, all of it to be trained on."""
    from .card import write_card
    from .input.intake import Intake
    from .splits import TRAIN, Splitter
    from .stages import write_splits

    work, counts = context.folder / "work", context.counts
    intake = Intake(work, context.folder / "quarantine.jsonl")
    runs = intake.read([documents], lambda *_: "corpus")
    if not runs:
        raise InputError("model", "writes nothing behind any prompt", fix="train it for longer, or set a temperature")
    splits, domains = write_splits(context.folder, runs, Splitter({}, "id", 0))
    shutil.rmtree(work)
    kept = intake.runs.counts
    counts.update(read=kept, kept=kept, quarantined=intake.quarantined, renamed=intake.renamed)
    counts.update(dropped={}, edited={}, splits=splits, domains=domains)
    assert splits[TRAIN] == kept
    write_card(context.folder, context.name, counts, context.parameters)
    context.say(f"{kept['documents']:,} samples, {kept['bytes'] / 1e6:.2f} MB; {intake.unreadable} prompts gave none")
