"""One spelling for what a script can write in several ways: rules by language, each a function of a text.

Letters are given by their numbers where they are hard to tell apart on a screen.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable

_SINGLE = "‘’‚‛❛❜´`"  # noqa: RUF001
_DOUBLE = "“”„‟«»‹›❝❞❮❯〝〞〟＂"  # noqa: RUF001

# --- Indic scripts ---
_NUKTAS = (0x093C, 0x09BC, 0x0A3C, 0x0ABC, 0x0B3C)
_DANDAS = {base + 0x64 + k: 0x0964 + k for base in range(0x0980, 0x0D80, 0x80) for k in (0, 1)}
_INDIC_LETTER = "[\u0900-\u0963\u0971-\u0d7f]"
_VOWELS = {
    "\u0a05\u0a3e": "\u0a06", "\u0a72\u0a3f": "\u0a07", "\u0a72\u0a40": "\u0a08", "\u0a73\u0a41": "\u0a09",
    "\u0a73\u0a42": "\u0a0a", "\u0a72\u0a47": "\u0a0f", "\u0a05\u0a48": "\u0a10", "\u0a73\u0a4b": "\u0a13",
    "\u0a05\u0a4c": "\u0a14", "\u0b05\u0b3e": "\u0b06", "\u0b0f\u0b57": "\u0b10", "\u0b13\u0b57": "\u0b14",
    "\u0985\u09be": "\u0986",
}  # fmt: skip
_CHILLUS = {
    f"{consonant}\u0d4d\u200d": chr(0x0D7A + k) for k, consonant in enumerate("\u0d23\u0d28\u0d30\u0d32\u0d33\u0d15")
}
_VOWEL, _CHILLU = (re.compile("|".join(table)) for table in (_VOWELS, _CHILLUS))
_JOINERS = re.compile(f"(?<={_INDIC_LETTER})[\u200c\u200d]+|[\u200c\u200d]+(?={_INDIC_LETTER})")
_PIPE = re.compile(f"(?<={_INDIC_LETTER})( ?)\\|")
_COLON = re.compile(f"({_INDIC_LETTER}):(?={_INDIC_LETTER})")


def indic(text: str) -> str:
    # What goes goes first: it may part characters that belong together.
    text = _CHILLU.sub(lambda found: _CHILLUS[found[0]], text.translate(_INVISIBLE))
    text = unicodedata.normalize("NFC", _JOINERS.sub("", text))
    text = _VOWEL.sub(lambda found: _VOWELS[found[0]], text)
    text = _PIPE.sub("\\1\u0964", text.translate(_INDIC_TABLE))
    return _COLON.sub(lambda found: found[1] + chr(ord(found[1]) // 0x80 * 0x80 + 3), text)


def _with_nuktas() -> dict[int, str]:
    """The letters that are another one with a nukta, as those two."""
    pairs = {code: unicodedata.normalize("NFD", chr(code)) for code in range(0x0900, 0x0D80)}
    return {code: pair for code, pair in pairs.items() if len(pair) == 2 and ord(pair[1]) in _NUKTAS}


_INVISIBLE = {0xFEFF: None, 0xFFFE: None, 0x2060: None, 0xAD: None, 0x200B: " ", 0xA0: " "}
_INDIC_TABLE: dict[int, str | int] = {**_with_nuktas(), **_DANDAS}

# --- Bangla ---
_BANGLA = re.compile("\u09c7(\u0981?)(\u09be|\u09d7)|\u09c7([^\u09d7])\u09d7|\u09ac\u09bc|\u0985\u09be")
_BANGLA_TABLE: dict[int, str | int | None] = {
    0xAD: None, 0x200B: None, 0x2060: None, 0xA0: " ", 0x2013: "-", 0x2014: " - ", 0x2026: "...", 0x2501: "-",
    0x09F7: 0x0964, 0x3001: ",", 0x2236: ":", 0x300A: '"', 0x300B: '"', 0x300C: '"', 0x300D: '"', 0x3008: "<",
    0x3009: ">", 0x3010: "[", 0x3011: "]",
}  # fmt: skip
_STROKES = dict(zip("ÐĐðđĦħıɨŁłØøŦŧ", "DDddHhiiLlOoTt", strict=True))
_BLANKS = re.compile(r"[^\S\n]+")


def bangla(text: str) -> str:
    text = quotes(unicodedata.normalize("NFC", text)).translate(_BANGLA_TABLE)
    text = _BANGLA.sub(_bangla_vowel, text.translate(_ACCENTS))
    return _BLANKS.sub(" ", unicodedata.normalize("NFKC", text))


def _bangla_vowel(found: re.Match[str]) -> str:
    if found[2]:
        return ("\u09cb" if found[2] == "\u09be" else "\u09cc") + found[1]
    if found[3]:
        return found[3] + "\u09cc"
    return "\u09b0" if found[0][0] == "\u09ac" else "\u0986"


def _unaccented(code: int) -> str:
    char = chr(code)
    return _STROKES.get(char) or "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))


_ACCENTS = {
    code: _unaccented(code)
    for code in [*range(0xAA, 0x250), *range(0x1E00, 0x1F00), 0x0268]
    if unicodedata.name(chr(code), "").startswith("LATIN")
}

# --- Thai ---
_HTML = [
    ("#39;", "'"), ("amp;", "&"), ("#146;", "'"), ("nbsp;", " "), ("#36;", "$"), ("\\n", "\n"), ("quot;", "'"),
    ("<br />", "\n"), ('\\"', '"'), (" @.@ ", "."), (" @-@ ", "-"), (" @,@ ", ","), ("\\", " \\ "),
]  # fmt: skip
_WORD = "[a-zA-Z0-9ก-๙]"
_NO_WORD = "[^a-zA-Z0-9ก-๙]"
_BRACKETS = [
    re.compile(pattern)
    for left, right in ((r"\(", r"\)"), (r"\{", r"\}"), (r"\[", r"\]"))
    for pattern in (
        f"{left}{_NO_WORD}*{right}",
        f"(?<={left}){_NO_WORD}+(?={_WORD})",
        f"(?<={_WORD}){_NO_WORD}+(?={right})",
    )
]
_REPEATED = re.compile(r"(\S)\1{3,}")


def thai(text: str) -> str:
    text = text.lower()
    for old, new in _HTML:
        text = text.replace(old, new)
    text = re.sub("  +", " ", html.unescape(text))
    for pattern in _BRACKETS:
        text = pattern.sub("", text)
    text = re.sub(" {2,}", " ", text.strip().replace("\n", " "))
    return _REPEATED.sub(r"\1", text)


# --- Arabic, Persian ---
_FORMS = re.compile("[\ufb50-\ufdff\ufe70-\ufefc]+")
_PERSIAN = {0x0649: 0x06CC, 0x064A: 0x06CC, 0x0643: 0x06A9, **{0x0660 + k: 0x06F0 + k for k in range(10)}}
_JOINS = re.compile("\u200c+(?=\\s)|(?<=\\s)\u200c+|^\u200c+|\u200c+$|(?<=\u200c)\u200c+", re.MULTILINE)


def arabic(text: str) -> str:
    text = _FORMS.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    return unicodedata.normalize("NFC", text.replace("\u0640", ""))  # what it has parted may belong together


def persian(text: str) -> str:
    return _JOINS.sub("", arabic(text).translate(_PERSIAN))


# --- any script ---
_WIDE = re.compile("[\uff01-\uff5e\uff65-\uff9f\uffe0-\uffe6\u3000]+")
_QUOTES: dict[int, str] = {**{ord(mark): "'" for mark in _SINGLE}, **{ord(mark): '"' for mark in _DOUBLE}}


def fullwidth(text: str) -> str:
    return _WIDE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


def quotes(text: str) -> str:
    return text.translate(_QUOTES)


RULES: dict[str, Callable[[str], str]] = {
    "indic": indic, "bangla": bangla, "thai": thai, "arabic": arabic, "persian": persian, "fullwidth": fullwidth,
    "quotes": quotes,
}  # fmt: skip
