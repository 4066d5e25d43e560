"""Licenses by their SPDX identifiers, out of links, headers, notices and the texts of the usual ones."""

from __future__ import annotations

import re

from .expressions import all_of, leading_expression
from .names import Mention, is_continued, joined, license_of_name, mentions, says_choice, without_overlaps

_COMMONS = re.compile(
    r"creativecommons\.org/+(?:licenses/+(?P<kind>by(?:-[a-z]+)*)/+(?P<version>\d\.\d)(?:/+(?P<place>[a-z]{2,3})\b)?"
    r"|publicdomain/+(?P<public>zero|mark)/+(?P<public_version>\d\.\d))",
    re.IGNORECASE,
)
_SPDX = re.compile(r"SPDX-License-Identifier:[ \t]*([\w.+() \t-]{1,200})")
_NAMES = {"zero": "CC0", "mark": "PDM"}

_VERSION = r"\W{1,3}(?:\(?[a-z]{3,4}\)?\W{1,3})?(?:v\.? ?|version )?"  # what stands between a title and its version
_BSD = r"redistribution and use in source and binary forms"
_MIT = r"permission is hereby granted, free of charge, to any person obtaining a copy.*without restriction"
_ISC = r"permission to use, copy, modify, and/?(?:or)? distribute this software for any purpose with or without fee"
# What stands in a license's own terms, in plain words; of two at the same place the first in this list is it.
_TERMS: tuple[tuple[str, str], ...] = (
    ("Unlicense", r"this is free and unencumbered software released into the public domain"),
    ("WTFPL", r"do what the fuck you want to public license"),
    ("Zlib", r"the origin of this software must not be misrepresented"),
    ("BSD-4-Clause", rf"{_BSD}.*all advertising materials mentioning features"),
    ("BSD-3-Clause", rf"{_BSD}.*(?:neither the names? of|may not be used to endorse)"),
    ("BSD-2-Clause", _BSD),
    ("JSON", rf"{_MIT}.*shall be used for good, not evil"),
    ("NCSA", rf"{_MIT}.{{0,500}}redistributions of source code must retain"),
    ("MIT-0", rf"{_MIT}(?!.*the above copyright notice)"),
    ("MIT", _MIT),
    ("0BSD", rf"{_ISC} is hereby granted\.(?! *,? *provided)(?!.*appear in all copies)"),
    ("ISC", _ISC),
)
# What stands in a license's title.
_TITLES: tuple[tuple[str, str], ...] = (
    ("AGPL-3.0", r"gnu affero general public license\W+version 3"),
    ("LGPL-3.0", r"gnu lesser general public license\W+version 3"),
    ("LGPL-2.1", r"gnu lesser general public license\W+version 2\W1"),
    ("LGPL-2.0", r"gnu library general public license\W+version 2"),
    ("GPL-3.0", r"gnu general public license\W+version 3"),
    ("GPL-2.0", r"gnu general public license\W+version 2"),
    ("Apache-2.0", r"apache license\W+version 2\W0|licensed under the apache license,? version 2\.0"),
    ("MPL-2.0", rf"mozilla public license{_VERSION}2\W0"),
    ("MPL-1.1", rf"mozilla public license{_VERSION}1\W1"),
    ("EPL-2.0", rf"eclipse public license{_VERSION}2\W0"),
    ("EPL-1.0", rf"eclipse public license{_VERSION}1\W0"),
    ("EUPL-1.2", rf"(?:european union public licen[cs]e|\beupl){_VERSION}1\W2"),
    ("Artistic-2.0", rf"artistic license{_VERSION}2\W0"),
    ("OFL-1.1", rf"(?:\bsil )?open font license{_VERSION}1\W1"),
    ("BSL-1.0", r"boost software license\W+version 1\W0"),
    ("CC0-1.0", r"cc0 1\.0 universal"),
    ("PSF-2.0", r"python software foundation license version 2"),
)
_KNOWN_TERMS = tuple((name, re.compile(pattern)) for name, pattern in _TERMS)
_FINGERPRINTS = tuple((name, re.compile(pattern)) for name, pattern in _TITLES) + _KNOWN_TERMS
_HEAD = 3000  # characters
_NOTICE = 6000  # characters, in which the terms of the usual short licenses fit
_PREAMBLE = 1000  # characters of a license file, in which it says that one may choose
_SHORT = 200  # characters: a name rather than a text
_LONGEST = 60_000  # of a license's text, that of several licenses in one file included

_NOTED = re.compile(r"licen[cs]|permission|redistribution|gpl|unencumbered|misrepresented|same terms|mpl 1")
# What stands before the name of a license that is given, and not only spoken of.
_GRANT = re.compile(
    r"\b(?:under|terms of|covered by|subject to|governed by|licen[cs]ed?(?: is| as|:| -)|licen[cs]ing:|either)"
    r"|@licen[cs]e|dual|\bon the same"
)
_MOZILLA = "version: mpl 1.1/gpl 2.0/lgpl 2.1"  # the three that Mozilla's files long had, and their notices below
_MOZILLA_LICENSES = "GPL-2.0-or-later OR LGPL-2.1-or-later OR MPL-1.1"
_LINK = re.compile(r"https?://\S+|www\.\S+|<licen[cs]e-\S+")  # in which names of licenses are those of pages and files
_GRANT_BEFORE = 100  # characters
_BLOCKS = {
    "/*": "*/", "<!--": "-->", "(*": "*)", "{-": "-}", '"""': '"""', 'r"""': '"""', "'''": "'''", "=begin": "=end",
    "<#": "#>", "#|": "|#", "--[[": "]]", "#[[": "]]", "#=": "=#", "#[": "]#", "/+": "+/",
}  # fmt: skip
_OPENER = re.compile("|".join(map(re.escape, _BLOCKS)))
_STRINGS = ('"""', "'''")
_COMMENT = re.compile(r"#|//|;|--|%|!|\*|dnl\b|rem\b|[Cc](?= )")
_MARKER = re.compile(r"^(?:[\s*#/;%!|+=-]|dnl\b|rem\b|[Cc](?= ))+")


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
    """The SPDX expression that a file states near its start; what follows it on its line is left out. Of several
    statements all hold.
    """
    found = [match[1] for match in _SPDX.finditer(text, 0, _HEAD + 250) if match.start() < _HEAD]
    return all_of(leading_expression(stated) for stated in found)


def license_of_notice(text: str) -> str:
    """The license that the comments near the start of a source file give, as terms (`Permission is hereby granted`) or
    by its name (`under the terms of the GNU General Public License`); of several all hold unless there is a choice.
    `LicenseRef-GPL` and the like where the version is not told. Nothing if no notice is known.
    """
    plain = _comments(text[:_NOTICE])
    if not _NOTED.search(plain):
        return ""
    if _MOZILLA in plain:
        return _MOZILLA_LICENSES
    link = license_of_link(plain)
    plain = " ".join(_LINK.sub(" ", plain).split())
    granted: list[Mention] = []
    for mention in without_overlaps(mentions(plain) + _terms(plain)):
        before = plain[max(0, mention.start - _GRANT_BEFORE) : mention.start].rpartition(". ")[2]
        is_given = mention.is_terms or not before.strip() or plain.startswith("licensed", mention.end - 8)
        if is_given or _GRANT.search(before) or (granted and is_continued(plain, granted[-1], mention)):
            granted.append(mention)
    return joined(plain, granted) or link


def license_of_text(text: str) -> str:
    """The license whose text this is, by phrases that its text or title has; of several the one that comes first (some
    name others further down), unless the text begins by saying that one may choose. Nothing if none is known.
    """
    plain = _plain(text[:_LONGEST].splitlines())
    start = plain[:_HEAD]
    if says_choice(start[:_PREAMBLE]):
        chosen = joined(start[:_PREAMBLE], mentions(start[:_PREAMBLE]))
        if " OR " in chosen:
            return chosen
    found = [(match.start(), name) for name, pattern in _FINGERPRINTS if (match := pattern.search(plain))]
    found += [(mention.start, mention.license) for mention in mentions(start) if mention.license.startswith("CC-BY-")]
    if link := _COMMONS.search(plain):
        found.append((link.start(), license_of_link(link[0])))
    if found:
        license = min(found, key=lambda pair: pair[0])[1]
        return all_of([license, "LicenseRef-Commons-Clause"]) if "commons clause" in plain else license
    stated = license_of_name(plain) if len(plain) < _SHORT else ""
    return stated if stated != plain else ""


def _terms(plain: str) -> list[Mention]:
    """The licenses of which a text has the terms themselves."""
    found: dict[int, Mention] = {}
    for name, pattern in _KNOWN_TERMS:
        if match := pattern.search(plain):
            # The place is that of the first words alone: `.*` may have run over another license.
            found.setdefault(match.start(), Mention(match.start(), match.start() + 20, name, is_terms=True))
    return list(found.values())


def _comments(head: str) -> str:
    """What the comments of a source file say, in whatever language, as plain words: a license in a string is data."""
    said: list[str] = []
    close, is_string = "", False
    for raw in head.splitlines():
        content = raw.strip().removeprefix("<?php").strip()
        if not close:
            match = _OPENER.match(content)
            opener = match[0] if match else ""
            if not opener and not _COMMENT.match(content):
                close = next((quotes for quotes in _STRINGS if content.count(quotes) % 2), "")
                is_string = bool(close)
                continue
            close, content = _BLOCKS.get(opener, ""), content.removeprefix(opener)
        closed = bool(close) and close in content
        if not is_string:
            said.append(content.partition(close)[0] if closed else content)
        if closed:
            close, is_string = "", False
    return _plain(said)


def _plain(lines: list[str]) -> str:
    """Lines without the marks of comments before them, as words in lower case with single spaces."""
    return " ".join(" ".join(_MARKER.sub("", line) for line in lines).lower().split())
