"""Words and their morphemes: read from files, found in other words, and compared with what a tokenizer cuts."""

from __future__ import annotations

import gzip
import lzma
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from seedbed.core.agreement import agreement
from seedbed.core.errors import InputError
from seedbed.core.source import Source

_JOINED = "@@"
_LETTERS = 30.0  # an unknown stem costs as if each of its letters were drawn from as many
_BATCH = 1024
_MISFITS = 0.05


def read_segmentations(source: Source) -> dict[str, tuple[str, ...]]:
    """The morphemes of each word.

    The format is that of SIGMORPHON's shared task of 2022 (Batsuren et al.): on each line a word or a sentence, a tab,
    and the same with its morphemes, those within a word behind "@@" (`unties<TAB>un @@tie @@s`); further columns are
    not read. Of a word that comes twice the first line counts. Plain, .gz or .xz. Lines that have not as many words on
    both sides (St. Martinville: Martin @@ville) are left out; more than one in twenty of them, or a line without a tab,
    is an error.
    """
    found: dict[str, tuple[str, ...]] = {}
    misfits = 0
    for path in source.files:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                columns = line.rstrip("\n").split("\t")
                if len(columns) < 2:
                    raise _misfit(f"{path}:{number}", line)
                words, groups = columns[0].split(), _groups(columns[1].split())
                if len(words) == 1 and groups:  # a compound may stand as several words (board game @@y)
                    groups = [tuple(part for group in groups for part in group)]
                if len(words) != len(groups):
                    misfits += 1
                    if misfits > max(1, _MISFITS * number):
                        raise _misfit(f"{path}:{number}", line)
                    continue
                for word, group in zip(words, groups, strict=True):
                    found.setdefault(word, group)
    if not found:
        raise InputError(str(source), "holds no segmented words")
    return found


def _misfit(place: str, line: str) -> InputError:
    problem = "wants a word (or words), a tab, and as many words in morphemes (un @@tie @@s)"
    return InputError(place, problem, value=line.rstrip("\n"))


def _open(path: Path) -> IO[str]:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf8")
    return gzip.open(path, "rt", encoding="utf8") if path.suffix == ".gz" else open(path, encoding="utf8")


def _groups(parts: Sequence[str]) -> list[tuple[str, ...]]:
    groups: list[list[str]] = []
    for part in parts:
        if part.startswith(_JOINED) and len(part) > len(_JOINED) and groups:
            groups[-1].append(part.removeprefix(_JOINED))
        else:
            groups.append([part])
    return [tuple(group) for group in groups]


def boundaries(word: str, morphemes: Sequence[str]) -> list[int]:
    """Where in the word one morpheme ends and the next begins.

    Morphemes may be written in their basic form (retiring: re tire ing). They are aligned with the word by the least
    number of edits; a letter that only the word has belongs to the morpheme before it (runn-ing), and a morpheme that
    has no letter left has no boundary of its own.
    """
    ends, total = [], 0
    for morpheme in morphemes[:-1]:
        total += len(morpheme)
        ends.append(total)
    basic = "".join(morphemes)
    if basic != word:
        placed = _align(basic, word)
        ends = [placed[end] for end in ends]
    return sorted({end for end in ends if 0 < end < len(word)})


def _align(basic: str, word: str) -> list[int]:
    """For each number of letters of `basic` how many of `word` they are aligned with, at most."""
    short = min(len(basic), len(word))
    head = next((i for i in range(short) if basic[i] != word[i]), short)
    tail = next((i for i in range(short - head) if basic[-1 - i] != word[-1 - i]), short - head)
    middle = _edits(basic[head : len(basic) - tail], word[head : len(word) - tail])
    return [*range(head), *(head + place for place in middle), *range(len(word) - tail + 1, len(word) + 1)]


def _edits(basic: str, word: str) -> list[int]:
    rows = [list(range(len(word) + 1))]
    for index, letter in enumerate(basic, 1):
        above, row = rows[-1], [index]
        for place, other in enumerate(word, 1):
            row.append(min(above[place - 1] + (letter != other), above[place] + 1, row[-1] + 1))
        rows.append(row)
    placed = [0] * (len(basic) + 1)
    index, place = len(basic), len(word)
    placed[index] = place
    while index:
        here = rows[index][place]
        if place and here == rows[index - 1][place - 1] + (basic[index - 1] != word[place - 1]):
            index, place = index - 1, place - 1
            placed[index] = place
        elif here == rows[index - 1][place] + 1:
            index -= 1
            placed[index] = place
        else:
            place -= 1
    return placed


class Segmenter:
    """Cuts words into morphemes: as the file says (without regard to case), else at the least cost.

    The cost of a morph that the file's words have is minus the logarithm of its share of all of them (a unigram model
    of morphs as written), that of another string is as much as a morph seen once, and log 30 for each letter. So known
    affixes are taken off, and what is left over stays whole. Found by dynamic programming; the same for equal words.
    """

    def __init__(self, source: Source) -> None:
        self.known: dict[str, list[int]] = {}
        counts: Counter[str] = Counter()
        for word, morphemes in read_segmentations(source).items():
            lower = word.lower()
            if len(lower) == len(word) and lower not in self.known:
                cuts = boundaries(lower, [morpheme.lower() for morpheme in morphemes])
                self.known[lower] = cuts
                counts.update(_parts(lower, cuts))
        total = counts.total()
        self._costs = {morph: math.log(total / count) for morph, count in counts.items()}
        self._unknown = math.log(total)
        self._found: dict[str, list[int]] = {}

    def __call__(self, word: str) -> list[int]:
        """The places where the word is cut."""
        lower = word.lower()
        if len(lower) != len(word):  # the Turkish capital I with a dot
            return []
        cuts = self.known.get(lower)
        if cuts is None:
            cuts = self._found.get(lower)
        if cuts is None:
            cuts = self._found[lower] = self._cheapest(lower)
        return cuts

    def _cheapest(self, word: str) -> list[int]:
        best = [0.0] + [math.inf] * len(word)
        begins = [0] * (len(word) + 1)
        letter = math.log(_LETTERS)
        for end in range(1, len(word) + 1):
            for start in range(end):
                cost = best[start] + self._costs.get(word[start:end], self._unknown + letter * (end - start))
                if cost < best[end]:
                    best[end], begins[end] = cost, start
        cuts, end = [], len(word)
        while begins[end]:
            end = begins[end]
            cuts.append(end)
        return cuts[::-1]


def _parts(word: str, cuts: Sequence[int]) -> list[str]:
    edges = [0, *cuts, len(word)]
    return [word[a:b] for a, b in pairwise(edges)]


def compare(tokenizer: Any, gold: Mapping[str, Sequence[int]]) -> dict[str, float | int]:
    """Boundaries of tokens against those of morphemes (`gold`, places in each word), over all words.

    `precision` is the share of a tokenizer's cuts within words that are boundaries of morphemes, `recall` the share of
    these that it cuts at, `f1` their harmonic mean, `whole` the share of words that are cut exactly there. Each word
    stands behind another one, as in running text; a token that is part of a character cuts before that character.
    """
    cut = right = wanted = same = 0
    for word, cuts in _cuts(tokenizer, list(gold)):
        expected = set(gold[word])
        cut, right, wanted = cut + len(cuts), right + len(cuts & expected), wanted + len(expected)
        same += cuts == expected
    values = {**agreement(right, wanted, cut), "whole": same / max(1, len(gold))}
    return {"words": len(gold), **{name: round(value, 6) for name, value in values.items()}}


def _cuts(tokenizer: Any, words: Sequence[str]) -> Iterator[tuple[str, set[int]]]:
    before = "- "
    for first in range(0, len(words), _BATCH):
        batch = words[first : first + _BATCH]
        for word, encoding in zip(
            batch, tokenizer.encode_batch([before + word for word in batch], add_special_tokens=False), strict=True
        ):
            places = {start - len(before) for start, _ in encoding.offsets}
            yield word, {place for place in places if 0 < place < len(word)}
