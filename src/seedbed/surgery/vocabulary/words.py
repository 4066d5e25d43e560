"""The words of a corpus as a tokenizer's model is given them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from seedbed.corpus.artifact import HELD_OUT_SPLITS
from seedbed.vocabulary.counts import WordCounts
from seedbed.vocabulary.surfaces import SPACE_MARK, notation

if TYPE_CHECKING:
    import tokenizers

    from seedbed.corpus.artifact import Corpus

_BATCH = 256
_MARKED = re.compile(f"{SPACE_MARK}*[^{SPACE_MARK}]+|{SPACE_MARK}+")


def texts_of(corpora: Corpus | list[Corpus], *, held_out: bool) -> Iterator[list[str]]:
    """The texts in batches, of every split or of those to be trained on."""
    for corpus in corpora if isinstance(corpora, list) else [corpora]:
        for split in corpus.splits():
            if not held_out and split in HELD_OUT_SPLITS:
                continue
            batch: list[str] = []
            for row in corpus.documents(split, ["text"]):
                batch.append(row["text"])
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
            if batch:
                yield batch


def count_words(fast: tokenizers.Tokenizer, batches: Iterable[list[str]]) -> Counter[str]:
    """How often each normalized word occurs, as the tokenizer's splitter finds them; where it has none (sentencepiece's
    BPE), at marks for spaces, across which no useful piece goes. Memory is bounded (`WordCounts`)."""
    marked = notation(json.loads(fast.to_str())).kind == "spaces"
    normalizer, splitter = fast.normalizer, fast.pre_tokenizer
    adds_mark = normalizer is not None and normalizer.normalize_str("a").startswith(SPACE_MARK)

    def cut(word: str) -> list[str]:
        text = normalizer.normalize_str(word) if normalizer is not None else word
        text = text.removeprefix(SPACE_MARK) if adds_mark else text
        if splitter is not None:
            return [part for part, _ in splitter.pre_tokenize_str(text)]
        return _MARKED.findall(text.replace(" ", SPACE_MARK)) if marked else [text]

    counts = WordCounts()
    for batch in batches:
        counts.add(f" {text}" for text in batch) if marked else counts.add(batch)
    return counts.pieces(cut)
