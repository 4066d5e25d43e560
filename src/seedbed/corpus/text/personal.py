"""Where a text gives away how to reach somebody: addresses, numbers, accounts.

The rules, one by one, and where they differ from Dolma's (Soldaini et al., 2024; its toolkit has the first three):

- `email`: a local part, `@`, and a domain of labels with a last one of two letters or more. (Dolma takes all up to the
  next space, whatever it is, if a period stands behind the `@`.)
- `phone`: `+` and 8 to 15 digits in groups (E.164); or a North American number of three, three and four digits with an
  area code in parentheses or marks between the groups. (Dolma also takes ten digits in a row, which are more often
  something else, and no international numbers.)
- `ip`: four numbers up to 255 with periods, not within a longer one; or an IPv6 address of at least four groups.
- `iban`: two letters, two check digits and 11 to 30 more characters, with the checksum right (ISO 13616: modulo 97).
- `card`: 13 to 19 digits that begin with 2 to 6, or groups of 4-4-4-4 or 4-6-5, with the checksum right (Luhn).
- `ssn`: a United States social security number, with hyphens, whose parts are none that are never given out.

Names, postal addresses and dates of birth are not looked for: rules find them only with many errors.
"""

from __future__ import annotations

import bisect
import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa


class Found(NamedTuple):
    start: int
    end: int
    kind: str


def _iban(text: str) -> int:
    """The words in capitals that may stand behind the last digit are its own or not, as the checksum says."""
    ends = [len(text), *(match.start() for match in re.finditer(r"[ -](?=[A-Z -]*$)", text))]
    return next((end for end in sorted(ends, reverse=True) if _is_iban(text[:end])), 0)


def _is_iban(text: str) -> bool:
    plain = text.replace(" ", "").replace("-", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def _card(text: str) -> int:
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(text) if (sum(doubled) + sum(digits[-1::-2])) % 10 == 0 else 0


def _phone(text: str) -> int:
    has_length = text[0] != "+" or 8 <= sum(character.isdigit() for character in text) <= 15
    return len(text) if has_length else 0


def _ip(text: str) -> int:
    if ":" in text:
        try:
            ipaddress.IPv6Address(text)
        except ValueError:
            return 0
        return len(text) if sum(bool(group) for group in text.split(":")) >= 4 else 0
    return len(text)


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"

# Kind -> pattern, and how much of a match holds on a closer look. An earlier kind wins where two overlap.
_RULES: dict[str, tuple[re.Pattern[str], Callable[[str], int]]] = {
    "email": (
        re.compile(
            r"(?<![\w.%+-])[\w%+-]+(?:\.[\w%+-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,63}(?![\w-])"
        ),
        len,
    ),
    "ip": (
        re.compile(
            rf"(?<![\w.:])(?:(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\w)|[0-9A-Fa-f]{{0,4}}(?::[0-9A-Fa-f]{{0,4}}){{3,7}}(?![\w:]))"
        ),
        _ip,
    ),
    "iban": (re.compile(r"(?<!\w)[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{2,4}){3,7}(?:[ -]?[A-Z0-9]{1,3})?(?!\w)"), _iban),
    "card": (
        re.compile(
            r"(?<![\w+-])(?<![A-Z]{2}[0-9]{2}[ -])(?:[2-6][0-9]{12,18}|[2-6][0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}"
            r"|3[0-9]{3}([ -])[0-9]{6}\2[0-9]{5})(?![\w-])"
        ),
        _card,
    ),
    "ssn": (re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])"), len),
    "phone": (
        re.compile(
            r"(?<![\w+.-])(?:\+[1-9][0-9]{0,2}(?:[ .-]?\([0-9]{1,4}\))?(?:[ .-]?[0-9]{1,4}){2,6}"
            r"|(?:1[ .-])?(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4})(?![\w]|[.-][0-9])"
        ),
        _phone,
    ),
}
KINDS = tuple(_RULES)

# What a text must have to have any of them; in the syntax of RE2, which looks at each byte once.
_ANY = (
    r"@[A-Za-z0-9]"
    r"|[0-9][0-9 .()-]{5,}[0-9]"
    r"|[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:"
    r"|[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{2}"
)


def candidates(texts: pa.Array) -> list[int]:
    """The places of the texts in which there may be something, by one pass over all their bytes."""
    import pyarrow.compute as pc

    places: list[int] = pc.indices_nonzero(pc.match_substring_regex(texts, _ANY).fill_null(False)).to_pylist()
    return places


def find(text: str, kinds: Sequence[str] = KINDS) -> list[Found]:
    """All that is found, in order; no two overlap."""
    found: list[Found] = []
    for kind in kinds:
        pattern, held = _RULES[kind]
        if kind == "email" and "@" not in text:
            continue
        matches = ((match.start(), match.start() + held(match.group())) for match in pattern.finditer(text))
        # No two of one kind overlap, and of those found so far only the neighbors may.
        own = [Found(start, end, kind) for start, end in matches if end > start and not _touches(found, start, end)]
        found = sorted(found + own)
    return found


def _touches(found: Sequence[Found], start: int, end: int) -> bool:
    """Whether one of those found, in order, overlaps with a stretch."""
    place = bisect.bisect_left(found, end, key=lambda item: item.start)
    return place > 0 and found[place - 1].end > start
