"""Licenses that the packages of other languages state in their files: package.json, Cargo.toml and the like."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable
from typing import Any

from .expressions import all_of, any_of
from .names import license_of_name
from .texts import license_of_text

_SHORT = 200  # characters; a longer field is the text of a license
_POINTER = re.compile(r"see |file:|licen[cs]e(?:$|\.)|copying", re.IGNORECASE)
_CLASSIFIER = "License :: "


def license_of_package_file(name: str, content: bytes) -> str:
    """The license that a file of this name states. Nothing if it states none, or cannot be read: this is not the place
    to complain about it.
    """
    try:
        return _READERS[name](content.decode("utf-8-sig"))
    except (ValueError, RecursionError, configparser.Error):  # the first stands for JSON, TOML and UTF-8 as well
        return ""


def _npm(content: str) -> str:
    """`license`, or the older objects with `type`, of which a list is a choice."""
    data = json.loads(content)
    stated = [_at(data, "license")]
    if not stated[0]:
        several = _at(data, "licenses")
        stated = several if isinstance(several, list) else [several]
    names = [_at(one, "type") if isinstance(one, dict) else one for one in stated]
    return any_of(_license(name) for name in names)


def _cargo(content: str) -> str:
    data = tomllib.loads(content)
    return _license(_at(data, "package", "license")) or _license(_at(data, "workspace", "package", "license"))


def _pyproject(content: str) -> str:
    data = tomllib.loads(content)
    stated = _at(data, "project", "license")
    for field in (_at(stated, "text"), stated, _at(data, "tool", "poetry", "license")):
        if license := _license(field):
            return license
    return _of_classifiers(_at(data, "project", "classifiers") or _at(data, "tool", "poetry", "classifiers"))


def _setup(content: str) -> str:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(content)
    if not parser.has_section("metadata"):
        return ""
    fields = parser["metadata"]
    stated = _license(fields.get("license_expression", "")) or _license(fields.get("license", ""))
    return stated or _of_classifiers(fields.get("classifiers", fields.get("classifier", "")).splitlines())


_READERS: dict[str, Callable[[str], str]] = {
    "package.json": _npm,
    "Cargo.toml": _cargo,
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup,
}
PACKAGE_FILES = tuple(_READERS)


def _at(data: Any, *keys: str) -> Any:
    """What lies at a path of keys, or None."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _license(stated: Any) -> str:
    """Nothing for what is no text, or points to a file, which is read by itself."""
    if not isinstance(stated, str) or _POINTER.match(stated.strip()):
        return ""
    return license_of_text(stated) if len(stated) > _SHORT else license_of_name(stated)


def _of_classifiers(lines: Any) -> str:
    """Several hold together: there is no telling which of them is a choice."""
    found = [line.strip() for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    names = [line.rpartition("::")[2].strip() for line in found if line.startswith(_CLASSIFIER)]
    return all_of(license_of_name(name) for name in names if name != "OSI Approved")
