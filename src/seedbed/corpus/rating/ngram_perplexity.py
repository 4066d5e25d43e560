"""How well an n-gram language model predicts a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import scorers
from seedbed.corpus.input.examples import Texts, examples_of, is_held_back, sampled
from seedbed.corpus.text.token_hashes import Unit

if TYPE_CHECKING:
    from seedbed.corpus.learned.kneser_ney import KneserNey

_MODEL = "model.npz"
_ORDERS = {"words": 3, "characters": 6, "bytes": 6}


@scorers.register("ngram_perplexity", version=2)
class NgramPerplexity:
    """The perplexity of texts under a language model of n-grams that is trained here, on `texts` that are as they
    should be (as CCNet filters web text by its likeness to an encyclopaedia: Wenzek et al., 2020).

    Modified Kneser-Ney of the given `order` (words: 3, characters and bytes: 6) over a `unit`; words are in lower case,
    each mark is one, and white space is none; all words not seen are one. `score` is the perplexity, 2 to the mean
    number of bits of a unit: the lower, the more a text is like the examples; `bits_per_byte` the sum of bits over the
    bytes of the text, for characters and bytes what it could be compressed to. At most `examples` texts are taken, by
    hash. The model is exact in double precision while it learns; its logarithms are kept in 16 bits. Unlike in other
    toolkits no n-gram is left out for being rare.

    Counts: bits and perplexity on the share `held_back`, the number of n-grams of each order, and the controls `noise`
    and `filter` (`learned/control.py`): whether its score gets worse with graded noise, and whether a small model of
    what it keeps predicts good texts better. What it keeps is of `pool`, texts to choose among, such as the crawl that
    it shall filter; without one, of texts held back whose words are permuted in part. The control would be circular if
    model, judge and good texts had text in common: the texts judged by are held back from what this model learns, and
    the judging model learns from texts of the pool that are none of `texts`, or from the other half of those held back.
    Memory: about 80 bytes a unit of text while it learns (50 MB of words: 1 GB), 10 a distinct n-gram to score.
    """

    def __init__(
        self,
        texts: Texts,
        unit: Unit = "words",
        order: int | None = None,
        fields: list[str] | None = None,
        examples: int = 20_000,
        held_back: float = 0.1,
        seed: int = 0,
        pool: Texts | None = None,
    ) -> None:
        if order is not None and not 1 <= order <= 20:
            raise InputError("order", "lies between 1 and 20", value=order)
        if examples < 2:
            raise InputError("examples", "is at least 2", value=examples)
        if not 0 < held_back < 1:
            raise InputError("held_back", "is a share between 0 and 1", value=held_back)
        self.texts, self.unit, self.order = texts, unit, order or _ORDERS[unit]
        self.fields, self.examples = list(fields or ["text"]), examples
        self.held_back, self.seed, self.pool = held_back, seed, pool

    def fit(self, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
        from seedbed.corpus.learned.control import controls, told
        from seedbed.corpus.learned.kneser_ney import KneserNey

        found = sampled(examples_of(self.texts, self.fields, key="texts"), self.examples, self.seed)
        texts = [item.text for item in found if item.text and not item.text.isspace()]
        held = [text for text in texts if is_held_back(text, self.held_back, self.seed)]
        learned = [text for text in texts if not is_held_back(text, self.held_back, self.seed)]
        if not held or not learned:
            raise InputError("texts", f"{len(texts)} texts are too few to learn from some and to measure with others")
        KneserNey.fit(learned, self.unit, self.order).save(folder / _MODEL)
        scoring = self.load(folder)
        bits_N, units_N = scoring.model.totals(held)
        mean = float(bits_N.sum() / units_N.sum())
        per_byte = float(bits_N.sum() / sum(len(text.encode()) for text in held))
        say(f"{len(learned)} texts; held back: perplexity {2**mean:.2f}, {per_byte:.3f} bits a byte")
        checked = controls(scoring.bits_per_unit, held, self._pool(set(texts)), higher_is_better=False)
        say(told(checked))
        return {
            "learned": len(learned),
            "held_back": len(held),
            f"bits_per_{self.unit.removesuffix('s')}": mean,
            "bits_per_byte": per_byte,
            "perplexity": 2.0**mean,
            "ngrams": scoring.model.sizes,
            **checked,
        }

    def _pool(self, known: set[str]) -> list[str] | None:
        """What there is to choose among, but for what was learned from or held back."""
        from seedbed.corpus.learned.control import MOST_POOL

        if self.pool is None:
            return None
        others = (item for item in examples_of(self.pool, self.fields, key="pool") if item.text not in known)
        return [item.text for item in sampled(others, MOST_POOL, self.seed)]

    @staticmethod
    def load(folder: Path) -> Perplexity:
        from seedbed.corpus.learned.kneser_ney import KneserNey

        return Perplexity(KneserNey.load(folder / _MODEL))


class Perplexity:
    """A trained model."""

    columns: Mapping[str, type] = {"score": float, "bits_per_byte": float}

    def __init__(self, model: KneserNey) -> None:
        self.model = model

    def score(self, texts: Sequence[str]) -> Mapping[str, np.ndarray]:
        bits_N, units_N = self.model.totals(texts)
        bytes_N = np.array([len(text.encode()) for text in texts], np.float64)
        with np.errstate(invalid="ignore"):
            nothing_N = np.where(units_N > 0, 1.0, np.nan)
            mean_N, per_byte_N = bits_N / np.maximum(units_N, 1), bits_N / np.maximum(bytes_N, 1)
            return {"score": nothing_N * 2.0**mean_N, "bits_per_byte": nothing_N * per_byte_N}

    def bits_per_unit(self, texts: Sequence[str]) -> np.ndarray:
        """The logarithm of the perplexity, of texts that have units."""
        bits_N, units_N = self.model.totals(texts)
        return bits_N / units_N
