"""The step `extend_tokenizer`: more pieces on top of a tokenizer, from a corpus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.vocabulary.artifact import Tokenizer


@step("extend_tokenizer", gives=Tokenizer, papers=["075", "259", "362"])
def extend_tokenizer(
    context: StepContext,
    *,
    tokenizer: Tokenizer,
    corpus: Corpus | list[Corpus],
    size: int = 1000,
    min_frequency: int = 2,
) -> None:
    """Learn up to `size` more pieces (BPE, WordPiece or Unigram; see `learn`).

    All old tokens keep their ids, and a text in which no new piece is found becomes the same ids as before. Validation
    and test splits are not looked at. `min_frequency`: of a piece's pair, and of a new character. Words are counted in
    bounded memory. The counts: `size`, `added`, and the corpus's `tokens_before` and `tokens_after`.
    """
    from seedbed.surgery.vocabulary.description import build, read, vocabulary, write
    from seedbed.surgery.vocabulary.learn import cut, learn
    from seedbed.surgery.vocabulary.match import check_special
    from seedbed.surgery.vocabulary.words import count_words, texts_of

    for name, value in (("size", size), ("min_frequency", min_frequency)):
        if value < 1:
            raise InputError(name, "must be at least 1", value=value)
    check_special(tokenizer, "tokenizer")
    description = read(tokenizer, "tokenizer")
    words = count_words(build(description), texts_of(corpus, held_out=False))
    if not words:
        places = [str(item.path) for item in (corpus if isinstance(corpus, list) else [corpus])]
        raise InputError("corpus", "holds no text to learn pieces from", value=places)
    longer = learn(description, words, size, min_frequency)
    added = len(vocabulary(longer)) - len(vocabulary(description))
    if added < size:
        context.say(f"{added} pieces are added, not {size}: the text yields no more")
    write(tokenizer, longer, context.folder)
    before, after = cut(description, words).total(), cut(longer, words).total()
    context.say(f"the corpus has {after:,} tokens, where it had {before:,}")
    context.counts.update(
        size=max(vocabulary(longer).values()) + 1, added=added, tokens_before=before, tokens_after=after
    )


@extend_tokenizer.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """The size, where the old one is known."""
    old = counts_of(parameters["tokenizer"]).get("size")
    counts = {"size": old + parameters["size"]} if old else {}
    return Estimate(counts=counts, notes=f"at most {parameters['size']:,} more pieces")
