"""Phrases that belong together, masked whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.objectives.artifact import Lexicon
from seedbed.objectives.masking import masks
from seedbed.objectives.masking.phrases import Phrases
from seedbed.objectives.masking.policy import Choice, Mask, Rows

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Vocabulary


@masks.register("ngrams", papers=["360"])
class Ngrams(Mask):
    """Phrases of a lexicon, and the words outside of them, are chosen as wholes with probability `rate`, and masked,
    replaced or kept as wholes.

    `lexicon` is made by `find_collocations`: with `measure: pmi` it is PMI-Masking (Levine et al., 2021), with `t_test`
    the lexicon of ERNIE-Gram (Xiao et al., 2021). Where phrases overlap the longer one counts, of equal ones a random
    one, as in the first paper; the second parts a text by maximum matching. Units are chosen independently, where
    PMI-Masking draws them until 15% of a sequence is full. An n-gram as one mask with a class of its own, and the
    second paper's generator, are the objective `ngram_mlm`.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon

    def bind(self, vocabulary: Vocabulary) -> None:
        self._phrases = Phrases(self.lexicon, vocabulary)

    def choose(self, rows: Rows, rate: float, *, seed: int, progress: float) -> Choice:
        begins_BL, _ = self._phrases.find(rows, seed)
        units_BL = rows.units(begins_BL)
        return Choice(rows.maskable_BL & (rows.drawn(units_BL, seed) < rate), units_BL)
