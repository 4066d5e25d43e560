"""Tokens that say in which language a text is to be written.

Shape: S texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.counters import uniform
from seedbed.core.errors import InputError
from seedbed.objectives.denoising.pairs import Marks, pieces_under

if TYPE_CHECKING:
    from seedbed.data.artifact import TokenFile
    from seedbed.data.batch import Batch
    from seedbed.objectives.denoising.spans import Texts
    from seedbed.vocabulary.artifact import Vocabulary


class Languages:
    """Of each domain of documents, which stands for their language, the token that asks for that language. Raises
    InputError for tokens that the tokenizer does not have."""

    def __init__(self, languages: dict[str, str], marks: Marks, vocabulary: Vocabulary) -> None:
        found = {domain: marks.mode(vocabulary, token) for domain, token in languages.items()}
        self._tokens = {domain: token for domain, token in found.items() if token is not None}
        self._known: dict[int, tuple[TokenFile, np.ndarray]] = {}

    def own(self, texts: Texts, batch: Batch) -> np.ndarray:
        """The token of each text's own language (S); the first one's where documents are not known, as in made-up
        batches that only time is taken of. Raises InputError for a document of a domain that has none."""
        found_S = np.full(len(texts.row_S), next(iter(self._tokens.values())), np.int64)
        piece_S6 = batch.pieces_N6[pieces_under(texts, batch)] if batch.files else np.empty((0, 6), np.int64)
        for number, file in enumerate(batch.files):
            is_its_S = piece_S6[:, 3] == number
            if is_its_S.any():
                found_S[is_its_S] = self._of(file)[piece_S6[is_its_S, 4]]
        return found_S

    def _of(self, file: TokenFile) -> np.ndarray:
        """The token of each document of a source."""
        if id(file) not in self._known:
            domains = list(file.domains[:]) or [""] * file.num_documents
            for domain in dict.fromkeys(domains):
                if domain not in self._tokens:
                    problem, fix = f"have no token for the domain '{domain}'", "languages: {DOMAIN: TOKEN, ...}"
                    raise InputError("objective.languages", problem, allowed=list(self._tokens), fix=fix)
            self._known[id(file)] = file, np.array([self._tokens[domain] for domain in domains], np.int64)
        return self._known[id(file)][1]

    def other(self, own_S: np.ndarray, texts: Texts, stream: int) -> np.ndarray:
        """The token of another language for each text (S), all others equally likely."""
        tokens = sorted(set(self._tokens.values()))
        place_S = np.searchsorted(tokens, own_S)
        step_S = 1 + (uniform(stream, texts.number_S, texts.column_S) * (len(tokens) - 1)).astype(np.int64)
        return np.asarray(np.array(tokens, np.int64)[(place_S + step_S) % len(tokens)])
