"""More pieces for a tokenizer that there is, from counts of words.

All kinds go on by merges: words are cut as the tokenizer cuts them, and the pair of neighbors that is most frequent
becomes a piece, again and again (Purason et al., 2025, "Teaching Old Tokenizers New Words", call that continued BPE
training; a vocabulary that is trained apart and appended, as for Chinese-LLaMA, has pieces that no merge reaches).
What each kind then needs is its own, and in each a text in which no new piece is found keeps its ids:

- BPE: the new merges come after all old ones, and none of them makes a token that was there.
- WordPiece takes the longest piece that fits; what it never takes on the corpus (most steps on the way to a longer
  piece) is not added.
- Unigram takes the best path. Old scores stay; a new piece's is the logarithm of its share of all pieces on the best
  paths, by a few rounds of counting (hard expectation maximization), and what is on no best path is not added.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from seedbed.surgery.vocabulary.description import Description, build, extended, vocabulary
from seedbed.vocabulary.merges import BREAK, learn_merges
from seedbed.vocabulary.surfaces import notation

_FIRST = 0x10000  # a piece stands as one character while merges are learned
_ROUNDS = 4


def learn(description: Description, words: Mapping[str, int], size: int, min_frequency: int) -> Description:
    """A description with at most `size` more pieces. Characters that the tokenizer lacks come first, the most frequent
    ones, down to `min_frequency` and up to half of `size`."""
    before = vocabulary(description)
    characters = _new_characters(description, words, size // 2, min_frequency)
    start = extended(description, dict.fromkeys(characters, -math.log(len(before))))
    wanted = size - len(characters)
    asked = wanted
    for _ in range(_ROUNDS):
        pieces, joined = _continued(start, words, asked, min_frequency)
        if description["model"]["type"] == "BPE":
            return extended(start, dict.fromkeys(pieces, 0.0), joined)
        scores = _used(start, pieces, words)
        if len(scores) >= wanted or len(pieces) < asked:
            break
        asked += wanted - len(scores)
    kept = dict(list(scores.items())[:wanted])
    if description["model"]["type"] == "Unigram":
        kept = _used(description, [*characters, *kept], words)
        return extended(description, kept)
    return extended(start, kept)


def cut(description: Description, words: Mapping[str, int]) -> Counter[int]:
    """How often each piece is used on the words."""
    model = build(description).model
    found: Counter[int] = Counter()
    for word, count in words.items():
        for token in model.tokenize(word):
            found[token.id] += count
    return found


def _new_characters(description: Description, words: Mapping[str, int], most: int, least: int) -> list[str]:
    known, how = vocabulary(description), notation(description)
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for place, char in enumerate(word):
            counts[how.prefix + char if place else char] += count
    new = [char for char, count in counts.items() if char not in known and count >= least]
    return sorted(new, key=lambda char: (-counts[char], char))[:most]


def _continued(
    description: Description, words: Mapping[str, int], size: int, least: int
) -> tuple[list[str], list[tuple[str, str]]]:
    """Up to `size` pieces that are not there yet, in the order of their merges, and the merges."""
    known, prefix = vocabulary(description), notation(description).prefix
    named = {index: piece for piece, index in known.items()}
    model, top = build(description).model, max(named)
    apart = {known.get(str(description["model"].get("unk_token"))), description["model"].get("unk_id")}
    apart |= {index for piece, index in known.items() if piece.startswith("<0x") and piece.endswith(">")}
    mapped: Counter[str] = Counter()
    for word, count in words.items():
        ids = [token.id for token in model.tokenize(word)]
        mapped["".join(BREAK if index in apart else chr(_FIRST + index) for index in ids)] += count
    first = [chr(_FIRST + index) for index in range(top + 1)]
    room = size + size // 20 + 16  # for what is dropped below
    _, learned = learn_merges(mapped, first, len(first) + room, min_frequency=least)

    def written(symbols: str) -> str:
        parts = [named[ord(symbol) - _FIRST] for symbol in symbols]
        return parts[0] + "".join(part.removeprefix(prefix) for part in parts[1:])

    pieces: dict[str, None] = {}
    joined: dict[tuple[str, str], None] = {}
    dropped: set[str] = set()
    for left, right in learned:
        piece = written(left + right)
        if left in dropped or right in dropped or piece in known:
            dropped.add(left + right)
        elif piece in pieces or len(pieces) < size:
            pieces[piece] = None
            joined[written(left), written(right)] = None
        else:
            break
    return list(pieces), list(joined)


def _used(description: Description, pieces: list[str], words: Mapping[str, int]) -> dict[str, float]:
    """The pieces that the tokenizer takes on the words, with their scores, in their order."""
    first = max(vocabulary(description).values()) + 1
    scores = dict.fromkeys(pieces, -math.log(first + len(pieces)))
    for _ in range(_ROUNDS if description["model"]["type"] == "Unigram" else 1):
        counts = cut(extended(description, scores), words)
        total = counts.total()
        shares = {piece: counts[first + index] / total for index, piece in enumerate(scores)}
        scores = {piece: math.log(share) for piece, share in shares.items() if share}
    return scores
