"""The world `cipher`: one word for one, always the same, and back."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate.spans import chunks
from seedbed.worlds import worlds
from seedbed.worlds.ciphers import SUFFIXES, WordCipher, stays_by_share
from seedbed.worlds.translate import Translator

TEXT = (
    "The garden of Mrs Wren, which she loved, had 12 roses. Walking there (in 1999!) was her joy; don't ask.\n\n"
    "STOP at e.g. 3.5 km."
)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"order": "reverse"},
    {"order": "swap", "morphology": True},
    {"order": "local", "script": "cyrillic"},
    {"script": "armenian", "anchors": 0.3, "morphology": True},
    {"anchors": 1.0},
]


def translator(**options: Any) -> Translator:
    return worlds.create("cipher", **options).translator()  # type: ignore[no-any-return]


TRANSLATORS = [translator(**options) for options in OPTIONS]


@pytest.mark.parametrize("language", TRANSLATORS, ids=map(str, OPTIONS))
@settings(max_examples=60, deadline=None)
@given(text=st.text(st.sampled_from("aAbBeEstTy .,;:!?'-()\"\n\t0159_éß中")))
def test_every_text_can_be_turned_back(language: Translator, text: str) -> None:
    translated = language.text(text)
    assert language.back(translated) == text
    if not language.cipher.morphology:  # suffixes differ in length
        assert len(translated) == len(text) and sum(map(str.isupper, translated)) == sum(map(str.isupper, text))


@pytest.mark.parametrize("language", TRANSLATORS[:4], ids=map(str, OPTIONS[:4]))
def test_text_of_english(language: Translator) -> None:
    translated = language.text(TEXT)
    assert language.back(translated) == TEXT
    assert sorted(re.findall(r"\d+(?:\.\d)?", translated)) == ["12", "1999", "3.5"]
    words = [set(re.findall(r"\w{4,}", text.lower())) for text in (TEXT, translated)]
    assert len(words[0] & words[1]) <= 1  # 1999
    assert len(words[1]) >= 5


@pytest.mark.parametrize("morphology", [False, True])
def test_no_two_words_become_one(morphology: bool) -> None:
    endings = ("", "e", "st", "s", "ed", "ing", "ness")
    parts = itertools.product(("b", "br", "t", "st", "sch"), ("a", "e", "ea", "i"), ("b", "nt", "st", "s"), endings)
    words = {"".join(word) for word in parts}
    cipher = WordCipher(3, morphology=morphology, stays=stays_by_share(3, 0.1))
    images = {cipher.encode(word): word for word in words}
    assert len(images) == len(words)
    assert all(cipher.decode(image) == word for image, word in images.items())
    stay = sum(image == word for image, word in images.items())
    assert 0.05 < stay / len(words) < 0.2
    other = WordCipher(4, morphology=morphology)
    assert sum(other.encode(word) == image for image, word in images.items()) < 0.1 * len(words)


def test_words_keep_their_shape_and_lose_their_relatives() -> None:
    cipher = WordCipher(0)
    for word in ("garden", "gardens", "straight", "of", "zzzz"):
        assert len(cipher.encode(word)) == len(word)
        assert re.sub("[aeiou]", "v", re.sub("[^aeiou]", "c", cipher.encode(word))) == re.sub(
            "[aeiou]", "v", re.sub("[^aeiou]", "c", word)
        )
    assert cipher.encode("garden")[:4] != cipher.encode("gardens")[:4]


def test_morphology_keeps_stems_and_suffixes() -> None:
    cipher = WordCipher(1, morphology=True)
    stems = ["garden", "walk", "talk", "paint", "harvest", "point", "mind", "report", "transform", "consult"]
    suffixes = Counter(
        (suffix, cipher.encode(stem + suffix).removeprefix(cipher.encode(stem)))
        for stem in stems
        for suffix in SUFFIXES
    )
    usual = {suffix: new for (suffix, new), count in suffixes.items() if count >= 9}
    assert len(usual) == len(SUFFIXES) and sorted(usual.values()) == sorted(SUFFIXES)


def test_words_are_linked_with_their_translations(helpers: Any) -> None:
    world = worlds.create("cipher", documents=3, order="local", script="cyrillic")
    documents, truth = helpers.told(world)
    translator = world.translator()
    records = list(world.records("words", dict.fromkeys(documents, ""), lambda name: iter(truth[name])))
    assert len(records) > 10
    for record in records:
        one, other = (
            [record[text][start:end] for start, end in record[f"{text}_words"]] for text in ("first", "second")
        )
        assert len(record["links"]) == len(one) == len(other)
        for source, target in record["links"]:
            assert translator.text(one[source]) == other[target]
    assert any(source != target for record in records for source, target in record["links"])


def test_orders() -> None:
    text = "a1 b2 c3 d4 e5 f6, g7 h8 (i9 j0)"
    assert translator(order="reverse", anchors=1.0).text(text) == "f6 e5 d4 c3 b2 a1, h8 g7 (j0 i9)"
    assert translator(order="swap", anchors=1.0).text(text) == "b2 a1 d4 c3 f6 e5, h8 g7 (j0 i9)"
    local = translator(order="local", anchors=1.0).text("a b c d e f g h, i j k l.").split()
    assert sorted(local[:4]) == ["a", "b", "c", "d"] != local[:4]
    assert ["abcd".index(word) for word in local[:4]] == ["efgh".index(word[0]) for word in local[4:8]]


def test_truth_is_of_the_text(facts: Corpus, run: Any, helpers: Any) -> None:
    corpus = run("generate", world={"cipher": {"corpus": facts, "order": "local"}}, split={"test": 0.2}, seed=5)
    for split in ("train", "test"):
        source, target = helpers.texts_of(facts, split), helpers.texts_of(corpus, split)
        assert set(source) == set(target), "a document and its translation are on one side"
    source, target = helpers.texts_of(facts), helpers.texts_of(corpus)
    language = translator(order="local")
    assert all(language.text(source[id]) == target[id] and language.back(target[id]) == source[id] for id in source)
    truth = {path.stem: helpers.rows(path) for path in (corpus.path / "truth").iterdir()}
    words = Counter(re.findall("[a-z]+", " ".join(source.values()).lower()))
    assert {row["source"]: row["count"] for row in truth["dictionary"]} == words
    assert len({row["target"] for row in truth["dictionary"]}) == len(words)
    new = {row["source"]: row["target"] for row in truth["dictionary"]}
    for row in truth["alignment"]:
        pair = [re.findall(r"\w+", text.lower()) for text in (source[row["document"]], target[row["document"]])]
        assert sorted(row["order"]) == list(range(len(pair[0]))) and row["order"] != sorted(row["order"])
        assert all(pair[1][place] == new.get(word, word) for word, place in zip(pair[0], row["order"], strict=True))
    for id in source:
        for side, text in (("source", source[id]), ("target", target[id])):
            sentences = [row[side] for row in truth["parallel"] if row["document"] == id] if id.endswith("3") else []
            assert not sentences or re.sub(r"\s+", " ", text) == " ".join(sentences)


def test_labels_of_the_source_in_the_other_language(facts: Corpus, run: Any, helpers: Any) -> None:
    cipher = {"corpus": facts, "order": "reverse", "script": "cyrillic"}
    corpus = run("generate", world={"cipher": cipher}, split={"test": 0.2}, seed=5)
    names = {row["name"] for row in helpers.rows(facts.path / "truth" / "entities.jsonl")}
    language = translator(order="reverse", script="cyrillic")
    for task in ("entities", "relations", "statements", "questions"):
        one, other = (
            helpers.rows(run("labels", world=world, task=task, limit=60).path / "test.jsonl")
            for world in (facts, corpus)
        )
        assert [record["id"] for record in one] == [record["id"] for record in other]
        assert [record.get("label", record.get("labels")) for record in one] == [
            record.get("label", record.get("labels")) for record in other
        ]
        for source, record in zip(one, other, strict=True):
            for field in ("text", "query", "document"):
                assert field not in record or language.back(record[field]) == source[field] != record[field]
            if "tags" in record:
                spans = [" ".join(record["tokens"][first : last + 1]) for _, first, last in chunks(record["tags"])]
                assert {language.back(span) for span in spans} <= names
                assert len(spans) == len(chunks(source["tags"]))
    pairs = helpers.rows(run("labels", world=corpus, task="translation", limit=20).path / "train.jsonl")
    assert all(language.text(record["query"]) == record["document"] for record in pairs) and len(pairs) == 20


def test_over_a_corpus_that_is_no_world(run: Any, helpers: Any, tmp_path: Any) -> None:
    for number in range(40):
        (tmp_path / f"{number}.txt").write_text(f"Text {number} is here. It ends with the word {'ab'[number % 2]}.")
    plain = run("build_corpus", read=[{"text": {"path": str(tmp_path)}}], split={"test": 0.3})
    corpus = run("generate", world={"cipher": {"corpus": plain}}, split={"test": 0.3})
    language = translator()
    for split in ("train", "test"):
        one, other = (helpers.texts_of(world, split) for world in (plain, corpus))
        assert {id: language.text(text) for id, text in one.items()} == other
    assert {row["domain"] for row in corpus.documents("train")} == {"cipher"}
    assert run("labels", world=corpus, task="translation").counts["train"] > 20
    with pytest.raises(InputError, match="translation"):
        run("labels", world=corpus, task="entities")


def test_names_can_stay(facts: Corpus) -> None:
    world = worlds.parse({"cipher": {"corpus": facts, "keep_names": True}}).build(build_artifact=lambda _: facts)
    language = world.translator()
    for name in ("Guild", "January", "Institute"):
        assert language.text(name) == name
    assert language.text("The") != "The" and language.text("written") != "written"


def test_spans_that_are_torn_are_several() -> None:
    language = translator(order="swap", anchors=1.0)
    words, tags = language.tokens(["x", "Ann", "Bee", "y", "."], ["O", "B-person", "I-person", "O", "O"])
    assert words == ["Ann", "x", "y", "Bee", "."] and tags == ["B-person", "O", "O", "B-person", "O"]
    words, tags = language.tokens(["Ann", "Bee", ",", "Cid"], ["B-a", "I-a", "O", "B-a"])
    assert words == ["Bee", "Ann", ",", "Cid"] and tags == ["B-a", "I-a", "O", "B-a"]


def test_wrong_parameters() -> None:
    with pytest.raises(InputError, match="script"):
        worlds.create("cipher", script="greek")
    with pytest.raises(InputError, match="order"):
        worlds.create("cipher", order="sorted")
