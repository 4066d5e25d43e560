"""SPDX license expressions: read, joined, and held against a list of allowed licenses.

The package `license-expression` reads them as well, but does not know that `GPL-2.0-or-later` allows version 3, nor
where an expression ends on a line that goes on, so that little would be left to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

Node: TypeAlias = str | tuple[str, list["Node"]]  # a license, or OR or AND with what it joins

_WORD = re.compile(r"[()]|[A-Za-z0-9][\w.+:-]*")
_OPERATORS = ("OR", "AND", "WITH")
_LONGEST = 500  # characters; a longer one is not read, since nobody writes it by hand
_VERSIONED = re.compile(r"(?P<family>.+?)-v?(?P<version>\d+(?:\.\d+)*)(?P<later>\+|-or-later|-only)?")


def parsed(expression: str) -> Node | None:
    """What an expression says, or None if it is none, as a whole."""
    words = _words(expression)
    node, end = _parse(words, 0)
    return node if end == len(words) and not _WORD.sub("", expression[:_LONGEST]).strip() else None


def leading_expression(text: str) -> str:
    """The expression that a text begins with, without what follows. One that breaks off at an operator or an open
    parenthesis is returned as it stands: it says more than was understood, and so must not be taken for less.
    """
    words = _words(text)
    _, end = _parse(words, 0)
    behind = words[end] if end < len(words) else ""
    if (end and behind in _OPERATORS) or (not end and behind == "("):
        end = len(words)
    return " ".join(words[:end]).replace("( ", "(").replace(" )", ")")


def allowed_by(expression: str, names: list[str]) -> bool:
    """Can what an SPDX expression asks for be had with these licenses alone? Of alternatives one is enough, of licenses
    that hold together all are needed. A license with an exception is another one than that without. `GPL-3.0` among
    the names stands for version 3 however it is granted: by itself, only, or as a version later than the one named.
    What is no expression of SPDX's is a name as a whole.
    """

    def holds(node: Node) -> bool:
        if isinstance(node, str):
            return any(_covers(name, node) for name in names)
        operator, parts = node
        return any(map(holds, parts)) if operator == "OR" else all(map(holds, parts))

    if expression.lower() in {name.lower() for name in names if name}:
        return True
    node = parsed(expression)
    return node is not None and holds(node)


def any_of(licenses: Iterable[str]) -> str:
    """The expression for a choice among licenses, sorted."""
    return " OR ".join(sorted({license for license in licenses if license}))


def all_of(licenses: Iterable[str]) -> str:
    """The expression for licenses that hold together, sorted, with alternatives in parentheses."""
    found = sorted({license for license in licenses if license})
    if len(found) == 1:
        return found[0]
    return " AND ".join(f"({license})" if len(alternatives(license)) > 1 else license for license in found)


def alternatives(expression: str) -> list[str]:
    """The licenses among which an expression lets one choose: one if it does not, or says more than that."""
    node = parsed(expression)
    if node is None or isinstance(node, str) or node[0] != "OR":
        return [expression]
    return [written(part) for part in node[1]]


def licenses_in(expression: str) -> set[str]:
    """All the licenses that an expression names, however it joins them."""

    def leaves(node: Node) -> set[str]:
        return {node} if isinstance(node, str) else set().union(*map(leaves, node[1]))

    node = parsed(expression)
    return {expression} if node is None else leaves(node)


def family_of(license: str) -> str:
    """`GPL` of `GPL-3.0-or-later`, `BSD` of `BSD-3-Clause`, `MIT` of `MIT`."""
    return license.removeprefix("LicenseRef-").split("-", 1)[0].split(" ", 1)[0]


def bare_version(license: str) -> str:
    """`GPL-3.0` of `GPL-3.0-or-later`, `GPL-3.0-only` and `GPL-3.0+`."""
    base, found, exception = license.partition(" WITH ")
    return re.sub(r"(-only|-or-later|\+)$", "", base) + found + exception


def written(node: Node) -> str:
    """A node as text."""
    if isinstance(node, str):
        return node
    operator, parts = node
    return f" {operator} ".join(written(part) if isinstance(part, str) else f"({written(part)})" for part in parts)


def _words(text: str) -> list[str]:
    words = [] if len(text) > _LONGEST else _WORD.findall(text)
    return [word.upper() if word.upper() in _OPERATORS else word for word in words]


def _parse(words: list[str], start: int, operator: str = "OR") -> tuple[Node | None, int]:
    """The longest expression from a word on and its end: `start` if there is none. AND binds closer than OR, WITH
    closer than both.
    """
    parts: list[Node] = []
    end, at = start, start
    while True:
        part, behind = _parse(words, at, "AND") if operator == "OR" else _term(words, at)
        if part is None:
            break
        parts.append(part)
        end = behind
        if words[end : end + 1] != [operator]:
            break
        at = end + 1
    if len(parts) > 1:
        return (operator, parts), end
    return (parts[0] if parts else None), end


def _term(words: list[str], start: int) -> tuple[Node | None, int]:
    """A license, with its exception if it has one, or what stands in parentheses."""
    word = words[start] if start < len(words) else ")"
    if word == "(":
        inner, end = _parse(words, start + 1)
        return (inner, end + 1) if inner is not None and words[end : end + 1] == [")"] else (None, start)
    if word == ")" or word in _OPERATORS:
        return None, start
    behind = words[start + 1 : start + 3]
    if len(behind) == 2 and behind[0] == "WITH" and behind[1] not in ("(", ")", *_OPERATORS):
        return f"{word} WITH {behind[1]}", start + 3
    return word, start + 1


def _covers(name: str, license: str) -> bool:
    """Does a name that is allowed stand for a license? Both may cover a range of versions; one in common is enough."""
    (name, _, wanted_exception), (license, _, exception) = (
        re.sub(r"\s+with\s+", " with ", text.lower()).partition(" with ") for text in (name, license)
    )
    if wanted_exception != exception:
        return False
    allowed, granted = _VERSIONED.fullmatch(name), _VERSIONED.fullmatch(license)
    if name == license or allowed is None or granted is None or allowed["family"] != granted["family"]:
        return name == license
    first, second = _number(allowed["version"]), _number(granted["version"])
    if first == second:
        return True
    return _is_open(allowed) if first < second else _is_open(granted)


def _number(version: str) -> list[int]:
    parts = [int(part) for part in version.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return parts


def _is_open(match: re.Match[str]) -> bool:
    return match["later"] in ("+", "-or-later")
