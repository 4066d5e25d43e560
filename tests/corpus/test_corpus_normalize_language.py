# ruff: noqa: RUF001 (letters of many scripts)
"""Rules for scripts, one by one."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.text.script_forms import RULES

CASES = [
    ("indic", "\u0958\u0929\u0931", "\u0915\u093c\u0928\u093c\u0930\u093c"),  # nuktas apart
    ("indic", "\u0915\u093c", "\u0915\u093c"),
    ("indic", "\u09dc\u09c7\u09be", "\u09a1\u09bc\u09cb"),
    ("indic", "\u0a05\u0a3e \u0a72\u0a3f", "\u0a06 \u0a07"),  # Gurmukhi vowels
    ("indic", "\u0bc6\u0bbe", "\u0bca"),  # Tamil, by NFC
    ("indic", "\u0d28\u0d4d\u200d", "\u0d7b"),  # a Malayalam chillu
    ("indic", "\u0915\u094d\u200d\u0937", "\u0915\u094d\u0937"),  # a joiner
    ("indic", "👨\u200d👩", "👨\u200d👩"),
    ("indic", "\u0995 \u09e4 \u0a95 |", "\u0995 \u0964 \u0a95 \u0964"),  # dandas
    ("indic", "a | b", "a | b"),
    ("indic", "\u0926\u0941:\u0916 \u0915: x", "\u0926\u0941\u0903\u0916 \u0915: x"),  # visarga within a word
    ("bangla", "“a” ‘b’ «c»", '"a" \'b\' "c"'),
    ("bangla", "Łódź café", "Lodz cafe"),
    ("bangla", "\u0995\u09c7\u0981\u09be \u0995\u09c7\u09d7", "\u0995\u09cb\u0981 \u0995\u09cc"),
    ("bangla", "\u09c7\u0995\u09d7", "\u0995\u09cc"),
    ("bangla", "\u09ac\u09bc \u0985\u09be \u09f7", "\u09b0 \u0986 \u0964"),
    ("bangla", "a—b… １２，\u00a0\u200bc", "a - b... 12, c"),
    ("bangla", "x  \t y\nz", "x y\nz"),
    ("thai", "กาาาาาาา", "กา"),
    ("thai", "oh         no", "oh no"),
    ("thai", "hey() whats[;] up{*&} man(hey)", "hey whats up man(hey)"),
    ("thai", "(- A -) [*b]", "(a) [b]"),
    ("thai", "ABC<br />#39;f#39; Anbsp;amp;nbsp;B @.@ ", "abc 'f' a & b."),
    ("thai", "\nwhats\n\nup ", "whats up"),
    ("arabic", "\u0643\u062a\u0640\u0640\u0627\u0628", "\u0643\u062a\u0627\u0628"),  # tatweel
    ("arabic", "\ufefb \ufdf2", "\u0644\u0627 \u0627\u0644\u0644\u0647"),  # forms of lam-alef, and of the word
    ("persian", "\u064a\u0643\u0649 \u0663", "\u06cc\u06a9\u06cc \u06f3"),
    ("persian", "\u0645\u06cc\u200c\u200c\u0631\u0648\u062f \u200cx\u200c", "\u0645\u06cc\u200c\u0631\u0648\u062f x"),
    ("fullwidth", "Ｈｅｌｌｏ，　１２！ｶﾞ 「あ」", "Hello, 12!ガ 「あ」"),
    ("quotes", "„So“, ‘it’ goes…", "\"So\", 'it' goes…"),
]


@pytest.mark.parametrize(("rule", "text", "wanted"), CASES)
def test_each_rule(rule: str, text: str, wanted: str) -> None:
    assert RULES[rule](text) == wanted


LETTERS = "aé “\u0915\u093c\u0929:|\u200c\u200d\u09c7\u09be\u0981\u09d7\u09ac\u09bc\u0640\ufefb\u064a１　\n"


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"thai", "bangla"}))  # those write what they read otherwise
@given(text=st.text(alphabet=LETTERS, max_size=20))
@example(text="\u09c7\u0640\u09be")
@settings(max_examples=150, deadline=None)
def test_a_rule_applied_twice_is_as_once(rule: str, text: str) -> None:
    once = RULES[rule](text)
    assert RULES[rule](once) == once, "also where what went had parted two marks that are one"
    assert RULES[rule]("plain text: 1 | 2") == "plain text: 1 | 2"


def test_rules_by_language(helpers: Any) -> None:
    from seedbed.corpus.engine import daft

    texts = {"hin": "\u0958", "fas": "\u064a", "eng": "“x”", "tha": "()"}
    frame = helpers.frame_of(texts).with_column("language", daft.col("id"))
    step = helpers.built(
        curation, "normalize_language", rules={"hin": ["indic"], "fas": ["persian", "quotes"], "tha": ["thai"]}
    )
    rows = {row["id"]: row for row in step(frame).to_pylist()}
    assert {id: row["text"] for id, row in rows.items()} == {
        "hin": unicodedata.normalize("NFD", "\u0958"), "fas": "\u06cc", "eng": "“x”", "tha": "",
    }  # fmt: skip
    assert {id for id, row in rows.items() if row["reason"]} == {"tha"}
    with pytest.raises(InputError, match="put the step `language`"):
        step(helpers.frame_of(texts))
    with pytest.raises(InputError):
        helpers.built(curation, "normalize_language", rules=["klingon"])
    with pytest.raises(InputError, match="names none"):
        helpers.built(curation, "normalize_language", rules=[])
