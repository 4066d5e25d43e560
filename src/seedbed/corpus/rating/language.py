"""Which language a text is in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import scorers
from seedbed.corpus.input.examples import Texts, examples_of, field_of, is_held_back, sampled

if TYPE_CHECKING:
    from seedbed.corpus.learned.language_table import Table

_MODEL = "language.bin"
_TEMPERATURES = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
_MEASURED = 50  # texts held back of a language
_SHOWN = 500  # characters of a text that is held back, as many as the curation step reads by default


@scorers.register("language", papers=["031", "326"], version=2)
class Language:
    """Naive Bayes over characters and runs of up to 4 of them, and over scripts; `label` names the language of an
    example (a corpus's column such as `domain`, or a field of its records), whatever codes it uses.

    A language's frequencies are the means of those of its sources (the column `source`), of each of which at most
    `characters` count, chosen by hash: a language with much text must not win over its neighbors for that alone. Texts
    are counted apart by the script that most of their letters are in, wherever a second script has a tenth of a
    language's text and about 1,000 letters (kana and Han are one script here); a text's score in the language is then
    that of the script that fits best. As one, such a language is half as frequent as a neighbor with one script, and
    loses to it: all Serbian was taken for Croatian or Macedonian. What is in scripts with less counts with the first. A
    frequency below `floor` counts as that, so unseen n-grams weigh the same everywhere (floors by the Good-Turing
    estimate for each language were tried, and were worse: the smaller samples then win). Of each language's
    `per_language` most frequent n-grams those `features` stay that tell it best. The probability is
    that of Bayes with equal priors, with the sums divided by the temperature, of seven, under which the texts held back
    are most likely: n-grams overlap, so that without it every text seems certain.

    `score` is the probability of the most probable language, `label` its name. Cavnar and Trenkle (1994) compare ranks
    of the most frequent n-grams; fastText's and lingua's models learned from more text. Counts: accuracy on texts held
    back (50 of a language at most), its mean over languages and that of the worst; which languages have several
    scripts. Memory while it learns: 100 bytes a distinct n-gram of a source.
    """

    def __init__(
        self,
        data: Texts,
        label: str = "domain",
        fields: list[str] | None = None,
        characters: int = 30_000,
        floor: float = 5e-6,
        per_language: int = 1500,
        features: int = 40_000,
        held_back: float = 0.1,
        examples: int = 1_000_000,
        seed: int = 0,
    ) -> None:
        if not 0 < held_back < 1:
            raise InputError("held_back", "is a share between 0 and 1", value=held_back)
        if not 0 < floor < 1:
            raise InputError("floor", "is a frequency between 0 and 1", value=floor)
        self.data, self.label, self.fields = data, label, list(fields or ["text"])
        self.characters, self.floor, self.per_language, self.features = characters, floor, per_language, features
        self.held_back, self.examples, self.seed = held_back, examples, seed

    def fit(self, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
        from seedbed.corpus.learned.language_table import counted, learned

        found = sampled(examples_of(self.data, self.fields, key="data"), self.examples, self.seed)
        texts: dict[str, dict[str, list[str]]] = {}
        taken: Counter[tuple[str, str]] = Counter()
        held: dict[str, list[str]] = {}
        for example in found:
            name = field_of(example, self.label, "label")
            if is_held_back(example.text, self.held_back, self.seed):
                held.setdefault(name, []).append(example.text)
            else:
                source = str(example.fields.get("source", ""))
                text = example.text[: self.characters - taken[name, source]]
                taken[name, source] += len(text)
                own = texts.setdefault(name, {}).setdefault(source, [])
                own += [text] if text else []
        counts = {name: [counted(own) for own in sources.values()] for name, sources in texts.items()}
        table = learned(counts, floor=self.floor, per_language=self.per_language, features=self.features)
        known = [(name, text) for name in sorted(held) if name in counts for text in held[name][:_MEASURED]]
        accuracy = _calibrated(table, known) if known else {}
        table.save(folder / _MODEL)
        say(f"{len(table.languages)} languages, {len(table.keys_F)} n-grams; held back: {accuracy.get('accuracy')}")
        several = [name for name in table.languages if table.columns.count(name) > 1]
        learned_from = {"examples": len(found), "languages": len(counts), "in_several_scripts": several}
        return {**learned_from, "features": len(table.keys_F), **accuracy}

    @staticmethod
    def load(folder: Path) -> LanguageScoring:
        from seedbed.corpus.learned.language_table import Table

        return LanguageScoring(Table.load(folder / _MODEL))


class LanguageScoring:
    """A trained table, as a scorer."""

    columns: Mapping[str, type] = {"score": float, "label": str}

    def __init__(self, table: Table) -> None:
        self.table = table

    def score(self, texts: Sequence[str]) -> Mapping[str, np.ndarray | Sequence[str | None]]:
        names, shares = self.table.best(texts)
        return {"score": shares, "label": names}


def _calibrated(table: Table, held: list[tuple[str, str]]) -> dict[str, Any]:
    """Sets the temperature, and measures."""
    totals_NL, _ = table.totals([text for _, text in held], _SHOWN)
    wanted_N = np.array([table.languages.index(name) for name, _ in held])
    losses = [_log_loss(totals_NL / temperature, wanted_N) for temperature in _TEMPERATURES]
    table.temperature = _TEMPERATURES[int(np.argmin(losses))]
    right_N = totals_NL.argmax(axis=1) == wanted_N
    own = {
        name: float(right_N[wanted_N == k].mean()) for k, name in enumerate(table.languages) if (wanted_N == k).any()
    }
    worst = sorted(own, key=lambda name: (own[name], name))[:10]
    accuracy = {"accuracy": round(sum(own.values()) / len(own), 4), "log_loss": round(min(losses), 4)}
    return {**accuracy, "held_back": len(held), "worst": {name: round(own[name], 3) for name in worst}}


def _log_loss(logits_NL: np.ndarray, wanted_N: np.ndarray) -> float:
    shifted = logits_NL - logits_NL.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        logs = np.log(np.exp(shifted.astype(np.float64)).sum(axis=1))
    return float((logs - shifted[np.arange(len(wanted_N)), wanted_N]).mean())
