"""What the steps of this room make: word vectors, two languages' vectors in one space, a dictionary."""

from __future__ import annotations

from functools import cached_property

from seedbed.core.artifact import Artifact
from seedbed.core.errors import unknown_key

from .table import WordTable

Pair = tuple[str, str]  # a word of the source language, and a translation


class WordVectors(Artifact):
    """`words.txt` (a word a line, frequent ones first), `vectors.npy` (float32), `counts.npy`, `vectors.json`."""

    kind = "word_vectors"

    @cached_property
    def table(self) -> WordTable:
        return WordTable.load(self.path)


class AlignedVectors(Artifact):
    """`source/` and `target/`, each as `WordVectors`: two languages in one space, where cosines can be compared."""

    kind = "aligned_vectors"

    @cached_property
    def source(self) -> WordTable:
        return WordTable.load(self.path / "source")

    @cached_property
    def target(self) -> WordTable:
        return WordTable.load(self.path / "target")


class Dictionary(Artifact):
    """`train.tsv` and `test.tsv`: a source word, a tab, a translation. No source word is in both."""

    kind = "dictionary"

    def pairs(self, part: str = "train") -> list[Pair]:
        """The pairs of a part, in the order of the file that they were read from."""
        if part not in ("train", "test"):
            raise unknown_key(str(self.path), part, ("train", "test"), "part")
        lines = (self.path / f"{part}.tsv").read_text(encoding="utf8").split("\n")[:-1]
        return [(source, target) for source, _, target in (line.partition("\t") for line in lines)]
