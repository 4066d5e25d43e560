"""What writes programs: a network that tags the lines of a document, and a lexicon of strings to be normalized.

Zhou et al. (2024) fine-tune language models of 0.3 billion parameters to write programs token by token. Here a tagger
of a million reads the lines (bags of hashed words and signs, a transformer over them) and says of the document whether
it goes, of each line whether it goes, and whether what the lexicon finds in it is to be normalized; this is written out
as a program. So no program has a wrong statement, and none normalizes a string that no annotation has shown. It
writes for some 350 documents of 1 kB per second of CPU time.

Shapes: N lines; labels 0: the line goes, 1: it is normalized.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.files import read_json, write_json
from seedbed.corpus.neural.segments import NUMBERS, Segments, segments_of

from .annotate import longest_first, normalizations, removed_lines
from .lexicon import Lexicon
from .programs import Chunk, Program, ranges

if TYPE_CHECKING:
    from seedbed.corpus.neural.fitting import Labeled
    from seedbed.corpus.neural.tagger import Tagger

LABELS, DOCUMENT_LABELS = 2, 1
_LEXICON = "lexicon.json"
_SIGN = re.compile(r"[^\w\s]|_")


@dataclass(frozen=True)
class Annotated:
    """A document and the program that refines it."""

    id: str
    text: str
    program: Program


class Programmer:
    """A trained one."""

    def __init__(self, tagger: Tagger, lexicon: Lexicon) -> None:
        self.tagger, self.lexicon = tagger, lexicon

    def program(self, text: str) -> Program:
        """The program for a document, one chunk for each stretch of lines that the tagger sees together."""
        from seedbed.corpus.neural.tagger import CHUNK

        lines = text.split("\n")
        labels_NK, document_K = self.tagger.tag(features(lines, self.lexicon))
        if document_K[0] > 0.5:
            return Program(drop=True)
        is_removed_N, is_normalized_N = (labels_NK > 0.5).T
        chunks = []
        for first in range(0, len(lines), CHUNK):
            places = range(first, min(first + CHUNK, len(lines)))
            removed = [place for place in places if is_removed_N[place]]
            changed = [place for place in places if is_normalized_N[place] and not is_removed_N[place]]
            found = longest_first(item for place in changed for item in self.lexicon.find(lines[place]))
            last = places[-1] if len(lines) > CHUNK else None
            chunks.append(Chunk(first, last, (*ranges(removed), *found)))
        return Program(chunks=tuple(chunks))

    def write(self, folder: Path) -> None:
        self.tagger.write(folder)
        write_json(folder / _LEXICON, self.lexicon.targets)

    @classmethod
    def read(cls, folder: Path) -> Programmer:
        from seedbed.corpus.neural.tagger import Tagger

        return cls(Tagger.read(folder), Lexicon(dict(read_json(folder / _LEXICON))))


def features(lines: Sequence[str], lexicon: Lexicon) -> Segments:
    """Of the lines of a document. The marks: each sign, what the lexicon finds, whether the line stands there twice."""
    seen: set[str] = set()
    marks = []
    for line in lines:
        own = set(_SIGN.findall(line))
        own.update(f"known {item.target}<{item.source[:8]}" for item in lexicon.find(line))
        if line in seen:
            own.add("again" if line.strip() else "blank again")
        seen.add(line)
        marks.append(own)
    return segments_of(lines, marks)


def learn(
    documents: Sequence[Annotated], *, width: int, layers: int, epochs: int, lr: float, least: int, seed: int
) -> Programmer:
    """A programmer from annotated documents."""
    from seedbed.corpus.neural.fitting import Training, fit
    from seedbed.corpus.neural.tagger import Sizes

    lexicon = Lexicon.of([normalizations(document.program) for document in documents], least)
    sizes = Sizes(NUMBERS, LABELS, DOCUMENT_LABELS, width=width, layers=layers, heads=width // 16)
    labeled = [_labeled(document, lexicon) for document in documents]
    return Programmer(fit(labeled, sizes, Training(epochs=epochs, lr=lr), seed), lexicon)


def _labeled(document: Annotated, lexicon: Lexicon) -> Labeled:
    """Lines of a document that goes have no labels; and only lines with something of the lexicon one whether it
    goes."""
    from seedbed.corpus.neural.fitting import Labeled

    lines = document.text.split("\n")
    labels_NK = np.full((len(lines), LABELS), -1, np.int8)
    if not document.program.drop:
        removed = removed_lines(document.program)
        sources = [item.source for item in normalizations(document.program)]
        for place, line in enumerate(lines):
            labels_NK[place, 0] = place in removed
            if place not in removed and (found := lexicon.find(line)):
                labels_NK[place, 1] = any(item.source in source for item in found for source in sources)
    return Labeled(features(lines, lexicon), labels_NK, np.array([document.program.drop], np.int8))
