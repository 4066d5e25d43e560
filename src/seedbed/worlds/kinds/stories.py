from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice
from seedbed.worlds.prose import TOPICS, prose
from seedbed.worlds.words import Words, check_vocabulary

_FRAMES = (
    "{who} spoke of the {thing} in {place}.",
    "In {place} the {thing} was on every mind.",
    "Some say the {thing} came from {who}.",
    "The {thing} of {who} will cost {place} much.",
    "Nobody in {place} had asked for the {thing}.",
)
_SYLLABLES = 3  # of names and of things; the words of prose have two


@worlds.register("stories")
class Stories:
    """News on the same stories by outlets of several sides, which call the same things by other words. What an article
    says is its story's, how it says it its side's; and each outlet has a favorite word of its own, which is the easier
    sign of who writes, and of no use for other outlets.

    A story is told by `told_by` of the `outlets`, one article each; an outlet is of one of `sides`. An article has
    `sentences` about its story's person, place and some of `things` things, each named by its side's word with
    probability `loyal`, by any side's otherwise; then a sentence of prose and the outlet's word. The metadata have
    `story`, `side` and `outlet` (numbers). By default a story's articles are in one split; with `split_by:
    metadata.outlet` the test set has other outlets. A smaller world is the beginning of a larger one; two `vocabulary`
    numbers (0 to 7) share only the function words.

    truth/articles.jsonl, for every document: document, story, side, outlet.

    Labels: `sides` (sequences: an article and its side).
    """

    documents_per_second: ClassVar[float] = 3000
    bytes_per_document: ClassVar[float] = 330
    split_by: ClassVar[str] = "metadata.story"
    tasks: ClassVar[Mapping[str, str]] = {"sides": "sequences"}

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        outlets: int = 12,
        sides: int = 3,
        told_by: int = 6,
        things: int = 20,
        sentences: int = 4,
        loyal: float = 0.7,
        vocabulary: int = 0,
    ) -> None:
        given = {"documents": documents, "told_by": told_by, "things": things, "sentences": sentences}
        for name, number in given.items():
            if number < 1:
                raise InputError(name, "must be at least 1", value=number)
        if sides < 2:
            raise InputError("sides", "must be at least 2", value=sides)
        if outlets < max(sides, told_by):
            raise InputError("outlets", "are fewer than sides or than tell a story", value=outlets)
        if not 0 <= loyal <= 1:
            raise InputError("loyal", "is a share between 0 and 1", value=loyal)
        check_vocabulary(vocabulary)
        self.documents, self.outlets, self.sides, self.told_by = documents, outlets, sides, told_by
        self.things, self.sentences, self.loyal, self.vocabulary = things, sentences, loyal, vocabulary

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        words = Words(seed, self.vocabulary, _SYLLABLES)
        own = self.things * self.sides  # words before this number are of things
        for number in range(self.documents):
            story, place = divmod(number, self.told_by)
            dice = Dice(seed, "story", self.vocabulary, story)
            outlet = dice.shuffled(range(self.outlets))[place]
            side = outlet % self.sides
            who, where = (words(own + self.outlets + 2 * story + part).capitalize() for part in (0, 1))
            subjects = [dice.below(self.things) for _ in range(max(2, self.sentences // 2))]
            text = self._article(Dice(seed, "article", self.vocabulary, number), words, subjects, side, who, where)
            text += f" {words(own + outlet).capitalize()}."
            id = f"article-{number:07d}"
            facts = {"story": story, "side": side, "outlet": outlet}
            yield Document(id, text, source="world stories", domain="stories", metadata=facts)
            yield Truth("articles", {"document": id, **facts})

    def _article(self, dice: Dice, words: Words, subjects: list[int], side: int, who: str, where: str) -> str:
        said = []
        for _ in range(self.sentences):
            speaker = side if dice.chance(self.loyal) else dice.below(self.sides)
            thing = words(dice.pick(subjects) * self.sides + speaker)
            said.append(dice.pick(_FRAMES).format(who=who, place=where, thing=thing))
        return " ".join([*said, prose(self.vocabulary).sentence(dice, dice.below(TOPICS))])

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        del task
        for id, text, row in about(texts, truth("articles")):
            yield {"id": id, "text": text, "label": str(row["side"])}
