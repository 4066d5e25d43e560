"""The step `trim_tokenizer`: a tokenizer without the pieces that a corpus does not need.

Shape: V the size of the vocabulary.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.surgery.vocabulary.description import Description, build, merges, read, reduced, vocabulary, write
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.byte_level import ALPHABET
from seedbed.vocabulary.surfaces import notation


@step("trim_tokenizer", gives=Tokenizer, papers=["075"])
def trim_tokenizer(
    context: StepContext, *, tokenizer: Tokenizer, corpus: Corpus | list[Corpus], size: int | float | None = None
) -> None:
    """Keep the pieces that a corpus uses, or the most frequent ones; ids are renumbered in their old order.

    size: None keeps all that are used, so that every text of the corpus (all splits) becomes the same tokens as
    before; a number keeps the most frequent pieces on the corpus up to so many tokens in all, a share below 1 up to
    that share of the old ones. Special and added tokens, tokens for bytes and the characters of used pieces always
    stay, and with a piece of BPE all that its merges go through. Frequent-token swap (075) is this with a share and
    the source's corpus, then `extend_tokenizer` with the target's. The counts: `size`, `removed`, `tokens` of the
    corpus, and how many of these are of tokens that stay (`kept_tokens`).
    """
    from seedbed.surgery.vocabulary.match import check_special
    from seedbed.surgery.vocabulary.words import texts_of

    check_special(tokenizer, "tokenizer")
    description = read(tokenizer, "tokenizer")
    most = _limit(size, len(vocabulary(description)))
    uses_V = count_uses(description, texts_of(corpus, held_out=True))
    if not uses_V.any():
        places = [str(item.path) for item in (corpus if isinstance(corpus, list) else [corpus])]
        raise InputError("corpus", "holds no text to count pieces in", value=places)
    special = np.flatnonzero(tokenizer.vocabulary().special_V).tolist()
    kept = choose(description, special, uses_V, most)
    named = {index: token for token, index in vocabulary(description).items()}
    tokens = {named[index] for index in kept}
    joined = []
    if description["model"]["type"] == "BPE":
        joined = [pair for pair in merges(description) if {*pair, "".join(pair)} <= tokens]
    write(tokenizer, reduced(description, kept, joined), context.folder)
    total, covered = int(uses_V.sum()), int(uses_V[kept].sum())
    context.say(f"{len(kept):,} of {len(named):,} tokens stay, which are {covered / total:.2%} of the corpus's")
    context.counts.update(size=len(kept), removed=len(named) - len(kept), tokens=total, kept_tokens=covered)


def _limit(size: int | float | None, there: int) -> int | None:
    if size is None:
        return None
    if size <= 0 or (isinstance(size, float) and size >= 1):
        raise InputError("size", "must be a number of tokens, or a share below 1", value=size)
    return int(size * there) if isinstance(size, float) else size


def count_uses(description: Description, batches: Iterable[list[str]]) -> np.ndarray:
    """How often each token stands in the texts (V), special tokens in them being text, as in `tokenize`."""
    fast = build(description)
    fast.encode_special_tokens = True
    uses_V = np.zeros(max(vocabulary(description).values()) + 1, dtype=np.int64)
    for batch in batches:
        ids = [index for coded in fast.encode_batch(batch, add_special_tokens=False) for index in coded.ids]
        uses_V += np.bincount(np.array(ids, dtype=np.int64), minlength=len(uses_V))
    return uses_V


def choose(description: Description, special: list[int], uses_V: np.ndarray, most: int | None) -> list[int]:
    """The ids to keep, in order. Raises InputError if what must stay is more than `most`."""
    known, how = vocabulary(description), notation(description)
    named = {index: token for token, index in known.items()}
    used = [index for index in np.flatnonzero(uses_V).tolist() if index in named]
    kept = {index for index in special if index in named}
    kept |= {entry["id"] for entry in description.get("added_tokens") or []}
    kept |= {known[token] for token in (f"<0x{byte:02X}>" for byte in range(256)) if token in known}
    if description["model"].get("unk_id") is not None:
        kept.add(description["model"]["unk_id"])
    if how.kind == "bytes":
        kept |= {known[char] for char in ALPHABET if char in known}
    for index in used:
        kept |= {known[piece] for piece in _characters(named[index], how.prefix) if piece in known}
    if most is not None and len(kept) > most:
        raise InputError("size", f"special tokens, bytes and characters alone are {len(kept)}", value=most)
    steps = _Steps(description) if description["model"]["type"] == "BPE" else None
    for index in sorted(used, key=lambda index: (-uses_V[index], index)):
        needed = {index} | ({known[token] for token in steps.of(named[index])} if steps else set())
        if most is not None and len(kept | needed) > most:
            break
        kept |= needed
    return sorted(kept)


def _characters(piece: str, prefix: str) -> list[str]:
    """The pieces of one character that a piece could be cut into."""
    inside = bool(prefix) and piece.startswith(prefix)
    text = piece.removeprefix(prefix) if inside else piece
    return [prefix + char if inside or place else char for place, char in enumerate(text)]


class _Steps:
    """What BPE goes through on its way to a token."""

    def __init__(self, description: Description) -> None:
        self.known = vocabulary(description)
        self.rank = {pair: rank for rank, pair in enumerate(merges(description))}
        self.suffix = description["model"].get("end_of_word_suffix") or ""

    def of(self, token: str) -> list[str]:
        """All tokens on the way, one merge at a time: the first in rank, and of equal ones the leftmost. Within a word
        a token comes about as it does alone, as no merge has crossed its ends."""
        text = token.removesuffix(self.suffix) if self.suffix else token
        symbols = list(text)
        if symbols and text != token:
            symbols[-1] += self.suffix
        passed = [symbol for symbol in symbols if symbol in self.known]
        while True:
            pairs = itertools.pairwise(symbols)
            ranked = [(self.rank[pair], place) for place, pair in enumerate(pairs) if pair in self.rank]
            if not ranked:
                return passed
            _, place = min(ranked)
            symbols[place : place + 2] = ["".join(symbols[place : place + 2])]
            passed.append(symbols[place])
