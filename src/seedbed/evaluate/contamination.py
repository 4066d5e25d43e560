"""How much of a test set stands in the pretraining corpora: shared n-grams of words.

As in Brown et al. (2020, appendix C) an item is contaminated if one of its n-grams (13 words by default) occurs in
a corpus; the share of its n-grams that occur is given too. Texts are compared as `decontaminate` compares them
(`corpus/text/overlap.py`). Items shorter than n words cannot be judged, and are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.corpus.artifact import HELD_OUT_SPLITS

if TYPE_CHECKING:
    from seedbed.corpus.artifact import Corpus
    from seedbed.corpus.text.overlap import Overlap


def contamination(
    tests: Mapping[str, Sequence[tuple[str, str]]], corpora: Sequence[Corpus], *, n: int = 13, examples: int = 20
) -> dict[str, Any]:
    """The report. `tests` holds (item id, text) pairs by task; of the corpora everything but splits called
    validation and test is read, once, in batches."""
    from seedbed.corpus.text.overlap import Overlap

    items = [(task, name) for task, pairs in tests.items() for name, _ in pairs]
    overlap = Overlap([text for pairs in tests.values() for _, text in pairs], n)
    found = _found(overlap, corpora)
    rows = {task: [(number, name) for number, (own, name) in enumerate(items) if own == task] for task in tests}
    return {
        "n": n,
        "corpora": [str(corpus.path) for corpus in corpora],
        "tasks": {task: _report(rows[task], overlap, found, examples) for task in tests},
    }


def _found(overlap: Overlap, corpora: Sequence[Corpus]) -> dict[int, str]:
    """The n-grams that occur, and the first document, by corpus and by id, that has each."""
    found: dict[int, str] = {}
    for corpus in corpora:
        here: dict[int, str] = {}
        for split in corpus.splits():
            if split in HELD_OUT_SPLITS:
                continue
            for ids, documents, grams in overlap.documents(corpus.frame(split).select("id", "text")):
                for document, gram in zip(documents.tolist(), grams.tolist(), strict=True):
                    here[gram] = min(here.get(gram, ids[document]), ids[document])
        found = here | found
    return found


def _report(
    items: Sequence[tuple[int, str]], overlap: Overlap, found: Mapping[int, str], examples: int
) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    occurs = np.zeros(len(overlap.hashes_G), np.bool_)
    occurs[list(found)] = True
    judged = grams = shared = 0
    for number, name in items:
        own = overlap.grams_of(number)
        hits = own[occurs[own]]
        judged += len(own) > 0
        grams += len(own)
        shared += len(hits)
        if len(hits):
            share = round(len(hits) / len(own), 4)
            rows.append({"item": name, "share": share, "document": min(found[hit] for hit in hits.tolist())})
    return {
        "items": len(items),
        "too_short": len(items) - judged,
        "contaminated": len(rows),
        "contaminated_share": len(rows) / judged if judged else 0.0,
        "ngram_share": shared / grams if grams else 0.0,
        "examples": sorted(rows, key=lambda row: (-row["share"], row["item"]))[:examples],
    }
