"""The made-up script: what its characters share, and what stands together in its texts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.worlds import worlds

FINAL = re.compile(r"[aeiou].*(?=\d)")


def told(helpers: Any, documents: int = 30, **options: Any) -> tuple[list[str], dict[str, dict[str, Any]], Any]:
    """Texts, what is known of each character, and the truth."""
    texts, truth = helpers.made("script", documents=documents, **options)
    known: dict[str, dict[str, Any]] = {row["token"]: dict(row) for row in truth["characters"]}
    for file in ("glyphs", "sounds"):
        for row in truth[file]:
            known[row["token"]].update(row)
    return [document.text for document in texts.values()], known, truth


def final(character: dict[str, Any]) -> str:
    found = FINAL.search(character["sound"])
    assert found is not None
    return found.group()


def test_characters_with_a_component_in_common_share_its_pixels(helpers: Any) -> None:
    _, known, _ = told(helpers, characters=1200)
    parts: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    for one in known.values():
        rows = one["glyph"].split("/")
        assert [len(row) for row in rows] == [12] * 12 and set(one["glyph"]) == set(".#/")
        assert (one["radical"] is None) == (one["phonetic"] is None) == (one["meaning"] is None)
        if one["radical"] is None:
            continue
        if one["radical"] % 2:  # on top
            radical, gap, rest = "/".join(rows[:4]), rows[4], "/".join(rows[5:])
        else:
            radical, gap, rest = ("/".join(row[part] for row in rows) for part in (slice(4), slice(4, 5), slice(5, 12)))
        assert "#" not in gap and "#" in radical and "#" in rest
        parts["radical", one["radical"], 0].add(radical)
        parts["phonetic", one["phonetic"], one["radical"] % 2].add(rest)
    assert all(len(drawn) == 1 for drawn in parts.values())
    assert len({one["glyph"] for one in known.values()}) == len(known), "no two characters look alike"


@pytest.mark.parametrize("shares", [(1.0, 1.0), (0.9, 0.8), (0.0, 0.0)])
def test_radicals_tell_meanings_and_phonetic_parts_sounds_in_the_given_shares(
    helpers: Any, shares: tuple[float, float]
) -> None:
    true_radicals, true_phonetics = shares
    _, known, _ = told(helpers, characters=1200, true_radicals=true_radicals, true_phonetics=true_phonetics)
    meant = [one for one in known.values() if one["meaning"] is not None]
    share = sum(one["meaning"] == one["radical"] for one in meant) / len(meant)
    assert share == pytest.approx(true_radicals + (1 - true_radicals) / 16, abs=0.03)
    sounds: dict[int, Counter[str]] = defaultdict(Counter)
    for one in meant:
        sounds[one["phonetic"]][one["sound"]] += 1
    common = sum(counts.most_common(1)[0][1] for counts in sounds.values()) / len(meant)
    assert common >= true_phonetics - 0.03 and (common < true_phonetics + 0.15)
    assert all(re.fullmatch(r"[a-z]{1,5}[1-4]", one["sound"]) for one in known.values())
    roles = Counter(one["role"] for one in known.values())
    assert roles == {"noun": 960, "verb": 240, "classifier": 16, "particle": 6, "number": 9, "function": 5}


def test_meaning_and_sound_decide_what_stands_together(helpers: Any) -> None:
    texts, known, truth = told(helpers, documents=200)
    particles = {one["token"]: final(one) for one in known.values() if one["role"] == "particle"}
    assert len(set(particles.values())) == 6
    verbs = own = of_topic = nouns = 0
    topics = [row["topic"] for row in truth["topics"]]
    for text, topic in zip(texts, topics, strict=True):
        assert text.endswith("\u3002")
        for sentence in re.split("[\u3002\u3001]", text):
            subject = None
            for index, token in enumerate(sentence):
                one = known[token]
                if one["role"] == "noun":
                    subject = one
                    nouns += 1
                    of_topic += one["meaning"] // 2 == topic
                    if index + 1 < len(sentence) and sentence[index + 1] in particles:
                        assert particles[sentence[index + 1]] == final(one)
                elif one["role"] == "classifier":
                    assert known[sentence[index + 1]]["role"] == "noun"
                    assert known[sentence[index + 1]]["meaning"] == one["meaning"]
                elif one["role"] == "verb":
                    verbs += 1
                    assert subject is not None
                    own += one["meaning"] == subject["meaning"]
    assert own / verbs == pytest.approx(0.7 + 0.3 / 16, abs=0.04)
    assert of_topic / nouns == pytest.approx(0.7 + 0.3 / 8, abs=0.04)


def test_vocabularies_have_no_character_in_common(helpers: Any) -> None:
    seen: set[str] = set()
    for vocabulary in range(8):
        _, known, _ = told(helpers, documents=1, vocabulary=vocabulary, characters=1200)
        assert len(known) == 1236 and not seen & known.keys()
        assert all("\u4e00" <= token <= "\u9fff" for token in known)
        assert len({one["glyph"] for one in known.values()}) == len(known)
        seen |= known.keys()


def test_bad_input() -> None:
    for number in (79, 1201):
        with pytest.raises(InputError, match="between 80 and 1200"):
            worlds.create("script", characters=number)
