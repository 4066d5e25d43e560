"""Ciphers of words: each word to another that looks like it, one to one, without a list of words.

A word is a row of runs of vowels and of consonants. Runs that occur in English, by kind and length, are permuted
together, as one number, within the class of all words with the same kinds of runs: so `garden` becomes a word like
`molbit`, of the same length, that has nothing to do with what `gardens` becomes. Runs that stand in no list stay.
Every step can be undone, for words that were never seen too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from seedbed.core.counters import key

from .words import Permutation

_RUNS = {
    "v": "a e i o u",
    "vv": "ai au ea ee ei ia ie io oa oi oo ou ua ue",
    "c": "b c d f g h j k l m n p r s t v w y z",
    "cc-first": "bl br ch cl cr dr fl fr gl gr kl kr pl pr sc sh sk sl sm sn sp st sw th tr tw vr wh wr zh",
    "cc": "bb ck ct dd ff ft gg ld lf lk ll lm lp lt mb mm mp nc nd ng nk nn ns nt pp pt rb rc rd rg rk rl rm rn rp "
    "rr rs rt rv sh sk sp ss st tt th ch",
    "ccc-first": "scr shr spl spr str thr",
    "ccc": "mbl mpl mpr nch ndl ndr nds ngl ngr nst nth ntl ntr nts rch rld rst rth rts scr shr spl spr str tch thr",
}
_RUN_NUMBERS = {kind: {run: number for number, run in enumerate(runs.split())} for kind, runs in _RUNS.items()}
_RUN_LISTS = {kind: runs.split() for kind, runs in _RUNS.items()}
_SPLIT = re.compile(r"[aeiou]+|[^aeiou]+")
SUFFIXES = ("s", "es", "ed", "ing", "er", "ers", "ly", "ness", "ion", "ions", "able", "ful", "less", "ment")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
SCRIPTS = {
    "latin": _LETTERS,
    "cyrillic": "абцдефгхийклмнопярстувшжыз",
    "armenian": "աբցդեֆգհիջկլմնոպքրստւվօխյզ",
}


class WordCipher:
    """A bijection of the words over a to z, under a seed; `encode` and `decode` take lower case.

    With `morphology` a suffix becomes a suffix and a stem the same stem, whatever suffix follows it, but for the few
    words of which that could not be undone. Words that `stays` says are left as they are stay, and no other word
    becomes one of them.
    """

    def __init__(
        self, seed: int, *, morphology: bool = False, stays: Callable[[str], bool] = lambda word: False
    ) -> None:
        self.seed, self.morphology, self.stays = seed, morphology, stays
        self._suffixes = Permutation(len(SUFFIXES), seed, "suffixes")
        self._classes: dict[tuple[str, ...], Permutation] = {}
        self.encode = lru_cache(1 << 17)(self._encode)
        self.decode = lru_cache(1 << 17)(self._decode)

    def _encode(self, word: str) -> str:
        return self._walk(word, lambda permutation, number: permutation(number))

    def _decode(self, word: str) -> str:
        return self._walk(word, lambda permutation, number: permutation.inverse(number))

    def _walk(self, word: str, move: Callable[[Permutation, int], int]) -> str:
        """The step repeated until it comes to a word that can be undone: again one to one, as the first return of a
        permutation is."""
        if self.stays(word):
            return word
        stem, suffix = self._parts(word)
        while True:
            stem = self._moved(stem, move)
            suffix = SUFFIXES[move(self._suffixes, SUFFIXES.index(suffix))] if suffix else ""
            if self._parts(stem + suffix) == (stem, suffix) and not self.stays(stem + suffix):
                return stem + suffix

    def _parts(self, word: str) -> tuple[str, str]:
        """Stem and suffix; a stem has three letters at least, among them a vowel."""
        if self.morphology:
            for length in range(min(4, len(word) - 3), 0, -1):
                stem, suffix = word[:-length], word[-length:]
                if suffix in SUFFIXES and any(letter in "aeiou" for letter in stem):
                    return stem, suffix
        return word, ""

    def _moved(self, word: str, move: Callable[[Permutation, int], int]) -> str:
        runs = _SPLIT.findall(word)
        kinds = [_kind(run, place) for place, run in enumerate(runs)]
        number, size = 0, 1
        for kind, run in zip(kinds, runs, strict=True):
            if kind in _RUN_NUMBERS:
                number = number * len(_RUN_LISTS[kind]) + _RUN_NUMBERS[kind][run]
                size *= len(_RUN_LISTS[kind])
        number = move(self._class(tuple(kinds), size), number)
        for place in reversed(range(len(runs))):
            if kinds[place] in _RUN_LISTS:
                number, chosen = divmod(number, len(_RUN_LISTS[kinds[place]]))
                runs[place] = _RUN_LISTS[kinds[place]][chosen]
        return "".join(runs)

    def _class(self, kinds: tuple[str, ...], size: int) -> Permutation:
        if kinds not in self._classes:
            self._classes[kinds] = Permutation(size, self.seed, "class", *kinds)
        return self._classes[kinds]


def _kind(run: str, place: int) -> str:
    """The list that a run stands in; a run in no list is a kind of its own."""
    kind = ("v" if run[0] in "aeiou" else "c") * len(run)
    if kind in ("cc", "ccc") and place == 0:
        kind += "-first"
    return kind if run in _RUN_NUMBERS.get(kind, ()) else f"={run}"


def stays_by_share(seed: int, share: float) -> Callable[[str], bool]:
    """Whether a word is among a share of all words, chosen by hash."""
    return lambda word: key(seed, "stays", word) < share * 2**64


def letters(script: str) -> tuple[dict[int, int], dict[int, int]]:
    """Tables for `str.translate` from a to z and A to Z to a script, and back."""
    there = {ord(a): ord(b) for a, b in zip(_LETTERS, SCRIPTS[script], strict=True)}
    there |= {ord(a.upper()): ord(b.upper()) for a, b in zip(_LETTERS, SCRIPTS[script], strict=True)}
    assert len(set(there.values())) == len(there)
    return there, {b: a for a, b in there.items()}
