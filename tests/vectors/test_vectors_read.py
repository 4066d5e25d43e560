"""Text files of word vectors."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from made_languages import run

from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.vectors.artifact import WordVectors
from seedbed.vectors.read import read_word_vectors

LINES = ["the 0.5 -1 2e-1", "été 1 2 3", "the 9 9 9", "broken 1 2", "nan nan 0 0", "of 0 0 1"]


@pytest.mark.parametrize("head", [["6 3"], []], ids=["word2vec", "glove"])
@pytest.mark.parametrize("packed", [False, True])
def test_words_numbers_and_what_does_not_fit(head: list[str], packed: bool, tmp_path: Path) -> None:
    text = "\n".join([*head, *LINES]) + "\n"
    path = tmp_path / ("v.vec.gz" if packed else "v.vec")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    for limit, words in ((99, ["the", "été", "of"]), (2, ["the", "été"])):
        made = run(read_word_vectors, tmp_path / f"out{limit}", source=Source(path), language="en", limit=limit)
        table = WordVectors(made.folder).table
        assert table.words == words and table.language == "en"
        wanted = np.array([[0.5, -1, 0.2], [1, 2, 3], [0, 0, 1]])
        np.testing.assert_allclose(table.matrix_WD, wanted[: len(words)])
        assert table.find(["Of", "ÉTÉ", "nan"]).tolist() == ([2, 1, -1] if limit == 99 else [-1, 1, -1])
    assert made.counts["words"] == 2
    made = run(read_word_vectors, tmp_path / "all", source=Source(path))
    assert (made.counts["repeated"], made.counts["left_out"], made.counts["dimensions"]) == (1, 2, 3)


def test_a_file_of_something_else_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no vectors here\nat all\n")
    with pytest.raises(InputError, match="holds no word vectors: line 1"):
        run(read_word_vectors, tmp_path / "out", source=Source(tmp_path / "notes.txt"))
