"""Questions and answers from a text's own sentences.

Shapes: S texts, N tokens of all of them together, Q sentences of all of them together, P sentences that are chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from seedbed.core.checks import check_share
from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.denoising.pairs import Kind, denoised, texts_of
from seedbed.objectives.denoising.ragged import Ragged, join
from seedbed.objectives.denoising.sentences import Sentences, beginnings, gathered, sentence_ends
from seedbed.objectives.denoising.writing import Writing
from seedbed.objectives.gap_sentences import important
from seedbed.objectives.shares import Share, shares_at

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary

Task = Literal["reconstruct", "ask", "ask_and_answer"]
TASKS: tuple[Task, ...] = get_args(Task)


@objectives.register("socratic", papers=["114"])
class Socratic(Writing):
    """Socratic pretraining (Pagnoni et al., 2023): of a text's most important sentences a model is to write what can be
    asked about them, and the sentences as answers.

    The sentences are those of `gap_sentences`, `rate` of a text's; each is hidden behind a mask token with probability
    `hide`, or else stays where it is. For each text one of three tasks is drawn by `weights`: `reconstruct`, the
    sentences are written; `ask`, a question for each; `ask_and_answer`, each question with its sentence behind it. A
    token before the text says which, [reconstruct], [ask] or [ask_and_answer] (train the tokenizer with them as
    `special`), or none does with `modes: false`.

    The paper's questions are written by a neural generator. Here one is the first half of the sentence's words and a
    question mark, if the tokenizer has one as a token: a template that asks how the sentence goes on. That sentences
    are sometimes left in the text is the paper's; how often, and how often each task, we could not read.
    """

    def __init__(
        self,
        rate: float = 0.3,
        hide: float = 1.0,
        weights: dict[Task, Share] = {"ask_and_answer": 1.0},  # noqa: B006
        network: Kind = "encoder-decoder",
        modes: bool = True,
    ) -> None:
        if not 0 < rate < 1:
            raise InputError("rate", "must lie between 0 and 1", value=rate)
        check_share("hide", hide)
        super().__init__(network)
        self.rate, self.hide, self.weights, self.modes = rate, hide, weights, modes

    def wanted_tokens(self) -> list[str]:
        """The tasks' tokens."""
        return [f"[{task}]" for task in TASKS if task in self.weights] if self.modes else []

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer lacks a task's token."""
        super().bind(vocabulary)
        wanted = [f"[{task}]" if self.modes and task in self.weights else None for task in TASKS]
        modes = [self._marks.mode(vocabulary, token) for token in wanted]
        self._modes_K = np.array([-1 if mode is None else mode for mode in modes])
        self._mask, self._ends_V = self._marks.mask(vocabulary), sentence_ends(vocabulary)
        self._starts_V, self._asks = np.asarray(vocabulary.word_start_V), question_mark(vocabulary)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Texts without their most important sentences, and what is asked and said about these."""
        texts = texts_of(batch, self._marks.special_V)
        sentences = Sentences.of(texts.tokens, self._ends_V)
        chosen_Q = important(sentences, self.rate)
        hidden_Q = chosen_Q & (texts.drawn(key(seed, "socratic", "hide"), sentences.counts_S) < self.hide)
        spans = sentences.spans(hidden_Q)
        shown = Ragged(np.where(spans.noise_N, self._mask, texts.tokens.values_N), texts.tokens.lengths_S)
        source = shown.keep(~spans.noise_N | spans.starts_N)
        bounds_K = np.cumsum(shares_at("socratic.weights", [self.weights.get(task, 0.0) for task in TASKS], progress))
        drawn_S = texts.drawn(key(seed, "socratic", "task"), np.ones_like(texts.tokens.lengths_S))
        task_S = np.searchsorted(bounds_K[:-1], drawn_S, side="right")
        if self.modes:
            source = join(Ragged(self._modes_K[task_S], np.ones_like(task_S)), source)
        target = self._written(sentences, chosen_Q, task_S)
        return denoised(source, target, texts, batch, self.attention, self._marks)

    def _written(self, sentences: Sentences, chosen_Q: np.ndarray, task_S: np.ndarray) -> Ragged:
        """Of each text the questions, the sentences, or both in turn."""
        answers, text_P = sentences.chosen(chosen_Q), sentences.text_Q[chosen_Q]
        question = questions(answers, self._starts_V, self._asks)
        task_P = task_S[text_P]
        asked, said = task_P != TASKS.index("reconstruct"), task_P != TASKS.index("ask")
        parts = question.keep(asked[question.sequence_N]), answers.keep(said[answers.sequence_N])
        return gathered(join(*parts), text_P, len(task_S))


def questions(sentences: Ragged, word_start_V: np.ndarray, mark: list[int]) -> Ragged:
    """What is asked about each sentence: how it goes on after its first half."""
    shown = sentences.keep(beginnings(sentences, word_start_V))
    return join(shown, *(Ragged.same(token, len(sentences.lengths_S)) for token in mark))


def question_mark(vocabulary: Vocabulary) -> list[int]:
    """The token "?", as it stands behind a word; none if there is none."""
    return [index for index, token in enumerate(vocabulary.tokens) if token in ("?", "##?")][:1]
