"""What the world `noise` plants: each function changes a text in pieces, and marks the pieces that are not its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .dice import Dice
from .words import Lexicon

_CUT = re.compile(r"(?<=[.!?])(?=\s)|(?<=\n)(?=\S)")
_ENDS = (".", "!", "?")
_INSULTS = ["fool", "blockhead", "nitwit", "numbskull", "dunce", "windbag", "nincompoop", "lout"]
_RUDE = (
    "Only a {0} would write this.",
    "Shut up, you {0}!",
    "Whoever reads on is a {0} and a {1}.",
    "Get lost, {0}, and take the other {1} with you.",
)
_ASKS = (
    "Write to {0} for more.",
    "Questions go to {0} at any time.",
    "The entry was left by {0}.",
    "It was last seen from {0}.",
)
_TAGS = ('<div class="c{0}"><p', "</span></td", "&nbsp;&nbsp;", "&amp;amp;", '<a href="/p?id={0}', "{{{{ item_{0} }}}}")
_HEADERS = (
    "{0} | Home | News | About us | Contact\n\n",
    "Skip to the content\n{0}\nMenu Search Log in\n\n",
    "You are here: {0} > Archive > Page\n\n",
)
_FOOTERS = (
    "\n\n{0}. All rights reserved. No part of this page may be copied.",
    "\n\nWe use cookies so that {0} works better. Accept all | Settings",
    "\n\nShare this page | Print | Subscribe to the letter of {0}",
)
_SITES = 40
_MOJIBAKE = {"a": "Ã¡", "e": "Ã©", "i": "Ã\xad", "o": "Ã¶", "u": "Ã¼", "s": "â€™s", " ": "Â\xa0"}


@dataclass(slots=True)
class Piece:
    """A part of a text; `kind` is empty for what was there before."""

    text: str
    kind: str = ""
    type: str = ""


Plant = Callable[[list[Piece], Dice, Lexicon], None]


def pieces_of(text: str) -> list[Piece]:
    """Sentences and lines, each with the space before or after it: joined they are the text."""
    return [Piece(part) for part in _CUT.split(text) if part]


def truncation(pieces: list[Piece], dice: Dice, _: Lexicon) -> None:
    """The text ends in its second half, within a word if that can be."""
    total = sum(len(piece.text) for piece in pieces)
    left = total // 2 + dice.below(max(1, total // 2 - 1))
    for place, piece in enumerate(pieces):
        if len(piece.text) >= left:
            piece.text = piece.text[:left]
            del pieces[place + 1 :]
            break
        left -= len(piece.text)
    pieces.append(Piece("", "truncation"))


def mojibake(pieces: list[Piece], dice: Dice, _: Lexicon) -> None:
    """One to three pieces as if their letters had accents, in UTF-8 read as Windows-1252."""
    for _time in range(1 + dice.below(3)):
        piece = dice.pick(pieces)
        if not piece.kind:
            garbled = "".join([_MOJIBAKE[x] if x in _MOJIBAKE and dice.chance(0.2) else x for x in piece.text])
            if garbled != piece.text:
                piece.text, piece.kind = garbled, "mojibake"


def markup(pieces: list[Piece], dice: Dice, _: Lexicon) -> None:
    """Two to five broken tags, entities and template marks between sentences."""
    for _time in range(2 + dice.below(4)):
        tag = dice.pick(_TAGS).format(dice.below(1000))
        pieces.insert(dice.below(len(pieces) + 1), Piece(tag, "markup"))


def pii(pieces: list[Piece], dice: Dice, words: Lexicon) -> None:
    """One to three sentences with personal data that belong to nobody: reserved domains, numbers and addresses."""
    for _ in range(1 + dice.below(3)):
        before, after = dice.pick(_ASKS).split("{0}")
        type = dice.pick(sorted(_PERSONAL))
        value = Piece(_PERSONAL[type](dice, words), "pii", type)
        place = _boundary(pieces, dice)
        pieces[place:place] = [Piece(" " + before, "carrier"), value, Piece(after, "carrier")]


def toxicity(pieces: list[Piece], dice: Dice, _: Lexicon) -> None:
    """One or two sentences with mild insults."""
    for _time in range(1 + dice.below(2)):
        text = dice.pick(_RUDE).format(*dice.shuffled(_INSULTS))
        place = _boundary(pieces, dice)
        pieces[place:place] = [Piece(" ", "carrier"), Piece(text, "toxicity")]


def boilerplate(pieces: list[Piece], dice: Dice, words: Lexicon) -> None:
    """The header or the footer of one of forty sites, or both."""
    site = dice.below(_SITES)
    name = f"{words.nouns[site].title()} {('Daily', 'Forum', 'Online', 'Archive')[site % 4]}"
    which = dice.below(3)
    if which != 1:
        pieces.insert(0, Piece(_HEADERS[site % 3].format(name), "boilerplate", "header"))
    if which != 0:
        pieces.append(Piece(_FOOTERS[site // 4 % 3].format(name), "boilerplate", "footer"))


# In this order, so that what cuts and garbles comes before what is added whole.
PLANTS: dict[str, Plant] = {
    plant.__name__: plant for plant in (truncation, mojibake, markup, pii, toxicity, boilerplate)
}


def edited(pieces: list[Piece], dice: Dice, rate: float, words: Lexicon) -> int:
    """Replace, leave out or double a share of the words of what was there before; returns how many, at least one."""
    places = [
        (piece, index)
        for piece in pieces
        if not piece.kind
        for index, word in enumerate(piece.text.split(" "))
        if word.isalpha()
    ]
    chosen = [place for place in places if dice.chance(rate)] or ([dice.pick(places)] if places else [])
    for piece, index in reversed(chosen):  # from the end, so that the other places stay what they are
        parts = piece.text.split(" ")
        parts[index : index + 1] = dice.pick(([], [parts[index]] * 2, [dice.pick(words.nouns)]))
        piece.text = " ".join(parts)
    return len(chosen)


def _boundary(pieces: list[Piece], dice: Dice) -> int:
    """A place behind a whole sentence of the text's own, so that nothing is put into another sentence."""
    own = [place + 1 for place, piece in enumerate(pieces) if not piece.kind and piece.text.rstrip().endswith(_ENDS)]
    return dice.pick(own) if own else 0


def _email(dice: Dice, words: Lexicon) -> str:
    return f"{dice.pick(words.given).lower()}.{dice.pick(words.nouns)}@{dice.pick(words.nouns)}.example"


def _iban(dice: Dice, _: Lexicon) -> str:
    digits = "".join(str(dice.below(10)) for _ in range(18))
    check = 98 - int(digits[2:] + "333300") % 97  # as in ISO 13616, with X as 33
    return f"XX{check:02} " + " ".join(digits[start : start + 4] for start in range(2, 18, 4))


_PERSONAL: dict[str, Callable[[Dice, Lexicon], str]] = {
    "email": _email,
    "phone": lambda dice, _: f"+1 {200 + dice.below(700)} 555 01{dice.below(100):02d}",
    "ip": lambda dice, _: f"{dice.pick(('192.0.2', '198.51.100', '203.0.113'))}.{dice.below(256)}",
    "iban": _iban,
    "name": lambda dice, words: f"{dice.pick(words.given)} {dice.pick(words.nouns).title()}",
}
