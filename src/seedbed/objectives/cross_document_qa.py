"""Questions about one document that others help to answer.

Shapes: S texts, G groups of texts that see each other, N tokens of all of them together, Q sentences of all of them
together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.objectives import objectives
from seedbed.objectives.base import Examples
from seedbed.objectives.denoising.pairs import Kind, as_examples, pieces_of
from seedbed.objectives.denoising.ragged import Ragged, join
from seedbed.objectives.denoising.sentences import Sentences, beginnings, gathered, sentence_ends
from seedbed.objectives.denoising.writing import Writing
from seedbed.objectives.socratic import question_mark, questions

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@objectives.register("cross_document_qa", papers=["221"])
class CrossDocumentQA(Writing):
    """Cross-document question answering (QAmden, Caciularu et al., 2023): of related documents the sentence that is
    most like the other documents is hidden behind a mask token; a question about it stands before all of them, and the
    answer and the sentence are to be written.

    Related documents are the pieces of a segment, as the samplers `in_context` and `pairs` give them; segments of one
    document, or whose documents have no token in common, have nothing to learn. Most like means the highest ROUGE-1
    (F1) to what the other documents say, of tokens. The paper's questions and answers come from a semantic parser
    (QASem); here a question is the first half of the sentence's words and a question mark, and the answer is the rest.
    One sentence of a group is asked about, where the paper makes an example of each of its questions. `network` and
    `mode` as in `span_corruption`. Nothing is drawn. Not here: global attention of the question's tokens.
    """

    def __init__(self, network: Kind = "encoder-decoder", mode: str | None = None) -> None:
        super().__init__(network, mode)

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids."""
        super().bind(vocabulary)
        self._mask, self._ends_V = self._marks.mask(vocabulary), sentence_ends(vocabulary)
        self._starts_V, self._asks = np.asarray(vocabulary.word_start_V), question_mark(vocabulary)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Examples:
        """Questions with documents, and answers with sentences."""
        texts, group_S = pieces_of(batch, self._marks.special_V)
        sentences = Sentences.of(texts.tokens, self._ends_V)
        groups = int(group_S.max(initial=-1)) + 1
        group_Q, chosen_Q = group_S[sentences.text_Q], self._chosen(sentences, group_S)
        spans, sentence = sentences.spans(chosen_Q), sentences.chosen(chosen_Q)
        has_G = np.bincount(group_Q[chosen_Q], minlength=groups) > 0
        shown = Ragged(np.where(spans.noise_N, self._mask, texts.tokens.values_N), texts.tokens.lengths_S)
        documents = gathered(shown.keep(~spans.noise_N | spans.starts_N), group_S, groups).only(has_G)
        answer = sentence.keep(~beginnings(sentence, self._starts_V))
        source = join(questions(sentence, self._starts_V, self._asks), documents)
        row_G = texts.row_S[np.searchsorted(group_S, np.flatnonzero(has_G))]
        rows = len(batch.rows_B)
        return as_examples(source, join(answer, sentence), row_G, rows, self.attention, self._marks, self._mode)

    def _chosen(self, sentences: Sentences, group_S: np.ndarray) -> np.ndarray:
        """The best sentence of each group (Q), by F1; none that has nothing in common with other documents."""
        group_Q, text_Q = group_S[sentences.text_Q], sentences.text_Q
        overlap_Q = sentences.overlaps(group_S, np.arange(len(group_S)))
        length_Q = np.bincount(sentences.number_N, minlength=len(text_Q))
        tokens_G = np.bincount(group_S, sentences.tokens.lengths_S)
        others_Q = tokens_G[group_Q] - sentences.tokens.lengths_S[text_Q]
        score_Q = 2 * overlap_Q / (length_Q + others_Q)
        return sentences.best(score_Q, group_Q, np.ones_like(group_Q)) & (overlap_Q > 0)
