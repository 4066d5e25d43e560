"""Bilingual lexicon induction as a recipe made up on the spot: two languages' vectors, a dictionary, and what each way
of aligning them finds, with dictionaries of several sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedbed.core.artifact import MANIFEST, Artifact, open_any
from seedbed.core.errors import InputError, unknown_key
from seedbed.core.source import Source
from seedbed.core.step import steps as registered
from seedbed.recipe.recipe import Recipe

from .measure import TASK

METHODS: dict[str, dict[str, Any]] = {  # what `align_word_vectors` is told; the rest by its defaults
    "none": {"method": "none"},
    "procrustes": {"rounds": 0},
    "refined": {},
}
_LEAST_PAIRS = 10  # which `align_word_vectors` wants by default
_SIDES = ("source", "target")


@dataclass(frozen=True)
class Benchmark:
    """What to compare. `sides`: a file of vectors, or an artifact of word vectors or of a corpus, for each language.
    `pairs`: sizes of the training dictionary; none: all of it. `words`: so many of each side are read; None: by the
    defaults of the steps."""

    sides: tuple[str, str]
    dictionary: str
    methods: Sequence[str] = tuple(METHODS)
    pairs: Sequence[int] = ()
    words: int | None = None
    fields: tuple[str, str] = ("source", "target")
    reverse: bool = False
    test_share: float = 0.2
    neighbors: int = 10
    candidates: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.methods:
            raise InputError("--methods", "names none", allowed=METHODS)
        for name in self.methods:
            if name not in METHODS:
                raise unknown_key("--methods", name, METHODS, "method")

    @property
    def variants(self) -> dict[str, tuple[str, int | None]]:
        """Method and size of the dictionary of each variant, by the name of its step. Without alignment there is
        nothing that a dictionary could change."""
        found: dict[str, tuple[str, int | None]] = {}
        for method in dict.fromkeys(self.methods):
            if method == "none" or not self.pairs:
                found[method] = (method, None)
            else:
                found.update({f"{method}-{size}": (method, size) for size in sorted(set(self.pairs))})
        return found


def recipe_of(benchmark: Benchmark) -> Recipe:
    """Vectors and dictionary, and for each variant the aligned vectors and their scores. Raises InputError for what is
    not there."""
    steps: dict[str, dict[str, dict[str, Any]]] = {}
    of: dict[str, str] = {}
    for side, place in zip(_SIDES, benchmark.sides, strict=True):
        function, given = _vectors(side.upper(), place, benchmark.words)
        of[side] = f"{side}-vectors" if function else str(given)
        if function:
            steps[of[side]] = {function: given}
    steps["dictionary"] = {
        "read_dictionary": {
            "source": _source("DICTIONARY", benchmark.dictionary),
            "fields": list(benchmark.fields),
            "reverse": benchmark.reverse,
            "test_share": benchmark.test_share,
        }
    }
    for size in sorted(set(benchmark.pairs)):
        steps[f"dictionary-{size}"] = {"shorten_dictionary": {"dictionary": "dictionary", **of, "pairs": size}}
    measured = {"neighbors": benchmark.neighbors, "candidates": benchmark.candidates}
    for name, (method, pairs) in benchmark.variants.items():
        given = {"dictionary": "dictionary", **METHODS[method], "neighbors": benchmark.neighbors}
        if pairs is not None:
            given |= {"dictionary": f"dictionary-{pairs}", "least_pairs": min(pairs, _LEAST_PAIRS)}
        steps[name] = {"align_word_vectors": {**of, **given}}
        steps[_scores(name)] = {"measure_lexicon": {"vectors": name, "dictionary": "dictionary", **measured}}
    return Recipe("-".join(["lexicon", *map(_plain_name, benchmark.sides)]), steps, benchmark.seed)


def result_of(benchmark: Benchmark, made: Mapping[str, Artifact]) -> dict[str, Any]:
    """What was found: a row for each variant and way of retrieval."""
    rows: list[dict[str, Any]] = []
    for name, (method, size) in benchmark.variants.items():
        scores: Any = made[_scores(name)]
        facts = {"method": method, "wanted_pairs": size, "pairs": made[name].counts.get("pairs")}
        seconds = (made[name].manifest or {})["times"]["seconds"]
        for system, metrics in scores.summary()[TASK]["systems"].items():
            found = {m: {end: entry[end] for end in ("mean", "low", "high")} for m, entry in metrics.items()}
            rows.append({**facts, "retrieval": system, **found, "seconds": seconds})
    first = next(iter(benchmark.variants))  # vectors, test and coverage are the same for all
    aligned, measured = made[first].counts, made[_scores(first)].counts
    return {
        **{name: aligned[name] for name in ("source_words", "target_words", "dimensions")},
        "training_pairs": made["dictionary"].counts["train"],
        **{name: measured[name] for name in ("test_words", "covered", "coverage")},
        "rows": rows,
    }


def _scores(name: str) -> str:
    return f"{name}-scores"


def _plain_name(place: str) -> str:
    """What a run's folder can be called after a file."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", Path(place).name).strip("-")


def _source(key: str, text: str) -> str:
    try:
        Source.parse(text)
    except InputError as error:
        raise error.at(key) from None
    return text


def _vectors(key: str, place: str, words: int | None) -> tuple[str, Any]:
    """The step that makes a side's vectors, and its parameters; no step and a path where they are an artifact."""
    if not Path(place).is_dir():
        return "read_word_vectors", {"source": _source(key, place), **({} if words is None else {"limit": words})}
    folder = str(Path(place).resolve())
    registered.load()  # the kinds of artifacts
    kind = open_any(folder).kind if (Path(folder) / MANIFEST).is_file() else "folder of files"
    if kind == "word_vectors":
        if words is not None:
            raise InputError("--words", f"{key} is an artifact, of which all words are taken", value=place)
        return "", folder
    if kind == "corpus":
        return "train_word_vectors", {"corpus": folder, **({} if words is None else {"size": words})}
    allowed = "a file of vectors (word2vec, fastText, GloVe), an artifact of word vectors, or one of a corpus"
    fix = "text becomes a corpus by the step build_corpus, and vectors by train_word_vectors: docs/vectors.md"
    raise InputError(key, f"is a {kind}", value=place, allowed=allowed, fix=fix)
