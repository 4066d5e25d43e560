"""Universal Dependencies treebanks."""

from __future__ import annotations

from collections.abc import Iterator

from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.records import Fields, conllu_records, read_records


@readers.register("conllu")
class CoNLLU:
    """Sentences of Universal Dependencies treebanks (`.conllu`), plain or compressed: each is a document with its text
    and id. Lists of words (the syntactic ones) as `tokens`, parts of speech as `tags` and `xpos`, and `lemmas` become
    metadata. A sentence with a line that has not ten columns goes to the quarantine.
    """

    def __init__(self, path: Source, domain: str = "", license: str = "") -> None:
        self.path = Source.parse(path)
        self.fields = Fields.of("text", domain=domain, license=license)

    def __iter__(self) -> Iterator[Document | Unreadable]:
        return read_records(self.path, (".conllu",), conllu_records, self.fields)
