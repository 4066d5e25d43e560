"""How well a vocabulary fits text, by group (domain, language, source)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tokenizers

_BATCH = 256
RENYI_ALPHA = 2.5


class Fit:
    """Sums over texts that one tokenizer cuts; V is the size of its vocabulary. Special tokens are not counted."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, unk: int | None) -> None:
        self.tokenizer, self.unk = tokenizer, unk
        self.sums = {"documents": 0, "bytes": 0, "characters": 0, "words": 0, "tokens": 0, "unknown": 0}
        self.frequency_V = np.zeros(max(tokenizer.get_vocab().values()) + 1, dtype=np.int64)

    def add(self, texts: Iterable[str]) -> Fit:
        batch: list[str] = []
        for text in texts:
            batch.append(text)
            if len(batch) == _BATCH:
                self._add(batch)
                batch = []
        self._add(batch)
        return self

    def _add(self, batch: list[str]) -> None:
        sums = self.sums
        for text, encoding in zip(batch, self.tokenizer.encode_batch(batch, add_special_tokens=False), strict=True):
            ids = encoding.ids
            sums["documents"] += 1
            sums["bytes"] += len(text.encode("utf8"))
            sums["characters"] += len(text)
            sums["words"] += len(text.split())
            sums["tokens"] += len(ids)
            sums["unknown"] += 0 if self.unk is None else ids.count(self.unk)
            np.add.at(self.frequency_V, ids, 1)

    def ratios(self) -> dict[str, float | None]:
        """`tokens_per_word` is the fertility (words are what white space separates), `bytes_per_token` the
        compression, `unknown_rate` the share of tokens that are the unknown token."""
        sums = self.sums
        return {
            "tokens_per_word": ratio(sums["tokens"], sums["words"]),
            "bytes_per_token": ratio(sums["bytes"], sums["tokens"]),
            "unknown_rate": ratio(sums["unknown"], sums["tokens"]),
        }


def measure(tokenizer: tokenizers.Tokenizer, texts: Iterable[str], unk: int | None) -> dict[str, Any]:
    """Sums over texts, and three ratios."""
    fit = Fit(tokenizer, unk).add(texts)
    return {**fit.sums, **fit.ratios()}


def measure_groups(
    tokenizer: tokenizers.Tokenizer, texts: Mapping[str, Sequence[str]], unk: int | None
) -> dict[str, dict[str, Any]]:
    """The same for each group; a corpus without groups has one, called "all"."""
    return {group or "all": measure(tokenizer, texts[group], unk) for group in sorted(texts)}


def renyi_efficiency(frequency_V: np.ndarray, size: int, alpha: float = RENYI_ALPHA) -> float | None:
    """The Renyi entropy of the tokens' distribution p as a share of the largest one, that of `size` equal tokens:

        log(sum of p**alpha) / (1 - alpha) / log(size)

    (Zouhar et al., 2023, who found alpha = 2.5 to go best with the quality of translation; near 1 it is Shannon's).
    `size` is the vocabulary's, as there; their program takes the number of tokens that occur unless it is told.
    High values mean that no tokens are very frequent or very rare. Cognetta et al. (2024) show that a vocabulary can be
    made worse and its efficiency larger.
    """
    counts = frequency_V[frequency_V > 0].astype(np.float64)
    if not len(counts) or size < 2:
        return None
    p = counts / counts.sum()
    entropy = -(p * np.log(p)).sum() if alpha == 1.0 else np.log((p**alpha).sum()) / (1.0 - alpha)
    return round(max(0.0, float(entropy)) / float(np.log(size)), 6)


def ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
