"""Lines that stand in several documents."""

from __future__ import annotations

from seedbed.corpus import curation
from seedbed.corpus.text.characters import Texts
from seedbed.corpus.text.shared_pieces import Cut, WithoutRepeats


@curation.register("duplicate_lines", papers=["326"])
class DuplicateLines(WithoutRepeats):
    """Takes out of each text the lines that a document with a smaller id, or the text itself further up, has already.

    Lines are the same if 64 bits of their hashes are, without the white space around them; those of fewer than
    `min_chars` characters are left alone. `edits` name the document that keeps a line. A document without a line left
    is dropped.

    Memory: 25 bytes for each line, and the documents' ids. With `expected`, about the number of different lines, a
    Bloom filter of a byte or two for each of these (10 bits at `false_positives` 0.01) first finds those that may come
    again, and only they need 25 bytes, and only their documents an id. Where many more lines come than expected, this
    is said: the filter then takes more of them for repeated. Unlike a filter that decides by itself, as that of Dolma
    (Soldaini et al., 2024), this never takes out a line that came once, and nothing depends on the order of documents:
    the result is the same with it and without.
    """

    def __init__(self, min_chars: int = 20, expected: int | None = None, false_positives: float = 0.01) -> None:
        super().__init__(Cut("line", Texts.parted_at_newlines, min_chars), expected, false_positives)
