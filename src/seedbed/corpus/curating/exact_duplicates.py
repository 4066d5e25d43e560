"""Texts that are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.corpus import curation
from seedbed.corpus.artifact import Corpus

if TYPE_CHECKING:
    from daft import DataFrame


@curation.register("exact_duplicates", papers=["311", "326"])
class ExactDuplicates:
    """Of documents with the same text the one with the smallest id stays.

    Texts are the same if 128 bits of their hashes are, after white space was made uniform and, with `ignore_case`,
    upper case lower. The reason names the document that stays. With `against`, a finished corpus, documents whose text
    it has in any split go too.

    Memory: about 100 bytes for each document, and its id. With `expected`, about the number of different texts (those
    of `against` with them), a Bloom filter of 10 bits for each of these, and 100 bytes only for documents of which the
    text comes again and for about one in a hundred of the others, with the same result. Where many more come than
    expected, this is said.
    """

    def __init__(
        self,
        ignore_case: bool = False,
        ignore_space: bool = True,
        against: Corpus | None = None,
        expected: int | None = None,
    ) -> None:
        from seedbed.corpus.text.bloom import filter_for

        self.ignore_case, self.ignore_space, self.against, self.expected = ignore_case, ignore_space, against, expected
        self.notes: list[str] = []
        filter_for(expected)  # so that a bad parameter is told before anything runs

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.tagging import with_reasons
        from seedbed.corpus.text.bloom import filter_for
        from seedbed.corpus.text.copies import find_copies

        bloom = filter_for(self.expected)
        frames = [self.against.all_documents(["id", "text"])] if self.against else []
        copies = find_copies([self._keys(each) for each in [*frames, frame]], bloom)
        self.notes = bloom.notes() if bloom else []
        of = f" of {self.against.path.name}" if self.against else ""
        rows = zip(copies.first, copies.is_old_N, strict=True)
        return with_reasons(frame, copies.ids, [f"same text as {id}{of if old else ''}" for id, old in rows])

    def _keys(self, frame: DataFrame) -> DataFrame:
        from seedbed.corpus.engine import daft, functions

        text = functions.normalize(daft.col("text"), lowercase=self.ignore_case, white_space=self.ignore_space)
        return frame.select("id", text.alias("key"))
