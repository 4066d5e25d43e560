"""Names and other given phrases before the rest.

Shapes: B rows, L tokens a row, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from seedbed.core.checks import check_positive
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.objectives.artifact import Lexicon
from seedbed.objectives.masking import masks
from seedbed.objectives.masking.phrases import Phrases
from seedbed.objectives.masking.policy import Choice, Mask, Rows
from seedbed.vocabulary.byte_level import BYTES, read, written

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Vocabulary

_SENTENCE_ENDS = (".", "!", "?", ":", "\n")


@masks.register("entities", papers=["123", "380"])
class Entities(Mask):
    """Entities are chosen with probability `weight` times the rate, as wholes, and other tokens, each on its own, with
    what is then left of the rate: twice as often is 0.3 and 0.15 of POLITICS (Liu et al., 2022).

    With `weight: only` nothing else is chosen, and with `one_token` one random token of an entity in place of all: both
    together are linguistic entity masking (Fernando and Ranathunga, 2025). What is chosen together is masked, replaced
    or kept together. The expected share of chosen tokens is `rate` in every row, unless it has too little else: where
    entities would be more than the rate they are chosen less, and where only entities are chosen and these are too few,
    all are.

    Entities are the phrases of `lexicon` (from `read_lexicon`, a list of names, sentiment words or tagged nouns, from
    `find_content_words` or `find_collocations`), or without one words with a capital, those next to each other as one;
    at a sentence's beginning only if the next word has one too. Not here: recognizers of entities and
    of parts of speech, which both papers run over their corpora.
    """

    def __init__(
        self, lexicon: Lexicon | None = None, weight: float | Literal["only"] = 2.0, one_token: bool = False
    ) -> None:
        if weight != "only":
            check_positive(weight=weight)
        self.lexicon, self.weight, self.one_token = lexicon, weight, one_token

    def bind(self, vocabulary: Vocabulary) -> None:
        if self.lexicon is not None:
            self._phrases = Phrases(self.lexicon, vocabulary)
            return
        texts = _texts(vocabulary.tokens)
        first = [next((letter for letter in text if letter.isalnum()), "") for text in texts]
        self._capital_V = np.array([letter.isupper() for letter in first]) & ~vocabulary.special_V
        self._ends_V = np.array([text.endswith(_SENTENCE_ENDS) for text in texts])
        if not self._capital_V.any() and any(map(str.isalpha, first)):
            raise InputError("mask.entities", "the tokenizer knows no capitals", fix="give a lexicon")

    def choose(self, rows: Rows, rate: float, *, seed: int, progress: float) -> Choice:
        begins_BL, entity_BL = self._phrases.find(rows, seed) if self.lexicon is not None else self._capitals(rows)
        units_BL = rows.units(begins_BL)
        hidden_BL = entity_BL & (self._one(rows, units_BL, seed) == rows.columns_1L) if self.one_token else entity_BL
        number_B1, entity_B1, hidden_B1 = (
            part_BL.sum(1, keepdims=True) for part_BL in (rows.maskable_BL, entity_BL, hidden_BL)
        )
        wanted_B1 = rate * number_B1
        most_B1 = np.minimum(1.0, wanted_B1 / np.maximum(hidden_B1, 1))
        chance_B1 = most_B1 if self.weight == "only" else np.minimum(self.weight * rate, most_B1)
        left_B1 = (wanted_B1 - chance_B1 * hidden_B1) / np.maximum(number_B1 - entity_B1, 1)
        rest_B1 = np.zeros_like(left_B1) if self.weight == "only" else left_B1
        units_BL = np.where(entity_BL, units_BL, rows.columns_1L)
        below_BL = rows.drawn(units_BL, seed) < np.where(entity_BL, chance_B1, rest_B1)
        return Choice(below_BL & rows.maskable_BL & (hidden_BL | ~entity_BL), units_BL)

    def _one(self, rows: Rows, units_BL: np.ndarray, seed: int) -> np.ndarray:
        """For each token the column of the one that is drawn from its unit."""
        height, width = units_BL.shape
        flat_BL = units_BL + width * np.arange(height)[:, None]
        size_BL = np.bincount(flat_BL.ravel(), minlength=height * width)[flat_BL]
        drawn_BL = uniform(key(seed, "mlm", "one"), rows.numbers_B[:, None], units_BL)
        return np.asarray(units_BL + np.minimum((drawn_BL * size_BL).astype(np.int64), size_BL - 1))

    def _capitals(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Where entities and other words begin, and the tokens of entities."""
        word_BL = rows.units(rows.begins_BL)
        starts_BL = rows.begins_BL & rows.maskable_BL
        ends_BL = np.zeros(starts_BL.shape, dtype=bool)
        ends_BL[:, 1:] = self._ends_V[rows.tokens_BL[:, :-1]]
        row_W, column_W = np.nonzero(starts_BL)
        capital_W = self._capital_V[rows.tokens_BL[row_W, column_W]]
        breaks_W = rows.breaks_BL[row_W, column_W]
        joined_W = np.zeros(len(row_W), dtype=bool)  # goes with the word before
        joined_W[1:] = capital_W[1:] & capital_W[:-1] & ~(breaks_W | ends_BL[row_W, column_W])[1:]
        next_W = np.append(joined_W[1:], False)
        entity_W = capital_W & (joined_W | next_W | ~(breaks_W | ends_BL[row_W, column_W]))
        begins_BL, is_entity_BL = rows.begins_BL.copy(), np.zeros(starts_BL.shape, dtype=bool)
        begins_BL[row_W[joined_W], column_W[joined_W]] = False
        is_entity_BL[row_W, column_W] = entity_W
        return begins_BL, np.take_along_axis(is_entity_BL, word_BL, axis=1) & rows.maskable_BL


def _texts(tokens: list[str]) -> list[str]:
    """What tokens say, also where a tokenizer writes bytes as other letters."""
    if not any(token.startswith(written(" ")) for token in tokens):
        return tokens
    return [read(token) if BYTES.keys() >= set(token) else token for token in tokens]
