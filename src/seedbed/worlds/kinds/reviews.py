from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import ClassVar

from seedbed.core.checks import check_counts, check_share
from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice
from seedbed.worlds.prose import TOPICS, prose
from seedbed.worlds.words import Words, check_vocabulary

LABELS = ("bad", "good")
_FRAMES = (
    "The {thing} is {how}.",
    "I found the {thing} {how}.",
    "What a {how} {thing} it was!",
    "From the first day its {thing} seemed {how}.",
    "They sold me a {how} {thing}.",
)
_SYLLABLES = 3  # of opinions and things; the words of prose have two


@worlds.register("reviews")
class Reviews:
    """Reviews of several kinds of goods, each good or bad. What is called good is called so in all kinds by some words,
    in some kinds only by most; so a word of praise that a new kind of goods has in common with old ones is worth
    knowing. For: labels of related tasks, when there are few of one's own.

    A review is of one of `domains` kinds of goods, from the kind numbered `first` on: a world with `first: 6` speaks of
    other kinds than one with `domains: 6`, in the same words. It has `sentences` opinions, each of one of the kind's
    `things` things by a word of the review's label with probability `loyal`, of any label otherwise, and `filler`
    sentences of prose. Each label has `opinions` words, of which a share `shared` belongs to every kind; each of the
    others belongs to a kind with probability `overlap`. Half of the reviews are good, in no order. The metadata have
    `goods` (the kind's number) and `label`, the domain is the kind. A smaller world is the beginning of a larger one;
    two `vocabulary` numbers (0 to 7) share only the function words, and words do not depend on the seed.

    truth/reviews.jsonl, for every document: document, goods, label, said (its words of opinion, in their order).

    Labels: `opinions` (sequences: a review and its label).
    """

    documents_per_second: ClassVar[float] = 3000
    bytes_per_document: ClassVar[float] = 190
    split_by: ClassVar[str] = "id"
    tasks: ClassVar[Mapping[str, str]] = {"opinions": "sequences"}

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        domains: int = 6,
        first: int = 0,
        things: int = 20,
        opinions: int = 60,
        shared: float = 0.1,
        overlap: float = 0.3,
        sentences: int = 3,
        filler: int = 1,
        loyal: float = 0.8,
        vocabulary: int = 0,
    ) -> None:
        check_counts(documents=documents, domains=domains, things=things, opinions=opinions, sentences=sentences)
        for name, number in (("first", first), ("filler", filler)):
            if number < 0:
                raise InputError(name, "must not be negative", value=number)
        for name, share in (("shared", shared), ("overlap", overlap), ("loyal", loyal)):
            check_share(name, share)
        if shared * opinions < 1 and overlap == 0:
            raise InputError("overlap", "leaves a kind of goods without any word of opinion", value=overlap)
        check_vocabulary(vocabulary)
        self.documents, self.domains, self.first, self.things = documents, domains, first, things
        self.opinions, self.shared, self.overlap = opinions, shared, overlap
        self.sentences, self.filler, self.loyal, self.vocabulary = sentences, filler, loyal, vocabulary
        self._words = Words(0, vocabulary, _SYLLABLES)
        self._of = lru_cache(maxsize=None)(self._opinions_of)

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        for number in range(self.documents):
            dice = Dice(seed, "reviews", self.vocabulary, number)
            goods, label = self.first + dice.below(self.domains), dice.below(len(LABELS))
            text, said = self._review(dice, goods, label)
            id, domain = f"review-{self.first:03d}-{number:07d}", f"goods-{goods}"
            facts = {"goods": goods, "label": LABELS[label]}
            yield Document(id, text, source="world reviews", domain=domain, metadata=facts)
            yield Truth("reviews", {"document": id, **facts, "said": said})

    def _review(self, dice: Dice, goods: int, label: int) -> tuple[str, list[str]]:
        sentences, said = [], []
        for _ in range(self.sentences):
            speaker = label if dice.chance(self.loyal) else dice.below(len(LABELS))
            thing = self._words(len(LABELS) * self.opinions + goods * self.things + dice.below(self.things))
            said.append(dice.pick(self._of(goods, speaker)))
            sentences.append(dice.pick(_FRAMES).format(thing=thing, how=said[-1]))
        sentences += [prose(self.vocabulary).sentence(dice, dice.below(TOPICS)) for _ in range(self.filler)]
        return " ".join(dice.shuffled(sentences)), said

    def _opinions_of(self, goods: int, label: int) -> list[str]:
        """The words that a kind of goods has for a label: those of all kinds, and its share of the others; at least
        one."""
        number_everywhere = round(self.shared * self.opinions)
        draws = uniform(key(0, "opinions", self.vocabulary, goods, label), range(number_everywhere, self.opinions))
        numbers = [*range(number_everywhere), *(number_everywhere + (draws < self.overlap).nonzero()[0]).tolist()]
        if not numbers:
            numbers = [number_everywhere + int(draws.argmin())]
        return [self._words(len(LABELS) * number + label) for number in numbers]

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        del task
        for id, text, row in about(texts, truth("reviews")):
            yield {"id": id, "text": text, "label": row["label"]}
