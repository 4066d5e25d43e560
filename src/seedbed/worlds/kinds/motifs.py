"""Made-up DNA in which motifs a long way apart belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice
from seedbed.worlds.words import check_vocabulary

_BASES = "ACGT"
_MOST = 1000  # motifs


@worlds.register("motifs", papers=["179"])
class Motifs:
    """Sequences of A, C, G and T with pairs of motifs at a distance: whether a model carries what it has read over many
    letters of noise (ours, as the planned check of HyenaDNA wants it; Nguyen et al., 2023).

    There are `motifs` first motifs of `width` letters, each with a partner, and one signal. A document has `pairs` of
    them, one after the other: a first motif, `nearest` to `farthest` random letters, the signal, and the partner of the
    first motif, which nothing else tells. Before each pair stand up to `width` random letters. All words are drawn from
    `vocabulary`, and differ; random letters may spell one by chance, about every 4^width letters for each. A smaller
    world is the beginning of a larger one.

    truth/pairs.jsonl, for every document: document, start, end (of the last partner, in characters), distance (letters
    between it and its first motif, the signal among them), motif (its number).

    Labels: `partners` (completion: every document's last partner).
    """

    documents_per_second: ClassVar[float] = 3000
    bytes_per_document: ClassVar[float] = 290
    split_by: ClassVar[str] = "id"
    tasks: ClassVar[Mapping[str, str]] = {"partners": "completion"}

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        motifs: int = 8,
        width: int = 6,
        pairs: int = 2,
        nearest: int = 80,
        farthest: int = 120,
        vocabulary: int = 0,
    ) -> None:
        for name, number in (("documents", documents), ("pairs", pairs)):
            if number < 1:
                raise InputError(name, "must be at least 1", value=number)
        if not 0 <= nearest <= farthest:
            raise InputError("nearest", f"must lie between 0 and farthest ({farthest})", value=nearest)
        if not 2 <= motifs <= _MOST:
            raise InputError("motifs", f"must lie between 2 and {_MOST}", value=motifs)
        if not 2 <= width <= 100 or 4**width < 4 * motifs:
            raise InputError("width", "is too small for so many different motifs, or above 100", value=width)
        check_vocabulary(vocabulary)
        self.documents, self.pairs, self.nearest, self.farthest = documents, pairs, nearest, farthest
        self.width, self.vocabulary = width, vocabulary
        words = _words(Dice(vocabulary, "motifs", width, motifs), 2 * motifs + 1, width)
        self.signal, self.first, self.partners = words[0], words[1 : motifs + 1], words[motifs + 1 :]

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        for number in range(self.documents):
            dice = Dice(seed, "motif pairs", self.vocabulary, number)
            text, motif, gap = "", 0, 0
            for _ in range(self.pairs):
                motif = dice.below(len(self.first))
                gap = self.nearest + dice.below(self.farthest - self.nearest + 1)
                text += _letters(dice, dice.below(self.width + 1)) + self.first[motif]
                text += _letters(dice, gap) + self.signal + self.partners[motif]
            id = f"motifs-{number:07d}"
            yield Document(id, text, source="world motifs", domain="dna")
            place = {"start": len(text) - self.width, "end": len(text)}
            yield Truth("pairs", {"document": id, **place, "distance": gap + self.width, "motif": motif})

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        del task
        for id, text, row in about(texts, truth("pairs")):
            yield {"id": id, "text": text, "start": row["start"], "end": row["end"]}


def _words(dice: Dice, number: int, width: int) -> list[str]:
    """So many different ones."""
    found: dict[str, None] = {}
    while len(found) < number:
        found.setdefault(_letters(dice, width))
    return list(found)


def _letters(dice: Dice, number: int) -> str:
    return "".join(dice.pick(_BASES) for _ in range(number))
