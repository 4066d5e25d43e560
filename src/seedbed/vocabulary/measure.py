"""The step that judges tokenizers side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError
from seedbed.core.files import write_bytes, write_json
from seedbed.core.source import Source
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import HELD_OUT_SPLITS, Corpus

from .artifact import Tokenizer, Vocabulary
from .groups import Group, documents
from .morphemes import boundaries, compare, read_segmentations
from .sample import by_group
from .statistics import RENYI_ALPHA, Fit, ratio, renyi_efficiency

ALL = "all"
_COLUMNS = ("tokens_per_word", "bytes_per_token", "unknown_rate", "coverage", "renyi", "used")
_MORPHEMES = ("precision", "recall", "f1")


class Judged(Artifact):
    """Tokenizers compared: `judged.json` (of each `size`, `groups` and `morphemes`: group or file, and its values), and
    `table.md`, the same for reading. The counts hold it, too, so that a comparison can take any value as its metric
    (`judged.tokenizers.bpe.groups.all.renyi`)."""

    kind: ClassVar[str] = "judged"


@step("measure_tokenizers", gives=Judged, papers=["031", "374"])
def measure_tokenizers(
    context: StepContext,
    *,
    tokenizers: dict[str, Tokenizer],
    corpus: Corpus | list[Corpus] | None = None,
    segmentations: dict[str, Source | dict[str, list[str]]] = {},  # noqa: B006
    by: Group = "domain",
    renyi_alpha: float = RENYI_ALPHA,
    sample_mb: float = 1.0,
    seed: int = 0,
) -> None:
    """Judges tokenizers on the same held-out texts, and on words whose morphemes are known.

    The texts are at most `sample_mb` megabytes of each group (domain, language or source) of the corpora's split
    `test`, else `validation`; without either, of all, which is said. For each group, and over all of them:

    - `tokens_per_word`: the fertility, words being what white space separates; `bytes_per_token`
    - `unknown_rate`: the share of tokens that are the unknown one; `coverage`: the share of the text's words none of
      whose tokens is unknown or a byte that stands for a character without a token
    - `renyi`: the Renyi efficiency with `renyi_alpha` (`statistics.renyi_efficiency`); `used`: the share of the
      vocabulary's ordinary tokens that occur

    `segmentations` are files of words and their morphemes (`morphemes.read_segmentations`), or a few words themselves
    (`{unties: [un, tie, s]}`); the tokens' boundaries within words are compared with the morphemes'
    (`morphemes.compare`). None of this says how well a model will do:
    for that train one with each tokenizer, and compare bits per byte at equal bytes seen (docs/vocabulary.md).
    """
    _check(tokenizers, corpus, segmentations, renyi_alpha, sample_mb)
    texts, described = _texts(corpus, by, sample_mb, seed)
    gold = {
        name: {word: boundaries(word, parts) for word, parts in words.items()}
        for name, given in segmentations.items()
        for words in [given if isinstance(given, dict) else read_segmentations(given)]
    }
    found: dict[str, Any] = {}
    for name, artifact in tokenizers.items():
        tokenizer, vocabulary = artifact.load(), artifact.vocabulary()
        tokenizer.encode_special_tokens = True
        found[name] = {
            "size": vocabulary.size,
            "groups": _groups(tokenizer, vocabulary, texts, renyi_alpha),
            "morphemes": {language: compare(tokenizer, words) for language, words in gold.items()},
        }
        context.say(f"{name}: {vocabulary.size} tokens")
    write_json(context.folder / "judged.json", {"measured_on": described, "tokenizers": found})
    write_bytes(context.folder / "table.md", table(found).encode())
    context.counts.update(measured_on=described, tokenizers=found)


def _check(
    tokenizers: Mapping[str, Tokenizer], corpus: Any, segmentations: Any, alpha: float, sample_mb: float
) -> None:
    if not tokenizers:
        raise InputError("tokenizers", "names none", value=dict(tokenizers), fix="{name: step or folder}")
    if corpus in (None, []) and not segmentations:
        raise InputError("corpus", "is needed, or segmentations: there is nothing to judge by")
    if not alpha > 0:
        raise InputError("renyi_alpha", "must be positive", value=alpha)
    if not sample_mb > 0:
        raise InputError("sample_mb", "must be positive", value=sample_mb)


def _texts(
    corpus: Corpus | list[Corpus] | None, by: Group, sample_mb: float, seed: int
) -> tuple[dict[str, list[str]], str]:
    """Held-out texts by group, and where they are from."""
    corpora = corpus if isinstance(corpus, list) else [corpus] if corpus else []
    if not corpora:
        return {}, "no text"
    present = {split for item in corpora for split in item.splits()}
    split = next((split for split in reversed(HELD_OUT_SPLITS) if split in present), None)
    read = partial(documents, corpora, by, lambda name: split in (None, name))
    texts = {group or "none": found for group, found in by_group(read, seed, sample_mb * 1e6).items()}
    if not any(text.strip() for found in texts.values() for text in found):
        raise InputError("corpus", "holds no text to judge by", value=[str(item.path) for item in corpora])
    return texts, split or "all text: no split is held out"


def _groups(
    tokenizer: Any, vocabulary: Vocabulary, texts: Mapping[str, Iterable[str]], alpha: float
) -> dict[str, dict[str, Any]]:
    total = Fit(tokenizer, vocabulary.unk)
    covered, found = 0, {}
    uncovered = _uncovered(vocabulary)
    for group, given in texts.items():
        fit = Fit(tokenizer, vocabulary.unk).add(given)
        words = _covered(tokenizer, given, uncovered)
        found[group] = _values(fit, words, vocabulary, alpha)
        for name, value in fit.sums.items():
            total.sums[name] += value
        total.frequency_V += fit.frequency_V
        covered += words
    return {ALL: _values(total, covered, vocabulary, alpha), **found} if found else {}


def _values(fit: Fit, covered: int, vocabulary: Vocabulary, alpha: float) -> dict[str, Any]:
    ordinary = ~vocabulary.special_V
    return {
        **fit.sums,
        **fit.ratios(),
        "coverage": ratio(covered, fit.sums["words"]),
        "renyi": renyi_efficiency(fit.frequency_V, int(ordinary.sum()), alpha),
        "used": ratio(int((fit.frequency_V[ordinary] > 0).sum()), int(ordinary.sum())),
    }


def _uncovered(vocabulary: Vocabulary) -> np.ndarray:
    """Ids that stand for a character which has no token: the unknown one, and bytes of a fallback (V, bool)."""
    found = np.array(
        [len(token) == 6 and token.startswith("<0x") and token.endswith(">") for token in vocabulary.tokens]
    )
    if vocabulary.unk is not None:
        found[vocabulary.unk] = True
    return found


def _covered(tokenizer: Any, texts: Iterable[str], uncovered_V: np.ndarray) -> int:
    """How many words of the texts have no such token."""
    covered = 0
    for text in texts:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        bad = np.zeros(len(text) + 1, dtype=np.int64)
        for place in np.flatnonzero(uncovered_V[encoding.ids]):
            start, end = encoding.offsets[place]
            bad[start + 1 : end + 1] = 1
        sums = np.cumsum(bad)
        start = 0
        for word in text.split():
            start = text.index(word, start)
            covered += sums[start + len(word)] == sums[start]
            start += len(word)
    return int(covered)


def table(found: Mapping[str, Any]) -> str:
    """Markdown: a row for each tokenizer and group, then one for each tokenizer and file of morphemes."""
    lines = ["| tokenizer | size | group | " + " | ".join(_COLUMNS) + " |", "|" + "---|" * (3 + len(_COLUMNS))]
    for name, item in found.items():
        for group, values in item["groups"].items():
            cells = [name, f"{item['size']}", group, *(_cell(values[column]) for column in _COLUMNS)]
            lines.append("| " + " | ".join(cells) + " |")
    if any(item["morphemes"] for item in found.values()):
        lines += ["", "| tokenizer | morphemes | words | " + " | ".join(_MORPHEMES) + " |"]
        lines.append("|" + "---|" * (3 + len(_MORPHEMES)))
        for name, item in found.items():
            for language, values in item["morphemes"].items():
                cells = [name, language, f"{values['words']}", *(_cell(values[column]) for column in _MORPHEMES)]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
