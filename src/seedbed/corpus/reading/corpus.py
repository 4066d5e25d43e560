"""Corpora that were made before."""

from __future__ import annotations

import json
from collections.abc import Iterator

from seedbed.corpus import readers
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.documents import COLUMNS, Document


@readers.register("corpus")
class FromCorpus:
    """The documents of a corpus that an earlier step has made, of all its splits; for curating them further.

    Ids stay what they were, so that with the same `split`, `split_by` and `seed` a document gets into the split that it
    was in. Scores become metadata.
    """

    def __init__(self, of: Corpus) -> None:
        self.of = of

    def __iter__(self) -> Iterator[Document]:
        for split in self.of.splits():
            for row in self.of.documents(split):
                scores = {name: value for name, value in row.items() if name not in COLUMNS}
                known = {name: row[name] for name in COLUMNS if name != "metadata"}
                yield Document(**known, metadata={**json.loads(row["metadata"]), **scores})
