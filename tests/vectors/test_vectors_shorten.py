"""A shorter dictionary has the most frequent words' pairs, and all test pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_languages import make_dictionary, make_vectors, run

from seedbed.core.errors import InputError
from seedbed.vectors.artifact import Dictionary
from seedbed.vectors.shorten import shorten_dictionary


def test_the_most_frequent_words_stay_and_so_does_the_test(tmp_path: Path) -> None:
    source = make_vectors(tmp_path / "s", ["the", "house", "tree", "dog", "run"], np.eye(5))
    target = make_vectors(tmp_path / "t", ["das", "der", "baum", "haus", "hund", "diejenige"], np.eye(6))
    training = [("dog", "hund"), ("tree", "baum"), ("cat", "katze"), ("the", "der"), ("dog", "rüde"), ("the", "das")]
    training.insert(0, ("the", "diejenige"))  # a rare translation of a frequent word
    test = [("house", "haus"), ("mouse", "maus")]
    whole = make_dictionary(tmp_path / "d", training, test)
    wanted = [("the", "das"), ("the", "der"), ("tree", "baum"), ("dog", "hund"), ("the", "diejenige")]
    for pairs in (1, 3, 4, 5, 9):
        given = {"dictionary": whole, "source": source, "target": target, "pairs": pairs}
        made = run(shorten_dictionary, tmp_path / f"{pairs}", **given)
        assert Dictionary(made.folder).pairs() == wanted[:pairs]
        assert Dictionary(made.folder).pairs("test") == test
        assert made.counts == {"train": min(pairs, 5), "test": 2, "known": 5}
    with pytest.raises(InputError, match="must be at least 1"):
        run(shorten_dictionary, tmp_path / "no", dictionary=whole, source=source, target=target, pairs=0)
