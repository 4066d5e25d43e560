"""Personal data: what the rules find and leave, against hand-made cases and what the world `noise` has planted."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.corpus.curating.personal_data import MASKS, PersonalData
from seedbed.corpus.text.personal import KINDS, Found, candidates, find
from seedbed.worlds import Truth, worlds
from seedbed.worlds.measure import precision_recall

# Account and card numbers are the examples of their standards; the rest are reserved for examples.
FOUND = {
    "mail": ("Write to jo.a+b@mail.example.org, or else.", "email", "jo.a+b@mail.example.org"),
    "end": ("<jo@x.example>", "email", "jo@x.example"),
    "world": ("Call +44 20 7946 0958 now", "phone", "+44 20 7946 0958"),
    "plus": ("(+12025550123)", "phone", "+12025550123"),
    "area": ("Call (202) 555-0123.", "phone", "(202) 555-0123"),
    "dots": ("202.555.0123", "phone", "202.555.0123"),
    "one": ("Call 1-202-555-0123!", "phone", "1-202-555-0123"),
    "four": ("from 192.0.2.17.", "ip", "192.0.2.17"),
    "six": ("at 2001:db8::8a2e:370:7334, then", "ip", "2001:db8::8a2e:370:7334"),
    "account": ("IBAN GB82 WEST 1234 5698 7654 32 IS MINE", "iban", "GB82 WEST 1234 5698 7654 32"),
    "joined": ("DE89370400440532013000", "iban", "DE89370400440532013000"),
    "card": ("pay with 4111 1111 1111 1111 12/27", "card", "4111 1111 1111 1111"),
    "amex": ("3782 822463 10005", "card", "3782 822463 10005"),
    "social": ("SSN 219-09-9999", "ssn", "219-09-9999"),
}
LEFT = [
    "at 3.14159 of 1,234,567.89 in 1990-2000, 12:30:45",
    "user @ home, a@b, @handle, x@y@z",
    "version 1.2.3.4.5 and 300.1.2.3",
    "ISBN 978-3-16-148410-0 and 10.1000/182",
    "GB83 WEST 1234 5698 7654 32",
    "XX11 4111 1111 1111 1111",
    "4111 1111 1111 1112 and 4111-1111 1111-1111",
    "000-12-3456 and 123-00-4567 and 1219-09-9999",
    "std::vector::size a::b ::1 fe80::1",
    "2025550123 items, +12 apples, 20250101 120000",
    "|||EMAIL_ADDRESS||| |||PHONE_NUMBER|||",
]


@pytest.mark.parametrize("name", list(FOUND))
def test_what_is_found(name: str) -> None:
    text, kind, wanted = FOUND[name]
    assert [(item.kind, text[item.start : item.end]) for item in find(text)] == [(kind, wanted)]


@pytest.mark.parametrize("text", LEFT)
def test_what_is_left(text: str) -> None:
    assert find(text) == []


def test_the_checksum_of_accounts_against_long_division() -> None:
    for check in range(100):
        text = f"DE{check:02} 3704 0044 0532 0130 00"
        letters = text.replace(" ", "")
        rest = 0
        for character in letters[4:] + letters[:4]:
            for digit in str(int(character, 36)):
                rest = (10 * rest + int(digit)) % 97
        assert bool(find(text, ["iban"])) == (rest == 1)


PIECE = st.sampled_from([*(text for text, _, _ in FOUND.values()), *LEFT, " ", "\n", "é", "1", "a", ".", "+"])


@given(st.lists(PIECE, max_size=6))
@settings(max_examples=200, deadline=None)
def test_nothing_is_found_in_what_is_no_candidate(pieces: list[str]) -> None:
    import pyarrow as pa

    text = "".join(pieces)
    found = find(text)
    assert not found or candidates(pa.array([None, text, ""])) == [1]
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))


def test_masks_hold_nothing_that_a_rule_finds() -> None:
    assert set(MASKS) == set(KINDS)
    assert find(" ".join(MASKS.values())) == []


def test_an_earlier_kind_wins_and_many_take_no_square_of_time() -> None:
    """Every part that may be of two kinds is of the first; a plain loop over all pairs would take minutes."""
    part = "x192.0.2.17@y.example, 192.0.2.18, +12 345 678 901; 4111 1111 1111 1111 "
    one = find(part)
    assert [(item.kind, part[item.start : item.end]) for item in one] == [
        ("email", "x192.0.2.17@y.example"),
        ("ip", "192.0.2.18"),
        ("phone", "+12 345 678 901"),
        ("card", "4111 1111 1111 1111"),
    ]
    many = find(part * 5000)
    assert many == [Found(i.start + k * len(part), i.end + k * len(part), i.kind) for k in range(5000) for i in one]


def test_five_are_masked_and_six_go(helpers: Any) -> None:
    five = " and ".join(["Größe jo@x.example"] * 3 + ["192.0.2.17", "(202) 555-0123"])
    rows = helpers.tagged(PersonalData(), {"five": five, "six": five + " 192.0.2.18", "none": "nothing here", "": ""})
    masked = five.replace("jo@x.example", MASKS["email"]).replace("192.0.2.17", MASKS["ip"])
    assert rows["five"]["text"] == masked.replace("(202) 555-0123", MASKS["phone"])
    assert rows["five"]["reason"] is None and rows["none"]["text"] == "nothing here" and rows[""]["text"] == ""
    assert rows["six"]["reason"] == "6 pieces of personal data, more than 5 (email 3, ip 2, phone 1)"
    assert [rows["five"][f"pii_{kind}"] for kind in KINDS] == [3, 1, 0, 0, 0, 1]
    assert [rows["none"][f"pii_{kind}"] for kind in KINDS] == [0] * 6


def test_edits_do_not_tell_what_was_masked(helpers: Any) -> None:
    rows = helpers.tagged(PersonalData(), {"a": "jo@x.example or 219-09-9999", "b": "none"})
    edits = [["personal data: email", "12 characters"], ["personal data: ssn", "11 characters"]]
    assert json.loads(rows["a"]["edits"]) == edits and rows["b"]["edits"] is None


def test_tagging_changes_nothing(helpers: Any) -> None:
    texts = {"a": "jo@x.example " * 9, "b": "none"}
    rows = helpers.tagged(PersonalData(action="tag", kinds=["email", "ip"]), texts)
    assert {id: row["text"] for id, row in rows.items()} == texts
    assert all(row["reason"] is None and row["edits"] is None for row in rows.values())
    assert rows["a"]["pii_email"] == 9 and rows["a"]["pii_ip"] == 0 and "pii_phone" not in rows["a"]


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(InputError, match="did you mean 'email'"):
        PersonalData(kinds=["emial"])
    with pytest.raises(InputError, match="negative"):
        PersonalData(most=-1)


@pytest.mark.parametrize("kind", ["email", "phone", "ip"])
def test_what_a_world_has_planted(kind: str) -> None:
    items = list(worlds.create("noise", documents=300, pii=0.5).stream(3))
    texts = {item.id: item.text for item in items if not isinstance(item, Truth)}
    planted = {
        (item.row["document"], span["start"], span["end"])
        for item in items
        if isinstance(item, Truth) and item.file == "planted"
        for span in item.row["spans"]
        if span["type"] == kind
    }
    found = {(id, item.start, item.end) for id, text in texts.items() for item in find(text) if item.kind == kind}
    agreement = precision_recall(found, planted)
    assert len(planted) > 30 and agreement.precision == 1.0 and agreement.recall == 1.0
