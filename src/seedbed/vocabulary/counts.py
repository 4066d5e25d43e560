"""How often each word of a text occurs, in bounded memory: what vocabularies are learned from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash

LONGEST = 100  # characters of a word: WordPiece's own limit, beyond which a word would be unknown
CAPACITY = 5_000_000  # characters of distinct words that are kept: about half a million words
# Unicode's white space, as the regular expressions of `tokenizers` understand it (Python's \s has four more).
WHITE = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_WORD = re.compile(f"[{WHITE}]*[^{WHITE}]{{1,{LONGEST}}}|[{WHITE}]+")


@dataclass
class WordCounts:
    """Counts of words, each with the white space before it; a run of other characters is cut every LONGEST of them.

    Text without spaces (proteins, Thai, a line of base64) thus has words of bounded length, and a tokenizer whose
    first cut is `long_runs()` sees the same ones. No pattern that cuts words further looks across these borders, so
    what is learned from counts is what would be learned from the text.

    Memory is bounded: above `capacity` characters of distinct words, the more frequent half is kept (Manku and
    Motwani, 2002, count in this way; their buckets are not here), equal counts in the order of a hash. `dropped` is
    the number of occurrences lost by that, 0 where counts are exact.
    """

    capacity: int = CAPACITY
    counts: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    _held: int = 0  # characters of distinct words, at most

    def add(self, texts: Iterable[str]) -> None:
        """Count a batch of texts."""
        for text in texts:
            self.counts.update(_WORD.findall(text))
            self._held += len(text)
            if self._held > self.capacity:
                self._held = sum(map(len, self.counts))
                if self._held > self.capacity:
                    self._halve()

    def _halve(self) -> None:
        words, size = list(self.counts), len(self.counts)
        count_N = np.fromiter(self.counts.values(), np.int64, size)
        hash_N = np.fromiter((xxhash.xxh3_64_intdigest(word.encode()) for word in words), np.uint64, size)
        order_N = np.lexsort((hash_N, -count_N))
        held_N = np.cumsum(np.fromiter(map(len, words), np.int64, size)[order_N])
        for index in order_N[held_N > self.capacity // 2].tolist():
            self.dropped += self.counts.pop(words[index])
        self.counts = Counter(self.counts)  # a dictionary never gives back the places of what was taken out of it
        self._held = sum(map(len, self.counts))

    def pieces(self, cut: Callable[[str], Iterable[str]], *, last: bool = False) -> Counter[str]:
        """Counts of what `cut` makes of each word, in a fixed order. `last` gives these counts' memory back."""
        found: Counter[str] = Counter()
        for word in sorted(self.counts):
            count = self.counts[word]
            for piece in cut(word):
                found[piece] += count
        if last:
            self.counts = Counter()
        return found

    def characters(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for word, count in self.counts.items():
            for char in word:
                found[char] += count
        return found


def long_runs() -> Any:
    """The pre-tokenizer that cuts a run of LONGEST characters, with the white space before it, off what follows."""
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(f"[{WHITE}]*[^{WHITE}]{{{LONGEST}}}"), behavior="isolated")


def count_words(texts: Iterable[str] | WordCounts, capacity: int = CAPACITY) -> WordCounts:
    """Of texts that are read one after the other; counts are given back as they are."""
    if isinstance(texts, WordCounts):
        return texts
    counts = WordCounts(capacity)
    counts.add(texts)
    return counts
