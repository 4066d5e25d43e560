"""Scripts of texts."""

from __future__ import annotations

from seedbed.corpus.text.scripts import script_name, script_of


def test_the_script_of_most_letters() -> None:
    assert script_of(["слово", "12 ...", "one"]) == "cyrillic"
    assert script_of(["漢字漢", "かな"]) == "cjk"
    assert script_of(["ab", "αβ"]) == "greek", "of equal ones the first by the alphabet"
    assert script_of(["123"]) == "" and script_of([]) == ""


def test_names() -> None:
    letters = ["a", "Я", "漢", "ት", "ক"]
    assert [script_name(letter) for letter in letters] == ["latin", "cyrillic", "cjk", "ethiopic", "bengali"]
    assert script_name("\ue000") == "", "private use has no name"
