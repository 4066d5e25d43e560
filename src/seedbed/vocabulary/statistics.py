"""How well a vocabulary fits text, by domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tokenizers

_BATCH = 256


def measure(tokenizer: tokenizers.Tokenizer, texts: Iterable[str], unk: int | None) -> dict[str, Any]:
    """Sums over texts, and three ratios.

    `tokens_per_word` is the fertility (words are what white space separates), `bytes_per_token` the compression,
    `unknown_rate` the share of tokens that are the unknown token. Special tokens around texts are not counted.
    """
    sums = {"documents": 0, "bytes": 0, "words": 0, "tokens": 0, "unknown": 0}
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == _BATCH:
            _add(sums, tokenizer, batch, unk)
            batch = []
    _add(sums, tokenizer, batch, unk)
    return {
        **sums,
        "tokens_per_word": _ratio(sums["tokens"], sums["words"]),
        "bytes_per_token": _ratio(sums["bytes"], sums["tokens"]),
        "unknown_rate": _ratio(sums["unknown"], sums["tokens"]),
    }


def measure_domains(
    tokenizer: tokenizers.Tokenizer, texts: Mapping[str, Sequence[str]], unk: int | None
) -> dict[str, dict[str, Any]]:
    """The same for each domain; a corpus without domains has one, called "all"."""
    return {domain or "all": measure(tokenizer, texts[domain], unk) for domain in sorted(texts)}


def _add(sums: dict[str, int], tokenizer: tokenizers.Tokenizer, batch: list[str], unk: int | None) -> None:
    for text, encoding in zip(batch, tokenizer.encode_batch(batch, add_special_tokens=False), strict=True):
        ids = encoding.ids
        sums["documents"] += 1
        sums["bytes"] += len(text.encode("utf8"))
        sums["words"] += len(text.split())
        sums["tokens"] += len(ids)
        sums["unknown"] += 0 if unk is None else ids.count(unk)


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
