"""Words that say something: what is left out by frequency, what is a name, against plain counts of words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from masked_world import Made, context

from seedbed.core.errors import InputError
from seedbed.objectives.artifact import LEXICON_FILE
from seedbed.objectives.statistics.content_words import find_content_words
from seedbed.vocabulary.artifact import Vocabulary

ENGLISH = ["the mayor of Old Kelm reads the map", "The river of Old Kelm ends , the mayor says", "the Kelm 42 Old"]
OTHER = ["la mayor vu Old Kelm la map la"]
WORDS = sorted({word for text in ENGLISH + OTHER for word in text.split()})


def tokenizer() -> Any:
    """A token is a word; 0 and 1 are special."""
    tokens = ["[PAD]", "[UNK]", *WORDS]
    special_V = np.arange(len(tokens)) < 2
    known = Vocabulary(
        len(tokens), 0, 1, None, None, None, None, None, tokens, special_V, np.ones(len(tokens), dtype=bool)
    )
    decoder = SimpleNamespace(decode=lambda ids: " ".join(tokens[index] for index in ids))
    return SimpleNamespace(vocabulary=lambda: known, load=lambda: decoder, digest="")


def found(folder: Path, **given: Any) -> dict[str, tuple[int, int]]:
    data = [Made([[2 + WORDS.index(word) for word in text.split()] for text in part]) for part in (ENGLISH, OTHER)]
    step = context(folder)
    find_content_words.function(step, data=data, tokenizer=tokenizer(), **given)
    rows = pq.read_table(folder / LEXICON_FILE).to_pylist()
    assert all(" ".join(row["pieces"]) == row["text"] for row in rows)
    assert step.counts["phrases"] == len(rows) == len({row["text"] for row in rows})
    return {row["text"]: (row["words"], row["count"]) for row in rows}


def test_all_words_but_the_most_frequent_of_each_language(tmp_path: Path) -> None:
    counts = Counter(word for text in ENGLISH for word in text.split())
    assert counts["the"] + counts["The"] == 5 and counts["Kelm"] == counts["Old"] == 3
    words = {word: count for word, (n, count) in found(tmp_path / "one", common=1).items() if n == 1}
    expected = {word: counts[word] for word in counts if word.lower() != "the" and word.isalpha()}
    assert words == {**expected, "vu": 1}, "the other language's most frequent word is its own"
    fewer = found(tmp_path / "two", common=3)
    assert "Kelm" not in fewer and "Old Kelm" not in fewer
    assert fewer["Old"] == (1, 1), "of the other language, where it is rarer"


def test_names_are_words_with_capitals_in_a_row(tmp_path: Path) -> None:
    names = {text for text, (n, _) in found(tmp_path / "one", common=1).items() if n > 1}
    assert names == {"Old Kelm"}
    assert {text for text, (n, _) in found(tmp_path / "two", common=1, longest=1).items() if n > 1} == set()
    assert "Old Kelm" not in found(tmp_path / "three", common=1, min_count=3)


def test_what_it_cannot_do_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no word"):
        found(tmp_path / "one", common=100)
    with pytest.raises(InputError, match="common"):
        found(tmp_path / "two", common=-1)
    with pytest.raises(InputError, match="longest"):
        found(tmp_path / "three", longest=40)
