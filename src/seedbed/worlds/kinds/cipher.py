from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.documents import Document
from seedbed.worlds import Row, Truth, worlds
from seedbed.worlds.base import Base
from seedbed.worlds.ciphers import WordCipher, stays_by_share
from seedbed.worlds.translate import Order, Translator, sentence_pairs, word_places

if TYPE_CHECKING:
    from seedbed.worlds.generate import Generated

_WORD = re.compile("[A-Za-z]+")


@worlds.register("cipher")
class Cipher:
    """A second language that says the same as a corpus: every word replaced by a made-up one, one to one.

    As in studies of what makes models multilingual (K et al., 2020; Dufter and Schütze, 2020), all that is true of the
    source is true of the translation. Over `corpus`, or over prose made for it. Only words of a to z change; digits,
    marks, words with other letters or of mixed case stay, and capitals stay with their words. A word always becomes the
    same word, in every corpus with the same `language` (0, 1 ...) and options, and can be turned back. New words have
    the length and the kinds of letters of the old ones; short ones may be other words of the source, unless another
    script is chosen. `morphology`: a suffix becomes a suffix, a stem the same stem whatever follows it (but for a few
    words that could not be turned back). `anchors`: the share of words that stay, chosen by hash; `keep_names`: words
    that the source never writes in lower case stay too (reads it twice). `script`: letters of the new words, one for
    one. `order`: the words of a clause reversed, swapped in pairs, or in one fixed order within windows of four
    (`local`). Ids are the source's: with the same `seed` and shares a document and its translation are in the same
    split.

    truth/dictionary.jsonl: source, target, count (words in lower case). parallel.jsonl: document, sentence (its
    number), source, target. alignment.jsonl, for every document: order (the place that each word of the source has in
    the translation; null where words stay in order); a word is letters and digits with the marks between them.

    Labels: `translation` (retrieval: a sentence and its translation), `words` (alignment: the same, with the places of
    their words, and which is which); and all labels of the world that the corpus was made by, in the new language, with
    the same ids.
    """

    documents_per_second: ClassVar[float] = 2000
    bytes_per_document: ClassVar[float] = 650
    split_by: ClassVar[str] = "id"

    def __init__(
        self,
        documents: int | None = None,
        *,
        corpus: Corpus | None = None,
        language: int = 0,
        morphology: bool = False,
        anchors: float = 0.0,
        keep_names: bool = False,
        script: Literal["latin", "cyrillic", "armenian"] = "latin",
        order: Order = "none",
        vocabulary: int = 0,
        domain: str = "cipher",
    ) -> None:
        if not 0 <= anchors <= 1:
            raise InputError("anchors", "is a share between 0 and 1", value=anchors)
        self.base = Base(corpus, documents, vocabulary)
        self.language, self.morphology, self.anchors, self.keep_names = language, morphology, anchors, keep_names
        self.script, self.order, self.domain = script, order, domain

    @cached_property
    def tasks(self) -> Mapping[str, str]:
        made = self._made()
        return {"translation": "retrieval", "words": "alignment", **(made.world.tasks if made else {})}

    def translator(self, seed: int = 0) -> Translator:
        """The language. The seed matters only to prose made for it, and there only with `keep_names`."""
        names = self._names(seed) if self.keep_names else frozenset[str]()
        by_share = stays_by_share(self.language, self.anchors)
        cipher = WordCipher(
            self.language, morphology=self.morphology, stays=lambda word: word in names or by_share(word)
        )
        return Translator(cipher, self.language, self.script, self.order)

    def stream(self, seed: int) -> Iterator[Document | Truth]:
        translator = self.translator(seed)
        counts = Counter[str]()
        for document in self.base.read(seed):
            counts.update(_WORD.findall(document.text))
            source, target, order = translator.parts(document.text)
            metadata = {**document.metadata, "language": self.language}
            yield replace(document, text="".join(target), domain=self.domain, metadata=metadata)
            for number, (one, other) in enumerate(sentence_pairs(source, target)):
                yield Truth("parallel", {"document": document.id, "sentence": number, "source": one, "target": other})
            is_moved = self.order != "none"
            yield Truth("alignment", {"document": document.id, "order": order if is_moved else None})
        known = Counter[str]()
        for word, count in counts.items():
            if translator.cased(word):
                known[word.lower()] += count
        for word, count in sorted(known.items(), key=lambda pair: (-pair[1], pair[0])):
            yield Truth("dictionary", {"source": word, "target": translator.word(word), "count": count})

    def records(self, task: str, texts: Mapping[str, str], truth: Callable[[str], Iterator[Row]]) -> Iterator[Row]:
        if task in ("translation", "words"):
            order = self.translator().word_order
            for row in truth("parallel"):
                if row["document"] in texts and row["source"] != row["target"]:
                    one, other = row["source"], row["target"]
                    id = f"{row['document']}:{row['sentence']}"
                    if task == "translation":
                        yield {"id": id, "query": one, "document": other}
                        continue
                    words = {"first_words": word_places(one), "second_words": word_places(other)}
                    yield {"id": id, "first": one, "second": other, **words, "links": [*enumerate(order(one))]}
            return
        made, translator = self._made(), self.translator()
        assert made is not None
        sources = {document.id: document.text for document in self.base.read(0) if document.id in texts}
        in_order = {id: sources[id] for id in texts}
        for row in made.world.records(task, in_order, made.truth):
            yield _translated(row, translator)

    def _made(self) -> Generated | None:
        """The corpus that this one is made over, if it is a world too."""
        from seedbed.worlds.generate import Generated

        corpus = self.base.corpus
        is_made = corpus is not None and (corpus.manifest or {}).get("step") == "generate"
        return Generated(corpus) if corpus is not None and is_made else None

    def _names(self, seed: int) -> frozenset[str]:
        """Words that are never written in lower case."""
        lower, other = set[str](), set[str]()
        for document in self.base.read(seed):
            for word in set(_WORD.findall(document.text)):
                (lower if word.islower() else other).add(word.lower())
        return frozenset(other - lower)


def _translated(row: Row, translator: Translator) -> Row:
    """A labeled record in the other language."""
    found = {name: translator.text(row[name]) if name in ("text", "query", "document") else row[name] for name in row}
    if "sentences" in row:
        found["sentences"] = [translator.text(sentence) for sentence in row["sentences"]]
    if "tokens" in row:
        found["tokens"], found["tags"] = translator.tokens(row["tokens"], row["tags"])
    return found
