"""Licenses by the names that people give them: in sentences of notices, in fields of packages, in names of files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .expressions import Node, all_of, any_of, family_of, parsed, written

# Licenses with versions; without one they are `LicenseRef-` and their family, which no list of SPDX licenses allows.
_WITH_VERSION: tuple[tuple[str, str], ...] = (
    ("AGPL", r"(?:gnu )?affero general public licen[cs]es?|\bagpl"),
    ("LGPL", r"(?:gnu )?(?:lesser|library) general public licen[cs]es?|\blgpl"),
    ("GPL", r"(?<!affero )(?<!lesser )(?<!library )general public licen[cs]es?|\bgpl(?!-compat)"),
    ("Apache", r"\bapache(?: software)?(?:[ -]licen[cs]es?\b)?"),
    ("MPL", r"mozilla public licen[cs]e|\bmpl"),
    ("EPL", r"eclipse public licen[cs]e|\bepl"),
    ("EUPL", r"european union public licen[cs]e|\beupl"),
    ("Artistic", r"\bartistic(?:[ -]licen[cs]e)?"),
    ("OFL", r"(?:sil )?open font licen[cs]e|\bofl"),
    ("BSL", r"boost software licen[cs]e"),
)
_WITHOUT_VERSION: tuple[tuple[str, str], ...] = (
    ("MIT-0", r"\bmit-0\b|\bmit no attribution\b"),
    ("MIT", r"\bmit(?:[ /-]x11)?[ -](?:expat )?licen[cs]e[ds]?\b(?!-style|-like)"),
    ("MIT", r"\bmit\b(?= ?(?:$|[,;:()/<&|]|[.] |[.]$|or\b|and\b))"),  # not the German word
    ("0BSD", r"\b0bsd\b|\b(?:bsd zero[ -]clause|zero[ -]clause bsd)\b"),
    ("BSD-3-Clause", r"\bbsd[ -](?:3|three)[ -]clause\b|\b(?:(?:3|three)[ -]clause|new|modified|revised) bsd\b"),
    ("BSD-2-Clause", r"\bbsd[ -](?:2|two)[ -]clause\b|\b(?:(?:2|two)[ -]clause|simplified) bsd\b"),
    ("LicenseRef-BSD", r"\bbsd\b(?![ -](?:style|like|type|[0-9]|two|three|four|zero))"),
    ("ISC", r"\bisc licen[cs]e|\bisc$"),
    ("Zlib", r"\bzlib(?:/libpng)?(?: licen[cs]e|$)"),
    ("Unlicense", r"\bunlicense\b"),
    ("CC0-1.0", r"\bcc0\b"),
    ("WTFPL", r"\bwtfpl\b"),
    ("PSF-2.0", r"python software foundation licen[cs]e|\bpsf licen[cs]e"),
    ("Artistic-1.0-Perl OR GPL-1.0-or-later", r"same terms as perl"),
)  # fmt: skip
_UNVERSIONED = "LicenseRef-"
_FAMILIES = tuple((name, re.compile(pattern)) for name, pattern in _WITH_VERSION)
_FIXED = tuple((name, re.compile(pattern)) for name, pattern in _WITHOUT_VERSION)
_GNU = ("AGPL", "LGPL", "GPL")
_COMMONS = re.compile(
    r"(?:attribution(?P<long>(?:[ -](?:non-?commercial|share[ -]?alike|no[ -]?deriv(?:ative)?(?:s| works)?))*)"
    r"(?: licen[cs]e)?|\bcc[ -]by(?P<short>(?:[ -](?:nc|sa|nd))*))"
    r"(?:[ ,(-]{1,3}(?:version |v\.? ?)?(?P<version>[1-4]\.[05]))?\b"
)
_NEAR_VERSION = re.compile(
    r"[\s,-]{0,3}(?:\([^()]{1,20}\)[\s,-]{0,3})?(?:licen[cs]e[\s,-]{1,3})?(?:version |ver\.? ?|v\.? ?)?"
    r"(\d(?:\.\d)?)(?![\d.]\d|\w|-clause)"
)
_FAR_VERSION = re.compile(  # as published by the Free Software Foundation; either version 2 of the License
    r"(?: \([^()]{1,20}\))?,? (?:as )?published by [^.]{0,60}?\bversion (\d(?:\.\d)?)\b"
)
_EARLIER_VERSION = re.compile(r"version (\d(?:\.\d)?)((?: or[^.]{0,30}later)?)(?: of)?(?: the)?(?: gnu)? $")
_LATER = re.compile(
    r"\+|[^.;]{0,40}?\bor[ -](?:\(?at your option\)?,? )?(?:any )?(?:later|newer|greater)|[^.;]{0,40}?any later"
)
_DUAL = re.compile(
    r"(?:dual|double|tri(?:ple)?|multi)[ -]?licen[cs]ed|licen[cs]ed under either"
    r"|(?:either|one) of the following licen[cs]es|choice of (?:two|three|one of|the following)"
)
_OR = re.compile(r"\bor\b|^ ?/ ?$|^ ?\| ?$")
_SENTENCE_END = re.compile(r"[.] (?!\d)")
_NEAR = 150  # characters between two licenses of one statement
_LIKELY_NAME = re.compile(r"[A-Za-z0-9.+:]+-[\w.+:-]+|MIT|ISC|Zlib|Unlicense|UNLICENSED|WTFPL|0BSD|X11|Ruby|PostgreSQL")
_FILLING = re.compile(
    r"\b(?:the|a|an|of|under|in|terms|licen[cs]ed?s?|licen[cs]ing|software|released|either|dual|open[ -]source|gnu|or"
    r"|and|any|later|newer|version|agpl|l?gpl|mpl|epl|eupl|v?\d(?:\.\d)?|international|unported|generic|creative|commons"
    r"|osi|iscl|approved|public|universal|expat|by|cc|your|at|option)\b|[^a-z0-9]"
)  # fmt: skip


@dataclass(frozen=True)
class Mention:
    """A license that is named, and from where to where; or whose own terms begin there."""

    start: int
    end: int
    license: str
    is_terms: bool = False


def mentions(plain: str) -> list[Mention]:
    """The licenses that a text names, in its order. The text is in lower case with single spaces."""
    found = [Mention(*match.span(), name) for name, pattern in _FIXED for match in pattern.finditer(plain)]
    for family, pattern in _FAMILIES:
        found += [_with_version(plain, match, family) for match in pattern.finditer(plain)]
    for match in _COMMONS.finditer(plain):
        if license := _commons(match):
            found.append(Mention(*match.span(), license))
    return without_overlaps(found)


def without_overlaps(found: list[Mention]) -> list[Mention]:
    """In order, and of two that overlap the one that begins first, or else is longer."""
    kept: list[Mention] = []
    for mention in sorted(found, key=lambda mention: (mention.start, -mention.end)):
        if not kept or mention.start >= kept[-1].end:
            kept.append(mention)
    return kept


def joined(plain: str, found: list[Mention]) -> str:
    """The expression for licenses that a text names: a choice where it says so, else all of them."""
    versions = {family_of(mention.license) for mention in found if not mention.license.startswith(_UNVERSIONED)}
    # `See the GPL` beside `GPL version 2` is no other license.
    found = [
        mention
        for mention in found
        if not mention.license.startswith(_UNVERSIONED) or family_of(mention.license) not in versions
    ]
    groups: list[list[str]] = []
    for number, mention in enumerate(found):
        if number and is_choice(plain, found[number - 1], mention):
            groups[-1].append(mention.license)
        else:
            groups.append([mention.license])
    offered = {license for group in groups if len(group) > 1 for license in group}
    # A license of a choice that is named once more stands there for its text.
    return all_of(any_of(group) for group in groups if len(group) > 1 or group[0] not in offered)


def is_choice(plain: str, first: Mention, second: Mention) -> bool:
    """Does the text let one choose between two licenses that follow each other in it?"""
    gap = plain[first.end : second.start]
    if "alternatively" in gap[-_NEAR:]:
        return True
    around = plain[max(0, first.start - _NEAR) : second.end + 40]
    return is_continued(plain, first, second) and (_OR.search(gap) is not None or says_choice(around))


def is_continued(plain: str, first: Mention, second: Mention) -> bool:
    """Do two licenses stand in one sentence?"""
    gap = plain[first.end : second.start]
    return len(gap) <= _NEAR and not _SENTENCE_END.search(gap)


def says_choice(plain: str) -> bool:
    """Is there a phrase such as `dual licensed`?"""
    return _DUAL.search(plain) is not None


def license_of_name(stated: str) -> str:
    """The SPDX expression for what a package states in a field: an expression itself, a usual name such as `Apache 2.0`
    or `GPLv3+`, several with `/` between them as in old Cargo.toml. What is not known stays as it is.
    """
    stated = " ".join(stated.split())
    stated = re.sub(
        r"[ -]or[ -](?:any )?(?:later|newer)(?: versions?)?(?![\w-])", _as_plus, stated, flags=re.IGNORECASE
    )
    node = parsed(stated)
    if node is not None and _all_known(node):
        return written(_as_spdx(node))
    plain = stated.lower()
    found = mentions(plain)
    rest, at = "", 0
    for mention in found:
        rest, at = f"{rest}{plain[at : mention.start]} ", mention.end
    if not found or _FILLING.sub("", rest + plain[at:]):
        return stated
    return joined(plain, found)


def _as_plus(match: re.Match[str]) -> str:
    return match[0] if match[0].lower() == "-or-later" else "+"


def _all_known(node: Node) -> bool:
    if isinstance(node, str):
        return _LIKELY_NAME.fullmatch(node.split(" ")[0]) is not None or len(_of_word(node)) == 1
    return all(map(_all_known, node[1]))


def _as_spdx(node: Node) -> Node:
    if isinstance(node, str):
        found = _of_word(node)
        return found[0] if len(found) == 1 and not _LIKELY_NAME.fullmatch(node.split(" ")[0]) else node
    return node[0], sorted(map(_as_spdx, node[1]), key=written)


def _of_word(word: str) -> list[str]:
    return [mention.license for mention in mentions(word.lower()) if mention.end - mention.start >= len(word) - 1]


def _with_version(plain: str, match: re.Match[str], family: str) -> Mention:
    """A license of a family with the version that stands behind its name, or before it."""
    start, end = match.span()
    is_gnu = family in _GNU
    behind = plain[end : end + 300]
    if stop := _SENTENCE_END.search(behind):
        behind = behind[: stop.start()]
    before = _EARLIER_VERSION.search(plain[max(0, start - 60) : start]) if is_gnu else None
    near = _NEAR_VERSION.match(behind) or (_FAR_VERSION.match(behind) if is_gnu and not before else None)
    if near is not None:
        later = _LATER.match(behind[near.end() :])
        version, end = near[1], end + near.end() + (later.end() if later and is_gnu else 0)
        is_open = later is not None
    elif before is not None:
        version, is_open = before[1], bool(before[2]) or _LATER.match(behind) is not None
    else:
        return Mention(start, end, f"LicenseRef-{family}")
    version = version if "." in version else f"{version}.0"
    suffix = ("-or-later" if is_open else "-only") if is_gnu else ""
    return Mention(start, end, f"{family}-{version}{suffix}")


def _commons(match: re.Match[str]) -> str:
    """`CC-BY-NC-4.0`; a plain `attribution` without a version is a word like any other."""
    said = (match["long"] or match["short"] or "").replace("-", "").replace(" ", "")
    parts = [("NC", r"noncommercial|nc"), ("SA", r"sharealike|sa"), ("ND", r"noderiv|nd")]
    kinds = [name for name, pattern in parts if re.search(pattern, said)]
    if not kinds and not match["version"]:
        return "LicenseRef-CC-BY" if match["short"] is not None else ""
    return "-".join(["CC-BY", *kinds, *([match["version"]] if match["version"] else [])])
