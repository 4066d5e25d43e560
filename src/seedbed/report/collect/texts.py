"""Texts of users' data, cut to size, and components of recipes in one line."""

from __future__ import annotations

import re
from typing import Any

CHARS = 200  # of an example


def clipped(text: str, limit: int = CHARS) -> str:
    """The first characters."""
    return text if len(text) <= limit else text[:limit].rstrip() + " …"


def flowing(text: str) -> str:
    """In one line: a mark for line ends, single blanks."""
    return re.sub(r"[^\S\n]+", " ", re.sub(r"\s*\n\s*", " \u23ce ", text))


def ends(text: str, limit: int = 60) -> str:
    """A long name by its head and tail."""
    return text if len(text) <= limit else f"{text[: limit // 3]}…{text[-(limit - limit // 3 - 1) :]}"


def called(value: Any) -> str:
    """A component as `name (key=value, ...)`, a path without the hash of its contents; any other value as it is."""
    if isinstance(value, dict) and set(value) == {"path", "contents"}:
        return ends(str(value["path"]))
    if isinstance(value, dict) and len(value) == 1:
        ((name, settings),) = value.items()
        if isinstance(settings, dict):
            told = {key: item for key, item in settings.items() if item not in (None, "", []) and key != "inputs"}
            inside = ", ".join(f"{key}={called(item)}" for key, item in told.items())
            return clipped(f"{name} ({inside})" if inside else str(name), 300)
    if isinstance(value, list):
        return clipped(", ".join(map(called, value)), 300)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return clipped(f"{value:g}" if isinstance(value, float) else str(value), 300)


def with_names(value: Any, names: dict[str, str]) -> Any:
    """Resolved parameters in which results of steps are called by the steps' names, known by their fingerprints."""
    if isinstance(value, dict):
        return {key: with_names(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [with_names(item, names) for item in value]
    if isinstance(value, str) and value.startswith("artifact:"):
        return names.get(value.removeprefix("artifact:"), value)
    return value


def documentation(registry: str, name: str) -> tuple[str, str]:
    """The first paragraph of a registered method's documentation, and the rest; empty for an unknown one."""
    from seedbed import registries

    found = registries.registry(registry)
    if name not in found:
        return "", ""
    entry = found.get(name)
    return entry.summary, "\n\n".join(entry.doc.split("\n\n")[1:])
