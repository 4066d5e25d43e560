"""The rule sets, each against its rules written out for one document at a time."""

from __future__ import annotations

import json
import re
import statistics
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.corpus.curating.c4 import C4
from seedbed.corpus.curating.dolma import Dolma
from seedbed.corpus.curating.fineweb import FineWeb
from seedbed.corpus.curating.gopher_quality import STOP_WORDS, GopherQuality
from seedbed.corpus.curating.gopher_repetition import GopherRepetition
from seedbed.corpus.text.characters import Texts
from seedbed.corpus.text.rules import Rule
from seedbed.corpus.text.sentences import sentences

PIECES = ["the", "of", "and", "alpha", "beta", "Größe", "42", "-", "•", "#", "...", "…", "x.", "!", "don't", "{", "[1]"]
WORDS = st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join)
TEXTS = st.lists(st.lists(WORDS, max_size=8).map("\n".join), min_size=1, max_size=4)
PROSE = (
    "The cat sat on the mat and looked at the dog with one eye.\nIt was a day like any other to be had in that town."
)


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def repeated(pieces: list[str]) -> list[str]:
    return [piece for number, piece in enumerate(pieces) if piece in pieces[:number]]


def gopher_quality(text: str) -> dict[str, float | None]:
    words, lines = text.split(), text.splitlines()
    real = [word for word in words if any(char.isalnum() for char in word)]
    return {
        "gopher_words": len(real),
        "gopher_word_length": ratio(sum(map(len, real)), len(real)),
        "gopher_hashes": ratio(text.count("#"), len(words)),
        "gopher_ellipses": ratio(text.count("...") + text.count("…"), len(words)),
        "gopher_bullet_lines": ratio(sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)),
        "gopher_ellipsis_lines": ratio(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "gopher_alphabetic_words": ratio(sum(any(c.isalpha() for c in word) for word in words), len(words)),
        "gopher_stop_words": len(set(words) & set(STOP_WORDS)),
    }


def grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def greedy(words: list[str], n: int) -> int:
    seen, chars, place = set(), 0, 0
    while place + n <= len(words):
        gram = tuple(words[place : place + n])
        if gram in seen:
            chars, place = chars + len("".join(gram)), place + n
        else:
            seen.add(gram)
            place += 1
    return chars


def gopher_repetition(text: str) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    pieces = {"line": re.split("\n+", text), "paragraph": re.split("\n{2,}", text.strip())}
    for name, all_of in pieces.items():
        again = repeated(all_of)
        found[f"gopher_duplicate_{name}s"] = len(again) / len(all_of)
        found[f"gopher_duplicate_{name}_characters"] = ratio(len("".join(again)), len(text))
    words = text.split()
    for n in (2, 3, 4):
        top = Counter(grams(words, n)).most_common(1)
        found[f"gopher_top_{n}gram"] = ratio(len(" ".join(top[0][0])) * top[0][1] if top else 0, len(text))
    for n in range(5, 11):
        found[f"gopher_duplicate_{n}gram"] = ratio(greedy(words, n), len(text))
    return found


def fineweb(text: str) -> dict[str, float | None]:
    lines = [line for line in text.split("\n") if line.strip()]
    return {
        "fineweb_lines": len(lines),
        "fineweb_terminated_lines": ratio(sum(line[-1] in ".?!\"'" for line in lines), len(lines)),
        "fineweb_short_lines": ratio(sum(len(line) <= 30 for line in lines), len(lines)),
        "fineweb_duplicate_characters": ratio(len("".join(repeated(lines))), len(text.replace("\n", ""))),
        "fineweb_newlines_per_word": ratio(text.count("\n"), len(text.split())),
    }


def dolma(text: str) -> dict[str, float | None]:
    words, lines = text.split(), text.split("\n")
    chars = len("".join(words))
    often = [line for line in lines if lines.count(line) > 1]
    found = {
        "dolma_words": len(words),
        "dolma_word_length": statistics.median(map(len, words)) if words else None,
        "dolma_symbols": ratio(sum("#" in word or "…" in word for word in words), len(words)),
        "dolma_alphabetic_words": ratio(sum(any(c.isalpha() for c in word) for word in words), len(words)),
        "dolma_stop_words": sum(word in STOP_WORDS for word in words),
        "dolma_bullet_lines": sum(line.startswith(("*", "-")) for line in lines) / len(lines),
        "dolma_ellipsis_lines": sum(line.endswith("…") for line in lines) / len(lines),
        "dolma_duplicate_lines": len(often) / len(lines),
        "dolma_duplicate_line_characters": ratio(len("".join(often)), chars),
    }
    for n in range(2, 11):
        counts = Counter(grams(words, n))
        if n < 5:
            top = counts.most_common(1)
            found[f"dolma_top_{n}gram"] = ratio(len("".join(top[0][0])) * top[0][1], chars) if top else None
        else:
            lengths = {gram: len("".join(gram)) * count for gram, count in counts.items()}
            more = sum(length for gram, length in lengths.items() if counts[gram] > 1)
            found[f"dolma_duplicate_{n}gram"] = ratio(more, sum(lengths.values()))
    return found


SETS: dict[str, tuple[Any, Any]] = {
    "gopher_quality": (GopherQuality(), gopher_quality),
    "gopher_repetition": (GopherRepetition(), gopher_repetition),
    "fineweb": (FineWeb(), fineweb),
    "dolma": (Dolma(drop=False), dolma),
}


@pytest.mark.parametrize("name", SETS)
@given(texts=TEXTS)
@settings(max_examples=60, deadline=None)
@example([""])
@example(["\n\n", " ", "a", "a\r\nb\n"])
@example([PROSE + "\n" + PROSE, PROSE])
def test_columns_are_those_of_the_rules_written_out(name: str, texts: list[str]) -> None:
    method, slow = SETS[name]
    columns = {column: values.tolist() for column, values in method.measure(Texts(texts)).columns.items()}
    for row, text in enumerate(texts):
        wanted = slow(text)
        assert set(wanted) == set(columns)
        got = {column: values[row] if values[row] == values[row] else None for column, values in columns.items()}
        assert got == pytest.approx(wanted), text


@pytest.mark.parametrize(
    ("fails", "wanted"), [("<", [1, 0, 0, 0]), ("<=", [1, 1, 0, 0]), (">", [0, 0, 1, 0]), (">=", [0, 1, 1, 0])]
)
def test_a_rule_fails_on_its_side_of_the_bound(fails: Any, wanted: list[int]) -> None:
    values = np.array([0.4, 0.5, 0.6, np.nan])
    assert Rule("x", fails, 0.5).failing(values).tolist() == [bool(value) for value in wanted]
    assert not Rule("x", fails).failing(values).any()


@pytest.mark.parametrize("name", SETS)
def test_the_reason_names_the_rules_that_failed(name: str, helpers: Any) -> None:
    method, _ = SETS[name]
    row = helpers.tagged(type(method)(), {"a": "spam spam #.\n" * 60})["a"]
    failed = {reason.split()[0] for reason in row["reason"].split("; ")}
    assert failed and failed < {rule.column for rule in method.rules()}


def test_what_is_dropped_and_why(helpers: Any) -> None:
    texts = {
        "short": "too short",
        "fine": " ".join([PROSE] * 3),
        "symbols": " ".join([PROSE] * 3) + " #" * 20,
        "numbers": " ".join([PROSE] * 2) + " 12 34 56" * 20,
        "stops": "der Hund und die Katze " * 20,
    }
    reasons = helpers.dropped(GopherQuality(), texts)
    assert reasons["short"] == "gopher_words 2 < 50; gopher_stop_words 0 < 2"
    assert reasons["symbols"].startswith("gopher_hashes") and reasons["stops"] == "gopher_stop_words 0 < 2"
    assert "gopher_alphabetic_words" in reasons["numbers"] and "fine" not in reasons
    german = GopherQuality(stop_words=["der", "die", "und"])
    assert "stops" not in helpers.dropped(german, texts)
    assert helpers.dropped(GopherQuality(drop=False), texts) == {}
    assert helpers.dropped(GopherQuality(min_words=None, min_stop_words=None), {"short": "too short"}) == {}
    repeats = helpers.dropped(GopherRepetition(), {"once": PROSE, "again": "\n".join([PROSE] * 5)})
    assert set(repeats) == {"again"} and "gopher_duplicate_lines 0.8 > 0.3" in repeats["again"]


def test_words_and_punctuation_apart(helpers: Any) -> None:
    text = {"a": "(one) two-three, four!"}
    assert helpers.tagged(GopherQuality(), text)["a"]["gopher_words"] == 3
    row = helpers.tagged(GopherQuality(words="pieces"), text)["a"]
    assert row["gopher_words"] == 4 and row["gopher_word_length"] == 15 / 4


PAGE = """  Home | About | Contact
This is a sentence that was cited.[12] It goes on here.
Short line.
You need to enable JavaScript to see this page.
We use cookies and have a privacy policy for all of you.
It trails off at the end of the line...
A second good line with words stands here, says "Dr. Smith."
And a third one ends it, all in all!
"""


def test_c4_takes_lines_out(helpers: Any) -> None:
    row = helpers.tagged(C4(), {"a": PAGE})["a"]
    kept = [1, 6, 7]
    lines = [line.strip() for line in PAGE.splitlines()]
    assert row["text"] == "\n".join(lines[number] for number in kept).replace("[12]", "")
    assert row["reason"] is None and row["c4_sentences"] == 4
    names = ("unterminated", "few_word", "javascript", "policy", "long_word")
    assert [row[f"c4_{name}_lines"] for name in names] == [2, 1, 1, 1, 0]
    gone = {text: why for why, text in json.loads(row["edits"])}
    assert gone == {
        lines[0]: "no end mark",
        "[12]": "citation",
        lines[2]: "few words",
        lines[3]: "javascript",
        lines[4]: "policy",
        lines[5]: "no end mark",
    }


def test_c4_counts_words_without_citations(helpers: Any) -> None:
    lines = ["Just four here [7] end.", "Five of them are here[1] [edit].", "Five words are here [2] too."]
    row = helpers.tagged(C4(min_sentences=1), {"a": "\n".join(lines)})["a"]
    assert row["text"] == "Five of them are here .\nFive words are here  too." and row["c4_few_word_lines"] == 1


def test_c4_drops_pages_whole(helpers: Any) -> None:
    good = "One line that ends as it should. And another one.\n" * 2
    texts = {
        "good": good,
        "latin": good + "Here is Lorem Ipsum for all to read.",
        "code": good + "This is if (x) { return y; } as text.",
        "code out": good + "function() { x }",
        "few": "Only one sentence is here.",
        "long": good + "x" * 1001 + " is a word in this line.",
        "bad": good + "There is a darned word in here.",
    }
    method = C4(bad_words=["darned"])
    rows = helpers.tagged(method, texts)
    reasons = {id: row["reason"] for id, row in rows.items() if row["reason"]}
    assert reasons == {
        "latin": "c4_lorem_ipsum 1 > 0",
        "code": "c4_curly_bracket 1 > 0",
        "few": "c4_sentences 1 < 3",
        "bad": "c4_bad_words 1 > 0",
    }
    assert rows["latin"]["text"] == texts["latin"] and rows["latin"]["edits"] is None
    assert rows["long"]["c4_long_word_lines"] == 1 and rows["long"]["text"] == good.strip()
    assert helpers.tagged(C4(drop=False), texts)["long"]["text"] == texts["long"]
    assert helpers.tagged(C4(need_terminal=False), texts)["code out"]["c4_unterminated_lines"] == 0


def test_what_the_rules_refuse() -> None:
    with pytest.raises(InputError, match="ASCII"):
        C4(policy=["политика"])
    with pytest.raises(InputError, match="two words or more"):
        GopherRepetition(top_ngrams={1: 0.5})


def test_dolma_takes_out_lines_without_an_end_mark(helpers: Any) -> None:
    text = "Menu\n" + "\n\n".join(f"{PROSE} Number {i} it was." for i in range(3))
    text += "\nShare this  \n  - It is indented."
    row = helpers.tagged(
        Dolma(max_duplicate_lines=None, duplicate_ngrams={}, top_ngrams={}, max_duplicate_line_characters=None),
        {"a": text},
    )["a"]
    kept = [line for line in text.split("\n") if line.rstrip().endswith(".")]
    assert row["text"] == "\n".join(kept) and row["dolma_words"] == len(row["text"].split())
    assert '"Menu"' in row["edits"] and '"Share this  "' in row["edits"] and len(row["edits"]) < 80


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("", 0),
        ("no mark", 1),
        ("One. Two.", 2),
        ("He said “So?” And left!", 2),
        ("Mr. J. Smith of the U.S. Navy came...", 1),
        ("Wait... for it. Now.", 2),
        ("It costs 3.5 euros. Yes", 2),
        ("यह है। वह है।", 2),
    ],
)
def test_sentences_in_a_line(line: str, number: int) -> None:
    texts = Texts(["Before. It.", line, "after"])
    assert sentences(texts, texts.parted_at_newlines()).tolist() == [2, number, 1]
