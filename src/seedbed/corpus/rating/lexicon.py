"""A list of words and phrases with weights, looked up in texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.files import read_json
from seedbed.core.source import Source
from seedbed.corpus import scorers
from seedbed.corpus.input.examples import examples_of
from seedbed.corpus.scoring import distinct

_MODEL, _CATEGORIES = "terms.npz", "categories.json"
_TOP = np.uint64(48)  # the highest bits of a hash settle nearly every n-gram that is no term


@scorers.register("lexicon", papers=["010", "304"])
class Lexicon:
    """Words and phrases of the user's own list: insults for a toxicity filter, terms of a field, marks of a genre.

    `path` are files of records with a `term`, and if you like a `weight` (else 1) and a `category`; or plain text with
    a term a line. `terms` gives them in the recipe, as {term: weight}. Case and the kind of white space do not matter;
    a term is found only as whole words and only in the forms that are listed. Terms within longer ones count too.

    `score` is the weight of all that is found per 100 words, `weight` their sum, `label` the category with the greatest
    weight (none where nothing was found), and `w_...` each category's weight, if there are several: with the columns'
    totals over kept and dropped documents the category report of toxicity audits (304). Nothing is learned, so there
    is nothing to hold back: measure with `ngram_classifier` beside it, or on labeled texts.
    """

    def __init__(self, path: Source | None = None, terms: dict[str, float] | None = None) -> None:
        if (path is None) == (terms is None):
            raise InputError("", "wants either a path or terms", allowed=["path", "terms"])
        self.path, self.terms = path, terms

    def fit(self, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
        from seedbed.corpus.text.ngrams import ngram_hashes
        from seedbed.corpus.text.token_hashes import hashes_of

        listed = self._listed()
        hashes, lengths = hashes_of([term for term, _, _ in listed])
        ends = np.cumsum(lengths)
        categories = sorted({category for _, _, category in listed})
        rows: dict[tuple[int, int], tuple[float, int]] = {}  # (number of words, hash) -> (weight, category)
        for (_, weight, category), length, end in zip(listed, lengths.tolist(), ends.tolist(), strict=True):
            if length:
                gram, _ = ngram_hashes(hashes[end - length : end], np.array([length]), length)
                rows[length, int(gram[0])] = weight, categories.index(category)
        if not rows:
            raise InputError("path" if self.terms is None else "terms", "holds no words")
        order = sorted(rows)
        sizes, keys = zip(*order, strict=True)
        weights, numbers = zip(*(rows[name] for name in order), strict=True)
        np.savez(
            folder / _MODEL,
            size_T=np.array(sizes),
            key_T=np.array(keys, np.uint64),
            weight_T=np.array(weights, np.float64),
            category_T=np.array(numbers),
        )
        (folder / _CATEGORIES).write_text(json.dumps(categories, ensure_ascii=False) + "\n", encoding="utf8")
        say(f"{len(rows)} terms, the longest of {max(sizes)} words")
        return {"terms": len(rows), "categories": categories, "without_words": int((lengths == 0).sum())}

    @staticmethod
    def load(folder: Path) -> Terms:
        with np.load(folder / _MODEL) as file:
            return Terms(dict(file), read_json(folder / _CATEGORIES))

    def _listed(self) -> list[tuple[str, float, str]]:
        """Terms with weight and category; of a term that comes twice the last counts."""
        if self.terms is not None:
            return [(term, float(weight), "") for term, weight in self.terms.items()]
        assert self.path is not None
        found = []
        for example in examples_of(self.path, ["term"], key="path"):
            given = example.fields.get("weight")
            try:
                weight = 1.0 if given is None or given == "" else float(given)
            except (TypeError, ValueError):
                raise InputError("path", f"the weight of {example.id} is no number", value=given) from None
            category = str(example.fields.get("category") or "")
            found += [(line, weight, category) for line in example.text.splitlines()]
        return found


class Terms:
    """A list, loaded: T terms, sorted by number of words and hash."""

    def __init__(self, arrays: dict[str, np.ndarray], categories: list[str]) -> None:
        self.categories = categories
        self._lists = []
        for size in np.unique(arrays["size_T"]).tolist():
            own = arrays["size_T"] == size
            occurs = np.zeros(1 << (64 - int(_TOP)), np.bool_)
            occurs[arrays["key_T"][own] >> _TOP] = True
            self._lists.append((size, occurs, *(arrays[name][own] for name in ("key_T", "weight_T", "category_T"))))
        names = distinct(f"w_{re.sub(r'[^a-z0-9]+', '_', name.lower()) or 'none'}" for name in categories)
        self._shown = {name: k for k, name in enumerate(names)} if len(categories) > 1 else {}

    @property
    def columns(self) -> Mapping[str, type]:
        return {"score": float, "weight": float, "label": str, **dict.fromkeys(self._shown, float)}

    def score(self, texts: Sequence[str]) -> Mapping[str, np.ndarray | Sequence[str | None]]:
        from seedbed.corpus.text.token_hashes import blocks

        parts = [self._block(texts[block]) for block in blocks(texts)]
        weight_NK = np.concatenate([np.zeros((0, len(self.categories))), *[part[0] for part in parts]])
        words_N = np.concatenate([np.zeros(0), *[part[1] for part in parts]])
        total_N = np.where(words_N > 0, weight_NK.sum(axis=1), np.nan)
        found_N = np.abs(weight_NK).sum(axis=1) > 0
        names = [
            self.categories[k] if found else None for k, found in zip(weight_NK.argmax(axis=1), found_N, strict=True)
        ]
        columns = {name: weight_NK[:, k] for name, k in self._shown.items()}
        return {"score": 100 * total_N / np.maximum(words_N, 1), "weight": total_N, "label": names, **columns}

    def _block(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Of each text the weight of every category (N, K), and the number of words."""
        from seedbed.corpus.text.ngrams import ngram_hashes
        from seedbed.corpus.text.token_hashes import hashes_of

        hashes, lengths = hashes_of(texts)
        kinds = len(self.categories)
        weight = np.zeros(len(texts) * kinds)
        for size, occurs, key_T, weight_T, category_T in self._lists:
            grams, offsets = ngram_hashes(hashes, lengths, size)
            hits = np.flatnonzero(occurs[grams >> _TOP])
            places = np.minimum(np.searchsorted(key_T, grams[hits]), len(key_T) - 1)
            is_term = key_T[places] == grams[hits]
            hits, places = hits[is_term], places[is_term]
            rows = np.searchsorted(offsets, hits, side="right") - 1
            weight += np.bincount(rows * kinds + category_T[places], weights=weight_T[places], minlength=len(weight))
        return weight.reshape(len(texts), kinds), lengths.astype(np.float64)
