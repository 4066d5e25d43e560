"""Conditional training: language modeling behind a token that says what the text is worth.

Shape: N pieces of documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from seedbed.core.checks import check_share
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.clm import CausalLanguageModeling
from seedbed.objectives.prediction import TokenPrediction
from seedbed.objectives.rewards import Rewards

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@objectives.register("conditional_lm", papers=["038"])
class ConditionalLanguageModeling(TokenPrediction):
    """Conditional training (Korbak et al., 2023, section 2): causal language modeling, where every text has a control
    token before it that says whether its reward is at least `threshold`. To write what is wanted, begin with `good`.

    `reward` is a field of the documents' metadata (`metadata.NAME`) or a score column of the corpus, with a minus
    before it where the number is one of harm. A share `drop` of the texts gets no control token, so that the network
    does without it too (the authors' 1%). The tokenizer must have both tokens (`special: ["<|good|>", "<|bad|>"]` in
    `train_tokenizer`). They stand before each piece of a document, are seen and not learned, and cost time like
    padding. The paper marks every sentence, and in its code control tokens are learned as well; here what a reward
    belongs to is a document, so a corpus of sentences has it by sentence.
    """

    attention: ClassVar[str] = "causal"

    def __init__(
        self,
        reward: str = "metadata.reward",
        threshold: float = 0.0,
        drop: float = 0.01,
        good: str = "<|good|>",
        bad: str = "<|bad|>",
    ) -> None:
        check_share("drop", drop)
        if good == bad:
            raise InputError("bad", "is the token for good texts, too", value=bad)
        self.rewards, self.threshold, self.drop, self.marks = Rewards(reward), threshold, drop, (good, bad)
        self._inner = CausalLanguageModeling()

    def wanted_tokens(self) -> list[str]:
        """Both control tokens."""
        return list(self.marks)

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer lacks a control token."""
        for mark in self.marks:
            if mark not in vocabulary.tokens:
                problem = "the tokenizer does not have this token"
                raise InputError("objective.conditional_lm", problem, value=mark, fix=f"special: {list(self.marks)}")
        self._good, self._bad = (vocabulary.tokens.index(mark) for mark in self.marks)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Texts behind their control tokens; targets are their own tokens, the first one excepted."""
        if batch.seen_BL is not None:
            raise InputError("interventions", "put something before texts, where conditional_lm has its control tokens")
        row_N, column_N = batch.pieces_N6[:, 0], batch.pieces_N6[:, 1]
        marked_N = uniform(key(seed, "conditional_lm"), batch.rows_B[row_N], column_N) >= self.drop
        mark_N = np.where(self.rewards.of_pieces(batch) >= self.threshold, self._good, self._bad)
        before = [[int(mark)] if marked else [] for mark, marked in zip(mark_N, marked_N, strict=True)]
        framed = batch.framed(before, [[]] * len(before))
        found = self._inner.corrupt(framed, seed=seed, progress=progress)
        if framed.seen_BL is not None:
            found.segments_BL = framed.seen_BL
        return found
