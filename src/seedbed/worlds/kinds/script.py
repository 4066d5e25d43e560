from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from seedbed.core.errors import InputError
from seedbed.corpus.documents import Document
from seedbed.worlds import DOCUMENTS, Row, Truth, worlds
from seedbed.worlds.annotate import about
from seedbed.worlds.dice import Dice, zipf
from seedbed.worlds.logographs import CLASSES, MOST, Character, script

_TOPICS = 8
_OWN = 0.7  # the share of nouns of the topic, and of verbs of their subject's class
# A number or function character, a classifier of the noun to come, a noun, its particle, a verb of the last noun.
_PATTERNS = ("#CNPV#CNP。", "NP0VNP。", "1CNPV#CNP。", "NP2NPVNP。", "3NPV、4NPV。")


@worlds.register("script")
class Logographs:
    """Texts in a made-up logographic script, whose characters share components that tell what they mean and how they
    sound, as Chinese ones do. For: glyphs and pronunciations as side channels of tokens (Sun et al., 2021).

    A character is a token: a noun or verb of one of 16 classes of meaning (`characters` of them, a fifth of them verbs;
    within a class they fall in frequency as 1 / rank), a classifier, a particle, a number, or one of five function
    characters. Those with a meaning are written by a radical, at the left or on top, and a phonetic part; the others
    are simple. The radical is that of the class in a share `true_radicals` of them, else any; the sound (initial,
    final, tone) is that of the phonetic part in a share `true_phonetics`, else any. Meaning and sound decide what
    stands together: before a noun stands the classifier of its class, behind it the particle that its final asks for; a
    verb is of its subject's class in seven of ten cases; a document has one of eight topics, of two classes each, to
    which seven of ten nouns belong. So who knows a character's components and sound knows most of what may surround it
    before having read it often. Sentences are of five patterns, without white space. Two `vocabulary` numbers (0 to 7)
    have no character in common. Code points are those of Chinese characters, whose real shapes and meanings have
    nothing to do with it. A smaller world is the beginning of a larger one.

    truth/glyphs.jsonl, for every character: token, glyph (12 rows of 12 pixels, . or #, with / between rows).
    sounds.jsonl: token, sound (such as zhang4). characters.jsonl: token, role, meaning (its class, or null), radical (a
    class, or null), phonetic (a number, or null). topics.jsonl, for every document: document, topic.

    Labels: `topics` (sequences: the topic of a document).
    """

    documents_per_second: ClassVar[float] = 3000
    bytes_per_document: ClassVar[float] = 150
    split_by: ClassVar[str] = "id"
    tasks: ClassVar[Mapping[str, str]] = {"topics": "sequences"}

    def __init__(
        self,
        documents: int = DOCUMENTS,
        *,
        characters: int = 600,
        true_radicals: float = 0.9,
        true_phonetics: float = 0.8,
        vocabulary: int = 0,
    ) -> None:
        if documents < 1:
            raise InputError("documents", "must be at least 1", value=documents)
        if not 5 * CLASSES <= characters <= MOST:
            raise InputError("characters", f"must lie between {5 * CLASSES} and {MOST}", value=characters)
        for name, share in (("true_radicals", true_radicals), ("true_phonetics", true_phonetics)):
            if not 0 <= share <= 1:
                raise InputError(name, "is a share between 0 and 1", value=share)
        self.documents, self.vocabulary = documents, vocabulary
        self._script = script(vocabulary, characters, true_radicals, true_phonetics)
        self._of_class = {
            role: [[one for one in self._script.by_role[role] if one.meaning == meaning] for meaning in range(CLASSES)]
            for role in ("noun", "verb")
        }
        self._ranks = {len(found): zipf(len(found)) for lists in self._of_class.values() for found in lists}

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        for one in self._script.all:
            yield Truth("glyphs", {"token": one.token, "glyph": one.glyph})
            yield Truth("sounds", {"token": one.token, "sound": one.sound})
            parts = {"meaning": one.meaning, "radical": one.radical, "phonetic": one.phonetic}
            yield Truth("characters", {"token": one.token, "role": one.role, **parts})
        for number in range(self.documents):
            dice = Dice(seed, "script", self.vocabulary, number)
            topic = dice.below(_TOPICS)
            text = "".join([self._sentence(dice, topic) for _ in range(3 + dice.below(6))])
            id = f"script-{number:07d}"
            yield Document(id, text, source="world script", domain="script", metadata={"topic": topic})
            yield Truth("topics", {"document": id, "topic": topic})

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        for id, text, row in about(texts, truth("topics")):
            yield {"id": id, "text": text, "label": str(row["topic"])}

    def _sentence(self, dice: Dice, topic: int) -> str:
        fixed, found = self._script.by_role, []
        noun, is_new = self._noun(dice, topic), True
        for slot in dice.pick(_PATTERNS):
            if slot in "CN" and not is_new:
                noun, is_new = self._noun(dice, topic), True
            if slot == "C":
                assert noun.meaning is not None
                found.append(fixed["classifier"][noun.meaning].token)
            elif slot == "N":
                found.append(noun.token)
                is_new = False
            elif slot == "P":
                found.append(fixed["particle"][noun.final].token)
            elif slot == "V":
                found.append(self._verb(dice, noun).token)
            elif slot == "#":
                found.append(dice.pick(fixed["number"]).token)
            else:
                found.append(fixed["function"][int(slot)].token if slot.isdigit() else slot)
        return "".join(found)

    def _noun(self, dice: Dice, topic: int) -> Character:
        of_topic = CLASSES // _TOPICS
        meaning = topic * of_topic + dice.below(of_topic) if dice.chance(_OWN) else dice.below(CLASSES)
        return self._ranked(dice, "noun", meaning)

    def _verb(self, dice: Dice, subject: Character) -> Character:
        assert subject.meaning is not None
        return self._ranked(dice, "verb", subject.meaning if dice.chance(_OWN) else dice.below(CLASSES))

    def _ranked(self, dice: Dice, role: str, meaning: int) -> Character:
        found = self._of_class[role][meaning]
        return found[dice.weighted(self._ranks[len(found)])]
