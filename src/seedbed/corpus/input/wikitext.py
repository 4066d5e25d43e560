"""Wikitext, the markup of MediaWiki, to plain text: one pass over its marks with a stack, so that the time is linear
whatever is unclosed or nested.

Templates are not expanded, since that would take a wiki: they go, but for a few that only dress a text.
mwparserfromhell keeps everything apart, which plain text does not need: it takes ten times as long (0.3 MB per
CPU second), and the square of the length on unclosed marks.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_MARKS = re.compile(
    r"\{\{|\}\}|\[\[|\]\]|^[ \t:]*\{\||^[ \t]*\|\}(?!\})|<!--|<(/?)([A-Za-z][A-Za-z0-9]*)\b([^<>]*)>", re.MULTILINE
)
_CLOSES = {"}}": "{{", "]]": "[[", "|}": "{|"}
_DEEPEST = 60  # marks within marks; deeper ones are text
_LEFT_OUT = frozenset(
    "ref references math chem ce gallery timeline table score imagemap graph mapframe maplink hiero inputbox poem3 "  # noqa: SIM905
    "templatestyles templatedata section indicator categorytree".split()
)
_VERBATIM = frozenset(("nowiki", "pre", "source", "syntaxhighlight"))
_BREAKS = frozenset(("br", "p", "div", "blockquote", "li", "center", "hr", "poem"))
# Templates that stand for a text of their own: which of their positional parameters.
_TEXTS = {
    **dict.fromkeys(("nowrap", "nobr", "small", "big", "smallcaps", "sc", "abbr", "tooltip", "quote", "blockquote"), 0),
    **dict.fromkeys(("lang", "transl", "transliteration"), -1),
}
_QUANTITIES = ("convert", "cvt")
_GONE = "\0"  # where a template stood
_KEPT = re.compile("\x01([0-9]+)\x02")  # where verbatim text goes
# None of these may look at a character again and again: runs are taken whole (`*+`), and only from their beginning.
_EXTERNAL = re.compile(r"\[(?:(?:https?|ftp|irc|news):|mailto:|//)[^\s\[\]]*+[ \t]*+([^\[\]\n]*+)\]")
_QUOTES = re.compile(r"'{2,}")
_SWITCH = re.compile(r"__[A-Z]{3,}__")
_ITEM = re.compile(r"^[*#:;]*[*#][*#:;]*[ \t]*", re.MULTILINE)
_INDENT = re.compile(r"^[:;]+[ \t]*|^-{4,}", re.MULTILINE)
_AFTER_BRACKET = re.compile(r"\([ \t]*+\0[\0 \t,;]*+")
_BEFORE_BRACKET = re.compile(r"(?<![\0 \t,;])[ \t,;]*+\0[\0 \t,;]*+\)")
_EMPTY_BRACKETS = re.compile(r"(?:(?<![ \t])[ \t]++)?\([ \t,;]*+\)")
_HOLE = re.compile(r"(?:^|(?<=\n))\0[ \t]*|(?:(?<![ \t])[ \t]++)?\0")
_BLANKS = re.compile(r"\n{3,}")
_LONG_NUMBER = re.compile(r"&#[0-9]{20,}+;?")  # of a character that there is not
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z-]+)?|simple")


@dataclass
class Wiki:
    """What a wiki says of itself: its name, the namespaces' numbers by their names in lower case, whether titles begin
    with a capital.
    """

    name: str = ""
    namespaces: Mapping[str, int] = field(
        default_factory=lambda: {"media": -2, "special": -1, "file": 6, "image": 6, "category": 14}
    )
    capitals: bool = True

    def title(self, link: str) -> str:
        """A link's target as a page's title."""
        plain = " ".join(_unescaped(link).partition("#")[0].replace("_", " ").split())
        return plain[:1].upper() + plain[1:] if self.capitals else plain


@dataclass
class Plain:
    """The text of a page; the pages that it links to, in order, each once; its categories."""

    text: str
    links: list[str]
    categories: list[str]


class _Converter:
    def __init__(self, wiki: Wiki) -> None:
        self.wiki = wiki
        self.links: dict[str, None] = {}
        self.categories: dict[str, None] = {}
        self.verbatim: list[str] = []
        self.stack: list[tuple[str, list[str]]] = [("", [])]

    def convert(self, text: str) -> str:
        """The text without its nested marks; those of single lines stay."""
        place, lost = 0, set()
        while (match := _MARKS.search(text, place)) is not None:
            self._add(text[place : match.start()])
            mark, place = match[0].strip(" \t:"), match.end()
            tag = (match[2] or "").lower()
            if mark == "<!--" or (tag in _VERBATIM and not match[1] and not match[3].endswith("/")):
                end = "-->" if mark == "<!--" else f"</{match[2]}"
                found = -1 if end in lost else text.find(end, place)
                if found < 0:
                    lost.add(end)
                    continue
                if tag:
                    self.verbatim.append(text[place:found])
                    self._add(f"\1{len(self.verbatim) - 1}\2")
                place = found + len(end)
                place = text.find(">", place) + 1 if tag and ">" in text[place : place + 20] else place
            elif tag:
                self._tag(tag, is_end=bool(match[1]), is_empty=match[3].endswith("/"))
            elif mark in _CLOSES:
                self._close(_CLOSES[mark])
            else:
                self._open(mark)
        self._add(text[place:])
        while len(self.stack) > 1:
            self._undo()
        return "".join(self.stack[0][1])

    def _add(self, text: str) -> None:
        if text:
            self.stack[-1][1].append(text)

    def _open(self, mark: str) -> None:
        if len(self.stack) < _DEEPEST:
            self.stack.append((mark, []))

    def _undo(self) -> None:
        """What was opened last is not closed: its content is text, but that of a table or tag which would go."""
        mark, pieces = self.stack.pop()
        self.stack[-1][1].extend(pieces if mark in ("{{", "[[") else [])

    def _close(self, mark: str) -> None:
        if all(opened != mark for opened, _ in self.stack):
            return
        while self.stack[-1][0] != mark:
            self._undo()
        content = "".join(self.stack.pop()[1])
        if mark == "[[":
            self._add(self._link(content))
        elif mark == "{{":
            self._add(_template(content))

    def _tag(self, tag: str, is_end: bool, is_empty: bool) -> None:
        if tag in _BREAKS:
            self._add("\n")
        elif tag in _LEFT_OUT and not is_empty:
            if is_end:
                self._close(tag)
            else:
                self._open(tag)

    def _link(self, content: str) -> str:
        target, _, label = content.partition("|")
        target = target.strip()
        is_mention = target.startswith(":")  # of a file or a category, not the thing itself
        target = target.removeprefix(":").strip()
        prefix, colon, rest = target.partition(":")
        space = self.wiki.namespaces.get(prefix.strip().lower().replace("_", " ")) if colon else None
        if space in (6, -2) and not is_mention:
            return ""
        if space == 14 and not is_mention:
            self.categories[self.wiki.title(rest)] = None
            return ""
        if colon and space is None and not label and not is_mention and _LANGUAGE.fullmatch(prefix):
            return ""  # the same page in another language
        if space is None and not (colon and prefix.islower()) and (title := self.wiki.title(target)):
            self.links[title] = None
        return label.strip("\n") or target


def plain_text(text: str, wiki: Wiki | None = None) -> Plain:
    """What a reader of the page reads, headings and list items as lines of their own. Left out are templates, tables,
    footnotes, formulas, pictures with their captions, galleries, and headings without text below them.
    """
    converter = _Converter(wiki or Wiki())
    text = converter.convert(text.translate({0: None, 1: None, 2: None}))
    text = _SWITCH.sub("", _QUOTES.sub("", _EXTERNAL.sub(r"\1", text)))
    text = _INDENT.sub("", _ITEM.sub("- ", text))
    text = _BEFORE_BRACKET.sub(")", _AFTER_BRACKET.sub("(", text))
    text = _HOLE.sub("", _EMPTY_BRACKETS.sub("", text))
    text = _unescaped(_without_empty_headings(text))
    text = _KEPT.sub(lambda match: _unescaped(converter.verbatim[int(match[1])]), text)
    return Plain(_BLANKS.sub("\n\n", text).strip(), list(converter.links), list(converter.categories))


def _template(content: str) -> str:
    name, _, rest = content.partition("|")
    name = name.strip().lower()
    if name in _TEXTS or name in _QUANTITIES:
        values = [value.strip() for value in rest.split("|") if "=" not in value.partition(" ")[0]]
        if name in _QUANTITIES and len(values) >= 2:
            return f"{values[0]} {values[1]}"
        if name in _TEXTS and values:
            return values[_TEXTS[name]]
    return _GONE


def _without_empty_headings(text: str) -> str:
    lines: list[str] = []
    waiting: list[tuple[int, str]] = []  # headings, each below the one before
    for line in map(str.strip, text.split("\n")):
        if (level := _heading_level(line)) > 0:
            title = line[level:-level].strip()
            waiting = [heading for heading in waiting if heading[0] < level] + [(level, title)]
            continue
        if line.strip(" \t-"):
            for _, heading in waiting:
                lines += ["", heading, ""]
            waiting = []
        elif line:
            continue  # an empty item
        lines.append(line)
    return "\n".join(lines)


def _heading_level(line: str) -> int:
    """How many signs it begins and ends with, at most six; 0 if it is no heading."""
    size = len(line)
    before, behind = size - len(line.lstrip("=")), size - len(line.rstrip("="))
    return min(6, before, behind) if before < size else min(6, (size - 1) // 2)


def _unescaped(text: str) -> str:
    """Without entities; Python refuses to read numbers of thousands of digits."""
    return html.unescape(_LONG_NUMBER.sub("\ufffd", text))
