"""Licenses by their SPDX identifiers, out of links, headers and the texts of the usual ones."""

from __future__ import annotations

import re

_COMMONS = re.compile(
    r"creativecommons\.org/+(?:licenses/+(?P<kind>by(?:-[a-z]+)*)/+(?P<version>\d\.\d)(?:/+(?P<place>[a-z]{2,3})\b)?"
    r"|publicdomain/+(?P<public>zero|mark)/+(?P<public_version>\d\.\d))",
    re.IGNORECASE,
)
_SPDX = re.compile(r"SPDX-License-Identifier:[ \t]*([\w.+() \t-]{1,200})")
_SPDX_WORD = re.compile(r"[()]|[A-Za-z0-9][\w.+-]*")
_NAMES = {"zero": "CC0", "mark": "PDM"}

_BSD = r"redistribution and use in source and binary forms"
_MIT = r"permission is hereby granted, free of charge, to any person obtaining a copy.*without restriction"
_ISC = r"permission to use, copy, modify, and/?(?:or)? distribute this software for any purpose with or without fee"
# What stands in a license's own text, in plain words; of two at the same place the first in this list is it.
_MARKS: tuple[tuple[str, str], ...] = (
    ("AGPL-3.0", r"gnu affero general public license\W+version 3"),
    ("LGPL-3.0", r"gnu lesser general public license\W+version 3"),
    ("LGPL-2.1", r"gnu lesser general public license\W+version 2\W1"),
    ("LGPL-2.0", r"gnu library general public license\W+version 2"),
    ("GPL-3.0", r"gnu general public license\W+version 3"),
    ("GPL-2.0", r"gnu general public license\W+version 2"),
    ("Apache-2.0", r"apache license\W+version 2\W0|licensed under the apache license,? version 2\.0"),
    ("MPL-2.0", r"mozilla public license,?\W+(?:v\.|version) ?2\W0"),
    ("EPL-2.0", r"eclipse public license\W+v(?:ersion)? ?2\W0"),
    ("BSL-1.0", r"boost software license\W+version 1\W0"),
    ("CC0-1.0", r"cc0 1\.0 universal"),
    ("CC-BY-SA-4.0", r"attribution-sharealike 4\.0 international"),
    ("CC-BY-4.0", r"attribution 4\.0 international"),
    ("Unlicense", r"this is free and unencumbered software released into the public domain"),
    ("WTFPL", r"do what the fuck you want to public license"),
    ("Zlib", r"the origin of this software must not be misrepresented"),
    ("PSF-2.0", r"python software foundation license version 2"),
    ("BSD-4-Clause", rf"{_BSD}.*all advertising materials mentioning features"),
    ("BSD-3-Clause", rf"{_BSD}.*(?:neither the names? of|may not be used to endorse)"),
    ("BSD-2-Clause", _BSD),
    ("MIT-0", rf"{_MIT}(?!.*the above copyright notice)"),
    ("MIT", _MIT),
    ("0BSD", rf"{_ISC} is hereby granted\.(?! *,? *provided)(?!.*appear in all copies)"),
    ("ISC", _ISC),
)
_FINGERPRINTS = tuple((name, re.compile(pattern)) for name, pattern in _MARKS)
_HEAD = 3000  # characters
_LONGEST = 60_000  # of a license's text, that of several licenses in one file included


def license_of_link(link: str) -> str:
    """`CC-BY-4.0` of a Creative Commons link, with the country of a ported one; of others nothing."""
    match = _COMMONS.search(link)
    if match is None:
        return ""
    if match["public"]:
        return f"{_NAMES[match['public'].lower()]}-{match['public_version']}"
    parts = ["CC", match["kind"].upper(), match["version"], (match["place"] or "").upper()]
    return "-".join(part for part in parts if part)


def license_of_header(text: str) -> str:
    """The SPDX expression that a file states near its start; what follows it on its line is left out."""
    match = _SPDX.search(text[:_HEAD])
    words = _SPDX_WORD.findall(match[1]) if match else []
    _, end = _choices(words, 0)
    return " ".join(words[:end]).replace("( ", "(").replace(" )", ")")


def license_of_text(text: str) -> str:
    """The license whose text this is, by phrases that its text or title has; of several the one that comes first (some
    name others further down). Nothing if none is known.
    """
    plain = " ".join(text[:_LONGEST].lower().split())
    found = [(match.start(), name) for name, pattern in _FINGERPRINTS if (match := pattern.search(plain))]
    return min(found, key=lambda pair: pair[0])[1] if found else ""


def allowed_by(expression: str, names: list[str]) -> bool:
    """Is what an SPDX expression asks for among the names? Of alternatives one is enough. What is no expression of
    SPDX's is a name as a whole.
    """
    known = {name.lower() for name in names}
    words = _SPDX_WORD.findall(expression)
    choices, end = _choices(words, 0)
    if not words or end < len(words):
        choices = [{expression}]
    return any({name.lower() for name in choice} <= known for choice in choices)


def _choices(words: list[str], start: int) -> tuple[list[set[str]], int]:
    """The sets of licenses of which one is asked for, by the expression that begins at a word, and its end: at `start`
    if there is none. AND binds closer than OR, WITH closer than both.
    """
    found: list[set[str]] = []
    end, at = start, start
    while True:
        group, behind = _all_of(words, at)
        if behind == at:
            return found, end
        found, end = found + group, behind
        if words[end : end + 1] != ["OR"]:
            return found, end
        at = end + 1


def _all_of(words: list[str], start: int) -> tuple[list[set[str]], int]:
    """The same of what stands between two OR."""
    found: list[set[str]] = []
    end, at = start, start
    while True:
        word = words[at] if at < len(words) else ")"
        if word == "(":
            inner, behind = _choices(words, at + 1)
            if behind == at + 1 or words[behind : behind + 1] != [")"]:
                return found, end
            behind += 1
        elif word in (")", "OR", "AND", "WITH"):
            return found, end
        else:
            behind = at + 1
            if words[behind : behind + 1] == ["WITH"] and behind + 1 < len(words):
                behind += 2
            inner = [{" ".join(words[at:behind])}]
        found = [one | other for one in found for other in inner] if found else inner
        end = behind
        if words[end : end + 1] != ["AND"]:
            return found, end
        at = end + 1
