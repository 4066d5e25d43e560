"""The license of a folder, out of the license files and package files in it."""

from __future__ import annotations

import re

from .expressions import all_of, alternatives, any_of, bare_version, family_of, licenses_in
from .packages import PACKAGE_FILES, license_of_package_file
from .texts import license_of_text

_LICENSE = re.compile(
    r"(?:(?P<before>mit|apache|[al]?gpl|bsd|mpl)[-_.])?(?P<kind>licen[cs]e|copying|unlicense)(?:[-_.](?P<after>.*))?",
    re.IGNORECASE,
)
_FORMAT = re.compile(r"(?:^|\.)(?:txt|md|markdown|rst|html?|adoc)$", re.IGNORECASE)
_ALIASES = {"boost": "bsl", "gnu": "gpl"}  # LICENSE-BOOST
# Side by side with a license of code these are rather for documents and fonts than for choosing.
_NOT_FOR_CODE = re.compile(r"CC-BY|OFL|LicenseRef-")


def is_license_file(name: str) -> bool:
    return _LICENSE.fullmatch(name) is not None


def tells_license(name: str) -> bool:
    """May a file of this name say under which license its folder is?"""
    return is_license_file(name) or name in PACKAGE_FILES


def stated_license(name: str, content: bytes) -> str:
    """The license that a license file has the text of, or that a package file states."""
    if name in PACKAGE_FILES:
        return license_of_package_file(name, content)
    return license_of_text(content.decode("utf8", "replace"))


def license_of_folder(found: dict[str, str]) -> str:
    """The license of a folder by what its files say, by their names; nothing if none says anything.

    License files come first. A package's statement counts where there is none, and where it names the same licenses,
    since it says whether one may choose among them and whether later versions are meant.
    """
    files = {name: license for name, license in found.items() if license and is_license_file(name)}
    stated = all_of(license for name, license in found.items() if not is_license_file(name))
    told = _of_files(files)
    if not told or _families(told) == _families(stated):
        return stated or told
    return told


def _of_files(found: dict[str, str]) -> str:
    """Of several license files, which are a choice if a text says so, or if they are each named for the license in them
    (`LICENSE-MIT`, `LICENSE-APACHE`). Otherwise what holds for which files is not known, so all of them do.
    """
    licenses = set(found.values())
    if {"GPL-3.0", "LGPL-3.0"} <= licenses and any(name.upper().endswith(".LESSER") for name in found):
        licenses.discard("GPL-3.0")  # which the LGPL amends: its text has to be there
    choices = {license for license in licenses if len(alternatives(license)) > 1}
    offered = {one for license in choices for one in alternatives(license)}
    if not choices:
        named = {license for name, license in found.items() if license in licenses and _is_named_for(name, license)}
        if len(named) > 1:
            choices, offered = {any_of(named)}, named
    texts = {family_of(license): license for license in sorted(licenses - choices)}
    # `Dual licensed under MIT and GPL` beside a GPL of version 2 means that one.
    versions = {one: texts.get(family_of(one), one) for one in offered if one.startswith("LicenseRef-")}
    chosen = {any_of(versions.get(one, one) for one in alternatives(choice)) for choice in choices}
    known = {bare_version(one) for one in offered} | set(versions.values())
    return all_of(chosen | {license for license in licenses - choices if license not in known})


def _is_named_for(name: str, license: str) -> bool:
    """Does the name of a file say which license is in it, and that it is one among which code may choose?"""
    match = _LICENSE.fullmatch(name)
    if match is None or _NOT_FOR_CODE.match(license) or " " in license:
        return False
    said = match["before"] or _FORMAT.sub("", match["after"] or "") or match["kind"]
    return _ALIASES.get(said.lower(), said.lower()).startswith(family_of(license).lower())


def _families(expression: str) -> set[str]:
    return {bare_version(license).lower() for license in licenses_in(expression)}
