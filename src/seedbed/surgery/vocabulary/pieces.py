"""What a tokenizer would have made of a token that it does not have.

Shape: P pieces of all tokens.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from seedbed.vocabulary.byte_level import CHARACTERS
from seedbed.vocabulary.surfaces import SPACE_MARK, notation

if TYPE_CHECKING:
    from seedbed.surgery.initializer import Change
    from seedbed.vocabulary.artifact import Tokenizer


class Decomposer:
    """The pieces of a tokenizer for any surface (`surfaces.surfaces`), at the place in a text where it stands.

    Encoding a token as if it were a text would begin it anew: "ing" would become the word "▁ing", "##ing" the word
    "ing". So the surface is written in the tokenizer's own notation and given to its model (merges, longest matches,
    the best path). The normalizer is applied, the pre-tokenizer only to WordPiece's.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.fast = tokenizer.load()
        self.notation = notation(json.loads(self.fast.to_str()))
        unk = tokenizer.vocabulary().unk
        self._refused = {unk} if unk is not None else set()
        self._adds_mark = self._normalized("a").startswith(SPACE_MARK)

    def __call__(self, surface: str) -> list[int]:
        """The ids, without the unknown token: so there may be none."""
        if not surface:
            return []
        if self.notation.kind == "bytes":
            return self._model("".join(CHARACTERS[byte] for byte in surface.encode("utf8", "surrogateescape")))
        try:
            surface.encode("utf8")
        except UnicodeEncodeError:
            return self._bytes(surface)
        if self.notation.kind == "wordpiece":
            return self._wordpiece(surface)
        text = self._normalized(surface)
        if self.notation.kind == "spaces":
            text = text.replace(" ", SPACE_MARK)
            return self._model(text.removeprefix(SPACE_MARK) if self._adds_mark else text)
        return self._model(text)

    def _normalized(self, text: str) -> str:
        normalizer = self.fast.normalizer
        return str(normalizer.normalize_str(text)) if normalizer is not None else text

    def _model(self, written: str) -> list[int]:
        if not written:
            return []
        return [token.id for token in self.fast.model.tokenize(written) if token.id not in self._refused]

    def _wordpiece(self, surface: str) -> list[int]:
        """Words by the tokenizer's own splitter; the first one goes on with a word unless a space stands before."""
        text, splitter = self._normalized(surface), self.fast.pre_tokenizer
        words = [word for word, _ in splitter.pre_tokenize_str(text)] if splitter is not None else text.split()
        found: list[int] = []
        for index, word in enumerate(words):
            inside = index == 0 and not surface[0].isspace()
            found += self._longest(word) if inside else self._model(word)
        return found

    def _longest(self, word: str) -> list[int]:
        """The longest pieces with the prefix; where they do not reach, as if a word began."""
        found: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                index = self.fast.token_to_id(self.notation.prefix + word[start:end])
                if index is not None:
                    break
            else:
                return self._model(word)
            found.append(index)
            start = end
        return found

    def _bytes(self, surface: str) -> list[int]:
        """Bytes that are no text, by the tokens for bytes if there are any."""
        names = [f"<0x{byte:02X}>" for byte in surface.encode("utf8", "surrogateescape")]
        ids = [self.fast.token_to_id(name) for name in names]
        return [index for index in ids if index is not None]


def decompose(change: Change) -> tuple[np.ndarray, np.ndarray]:
    """Old ids (P), and the new token that each belongs to (P), in order."""
    decomposer = Decomposer(change.old)
    ids: list[int] = []
    counts = np.zeros(len(change.same_N), dtype=np.int64)
    for index, (same, surface) in enumerate(zip(change.same_N.tolist(), change.new_surfaces, strict=True)):
        found = [same] if same >= 0 else decomposer(surface)
        ids += found
        counts[index] = len(found)
    return np.array(ids, dtype=np.int64), np.repeat(np.arange(len(counts)), counts)
