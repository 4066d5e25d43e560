"""Words in another language.

Shapes: S texts, N tokens of all of them together, W words, E entries of a dictionary, T tokens of its translations, V
vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.checks import check_share
from seedbed.core.counters import hash64, key
from seedbed.core.errors import InputError
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.spans import Texts
from seedbed.objectives.noising import noises
from seedbed.objectives.noising.noise import Noise
from seedbed.vectors.artifact import Dictionary
from seedbed.vocabulary.artifact import Tokenizer

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Vocabulary

_BEFORE = "a "  # a word is tokenized as it is in running text


@noises.register("code_switch", papers=["236", "299"])
class CodeSwitch(Noise):
    """Words of a dictionary become their translations, each time with probability `rate`: the code-switched source of
    Zan et al. (2022), the dictionary denoising of Reid and Artetxe (2021). Of several translations one is drawn.

    `dictionary` is of `read_dictionary` (its training part), `tokenizer` the run's. With `both` translations become
    words of the first language too, so that texts of either are damaged. A word is a run of tokens with letters or
    digits; it is looked up as it stands, and with a capital where its translation gets one.
    """

    def __init__(self, dictionary: Dictionary, tokenizer: Tokenizer, rate: float = 0.3, both: bool = True) -> None:
        check_share("rate", rate)
        self.dictionary, self.tokenizer, self.rate, self.both = dictionary, tokenizer, rate, both

    def bind(self, vocabulary: Vocabulary) -> None:
        """Tokenize the dictionary. Raises InputError for another tokenizer than the run's, or if no word is whole."""
        from seedbed.vocabulary.surfaces import surfaces

        if self.tokenizer.vocabulary().tokens != vocabulary.tokens:
            raise InputError("noise.code_switch.tokenizer", "is not the tokenizer of the run")
        plain_V = np.array([any(char.isalnum() for char in text) for text in surfaces(self.tokenizer)])
        self._plain_V, self._starts_V = plain_V, np.asarray(vocabulary.word_start_V)
        pairs = self.dictionary.pairs()
        if self.both:
            pairs = list(dict.fromkeys([*pairs, *((second, first) for first, second in pairs)]))
        pairs += [(first.capitalize(), second.capitalize()) for first, second in pairs]
        words = self._tokens(sorted({word for pair in pairs for word in pair}))
        found = {(words[first], words[second]): None for first, second in pairs if words[first] and words[second]}
        if not found:
            raise InputError("noise.code_switch.dictionary", "holds no word", value=str(self.dictionary.path))
        numbers = hashes(_ragged([first for first, _ in found]))
        order = np.argsort(numbers, kind="stable")
        self._known_E = numbers[order]
        self._translations = _ragged([second for _, second in found]).take(order)

    def damaged(self, texts: Texts, seed: int) -> Ragged:
        """Code-switched texts."""
        tokens = texts.tokens
        words = self._words(tokens)
        number_W = hashes(words)
        first_W = np.searchsorted(self._known_E, number_W)
        count_W = np.searchsorted(self._known_E, number_W, side="right") - first_W
        text_W = tokens.sequence_N[words.starts_S]
        words_S = np.bincount(text_W, minlength=len(tokens.lengths_S))
        which_W, choice_W = (texts.drawn(key(seed, "code_switch", part), words_S) for part in ("which", "choice"))
        hit_W = (which_W < self.rate) & (count_W > 0)
        entry_W = first_W + (choice_W * count_W).astype(np.int64)
        both = _appended(words, self._translations)
        chosen = both.take(np.where(hit_W, len(words.lengths_S) + entry_W, np.arange(len(hit_W))))
        lengths_S = np.bincount(text_W, chosen.lengths_S, minlength=len(tokens.lengths_S)).astype(np.int64)
        return Ragged(chosen.values_N, lengths_S)

    def _words(self, tokens: Ragged) -> Ragged:
        """The texts cut into words and what stands between them."""
        plain_N = self._plain_V[tokens.values_N]
        changes_N = np.diff(plain_N, prepend=~plain_N[:1])
        begins_N = self._starts_V[tokens.values_N] | (tokens.place_N == 0) | changes_N
        return Ragged(tokens.values_N, np.diff(np.flatnonzero(begins_N), append=len(begins_N)))

    def _tokens(self, words: list[str]) -> dict[str, tuple[int, ...]]:
        """Of each word its tokens in running text; none where they are not its alone."""
        found = {}
        encodings = self.tokenizer.load().encode_batch([_BEFORE + word for word in words], add_special_tokens=False)
        for word, encoding in zip(words, encodings, strict=True):
            inside = [end > len(_BEFORE) for _, end in encoding.offsets]
            whole = inside == sorted(inside) and all(
                self._plain_V[index] for index, here in zip(encoding.ids, inside, strict=True) if here
            )
            ids = [index for index, here in zip(encoding.ids, inside, strict=True) if here]
            found[word] = tuple(ids) if whole else ()
        return found


def hashes(words: Ragged) -> np.ndarray:
    """A number for each word, of its tokens and their places."""
    if not len(words.lengths_S):
        return np.empty(0, np.uint64)
    number_N = hash64(key(0, "code_switch", "word"), words.values_N, words.place_N)
    with np.errstate(over="ignore"):
        return np.asarray(np.add.reduceat(number_N, words.starts_S))


def _ragged(rows: list[tuple[int, ...]]) -> Ragged:
    values = np.array([token for row in rows for token in row], np.int64)
    return Ragged(values, np.array([len(row) for row in rows], np.int64))


def _appended(one: Ragged, other: Ragged) -> Ragged:
    """The sequences of both."""
    return Ragged(np.concatenate((one.values_N, other.values_N)), np.concatenate((one.lengths_S, other.lengths_S)))
