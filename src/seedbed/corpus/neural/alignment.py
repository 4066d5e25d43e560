"""Which text nodes of a page are the main content, from what somebody has said of the page.

An article's text: a node with at least five words is main if half of its 3-grams of words stand in the article; a
shorter one if it stands there together with the two words before or behind it on the page. Strings that must, or must
not, be extracted decide the nodes in which they stand; of the other nodes nothing is known (-1). Texts are compared by
their words, in lower case.

Xu et al. (2024) have labels of every node from ClueWeb22, made with a rendered page.

Shapes: N nodes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from seedbed.core.agreement import agreement

_WORD = re.compile(r"\w+")
_GRAM = 3
_LONG = 5  # words from which on a node is judged by itself
_SHARE = 0.5
_BESIDE = 2  # words of the neighbors that a short node is looked for with


def words_of(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def from_article(texts: Sequence[str], article: str) -> np.ndarray:
    """1 or 0 for each node, int8 (N,)."""
    known = words_of(article)
    grams = set(_grams(known))
    line = _line(known)
    nodes = [words_of(text) for text in texts]
    flat = [word for words in nodes for word in words]
    labels_N = np.zeros(len(nodes), np.int8)
    end = 0
    for place, words in enumerate(nodes):
        start, end = end, end + len(words)
        if len(words) >= _LONG:
            found = [gram in grams for gram in _grams(words)]
            labels_N[place] = sum(found) >= _SHARE * len(found)
        elif words:
            before, behind = flat[max(0, start - _BESIDE) : start], flat[end : end + _BESIDE]
            labels_N[place] = any(
                len(sides) > len(words) and _line(sides) in line for sides in (before + words, words + behind)
            )
    return labels_N


def from_strings(texts: Sequence[str], must_have: Sequence[str], must_not: Sequence[str]) -> np.ndarray:
    """1, 0 or -1 for each node, int8 (N,). A wanted string that stands on the page twice decides nothing, as one of its
    places may be a menu; one that is both wanted and not decides nothing either.
    """
    nodes = [words_of(text) for text in texts]
    owners = np.repeat(np.arange(len(nodes)), [len(words) for words in nodes])
    line = _line([word for words in nodes for word in words])
    labels_N = np.full(len(nodes), -1, np.int8)
    wanted, unwanted = ({tuple(words_of(text)) for text in given} - {()} for given in (must_have, must_not))
    for words in sorted(unwanted - wanted):
        for first in _places(line, words):
            labels_N[owners[first] : owners[first + len(words) - 1] + 1] = 0
    for words in sorted(wanted - unwanted):
        places = _places(line, words)
        if len(places) == 1:
            labels_N[owners[places[0]] : owners[places[0] + len(words) - 1] + 1] = 1
    return labels_N


def word_f1(said: str, truth: str) -> dict[str, float]:
    """Precision, recall and F1 of a text's words as a multiset. Of two texts without words all are 1."""
    said_words, true_words = Counter(words_of(said)), Counter(words_of(truth))
    if not said_words and not true_words:
        return {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    return agreement((said_words & true_words).total(), true_words.total(), said_words.total())


def strings_kept(said: str, must_have: Sequence[str], must_not: Sequence[str]) -> tuple[int, int]:
    """How many strings are treated as they should be: wanted ones that are there, unwanted ones that are not; of how
    many."""
    line = _line(words_of(said))
    right = [_line(words_of(text)) in line for text in must_have]
    right += [_line(words_of(text)) not in line for text in must_not]
    return sum(right), len(right)


def _grams(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + _GRAM]) for place in range(len(words) - _GRAM + 1)]


def _line(words: Sequence[str]) -> str:
    """Words as a string in which only whole words are found."""
    return f" {' '.join(words)} "


def _places(line: str, words: Sequence[str]) -> list[int]:
    """The numbers of the words of `line` at which these begin."""
    wanted = _line(words)
    found, place = [], line.find(wanted)
    while place >= 0:
        found.append(line.count(" ", 0, place + 1) - 1)
        place = line.find(wanted, place + 1)
    return found
