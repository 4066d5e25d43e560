"""A web page as a sequence of text nodes, in the order of the document, with what the layout says of each.

A node is the text between two boundaries of blocks: inline elements (`a`, `b`, `span` ...) do not part it, `br` does.
Xu et al. (2024) take every text node of the DOM by itself, and tables and lists once more as a whole; then one link in
a sentence may be dropped alone. Scripts, styles, forms' controls, embedded objects and blocks that are not shown have
no text.

Shapes: N nodes, E numbers of the layout.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seedbed.corpus.input.pages import decoded

from .segments import Segments, segments_of

LAYOUT = 10
_INLINE = {
    *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img"),
    *("ins", "kbd", "label", "mark", "nobr", "picture", "q", "rb", "rp", "rt", "ruby", "s", "samp", "small", "source"),
    *("span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr"),
}
_SILENT = {
    *("audio", "button", "canvas", "datalist", "embed", "head", "iframe", "input", "map", "math", "noscript", "object"),
    *("option", "script", "select", "style", "svg", "template", "textarea", "video"),
}
_NAME = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{3,}")
_NEAR, _FAR = 3, 10  # levels above a node whose names count as near, and at all
_MOST_NAMES = 8  # of one element


@dataclass(frozen=True)
class PageNodes:
    """The text nodes of a page; title and language as the page states them."""

    texts: list[str]
    marks: list[set[str]]
    layout_NE: np.ndarray
    title: str
    language: str

    def segments(self) -> Segments:
        return segments_of(self.texts, self.marks, self.layout_NE)


def read_page(page: bytes | str, encoding: str | None = None) -> PageNodes:
    """Parse a page, decoded as `pages.decoded` says. What is no HTML has no nodes."""
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(decoded(page, encoding) if isinstance(page, bytes) else page)
    walk = _Walk()
    if tree.body is not None:
        walk.walk(tree.body)
    root = tree.document.query_selector("html") if tree.document is not None else None
    language = (root.getattr("lang", "") if root is not None else "") or ""
    return PageNodes(walk.texts, walk.marks, walk.layout(), " ".join((tree.title or "").split()), language.strip())


@dataclass
class _Open:
    """A block element whose end has not come. Its names are made when they are first asked for."""

    number: int
    element: Any
    tag: str
    names: tuple[str, ...] | None = None


@dataclass
class _Walk:
    """Goes through a tree without recursion, since pages nest as deep as they like."""

    texts: list[str] = field(default_factory=list)
    marks: list[set[str]] = field(default_factory=list)
    _open: list[_Open] = field(default_factory=list)
    _facts: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)  # see `_end_node`
    _pieces: list[str] = field(default_factory=list)
    _link_chars: int = 0
    _links: int = 0  # links that are open
    _verbatim: int = 0  # elements open in which spaces count
    _blocks: int = 0  # block elements seen

    def walk(self, body: Any) -> None:
        for node, is_entered in _visits(body):
            tag = node.tag
            if tag == "#text":
                if is_entered:
                    self._take(node.value or "")
            elif tag in _INLINE:
                if tag == "a":
                    self._links += 1 if is_entered else -1
            else:
                self._end_node()
                self._cross(node, tag, is_entered)

    def _cross(self, node: Any, tag: str, is_entered: bool) -> None:
        """Into a block, or out of it."""
        self._verbatim += (tag == "pre") * (1 if is_entered else -1)
        if is_entered:
            self._open.append(_Open(self._blocks, node, tag))
            self._blocks += 1
        else:
            self._open.pop()

    def _take(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            if self._links:
                self._link_chars += len("".join(text.split()))

    def _end_node(self) -> None:
        """What has been gathered is one node, if it has text."""
        if not self._pieces:
            return
        joined = "".join(self._pieces)
        text = joined.strip("\n").rstrip() if self._verbatim else " ".join(joined.split())
        if text.strip():
            own, parent, above = [self._open[max(0, len(self._open) - level)].number for level in (1, 2, 3)]
            size = len("".join(text.split()))
            self.texts.append(text)
            self.marks.append(self._marks())
            self._facts.append((own, parent, above, size, min(self._link_chars, size), len(self._open)))
        self._pieces, self._link_chars = [], 0

    def _marks(self) -> set[str]:
        """The tags and the words of classes, ids and roles of what a node stands in."""
        marks: set[str] = set()
        for level, block in enumerate(reversed(self._open[-_FAR:])):
            if block.names is None:
                block.names = _names(block.element)
            marks.add(block.tag)
            marks.update(block.names)
            if level < _NEAR:
                marks.add(f"{block.tag} {level}")
                marks.update([f"{name} near" for name in block.names])
        return marks

    def layout(self) -> np.ndarray:
        """For each node: the share of its characters in links, and its depth; of its block, of the block around that,
        and of the one around both, their characters and share in links; and what part of the page the last two are.
        """
        if not self.texts:
            return np.zeros((0, LAYOUT), np.float32)
        facts = np.array(self._facts, np.int64).T
        sizes_N, links_N, depths_N = facts[3:]
        columns = [links_N / sizes_N, depths_N / 16]
        parts = []
        for blocks_N in facts[:3]:
            # A block's text is that of the nodes that name it at this level, not of all below it.
            chars_N = np.bincount(blocks_N, sizes_N)[blocks_N]
            columns += [np.log1p(chars_N) / 4, np.bincount(blocks_N, links_N)[blocks_N] / chars_N]
            parts.append(chars_N / sizes_N.sum())
        return np.stack([*columns, *parts[1:]], axis=1).astype(np.float32)


def _visits(root: Any) -> Iterator[tuple[Any, bool]]:
    """Every node twice, when it is entered and when it is left; silent elements, comments and the like not at all."""
    from resiliparse.parse.html import NodeType

    stack = [(root, True)]
    while stack:
        node, is_entered = stack.pop()
        yield node, is_entered
        if not is_entered:
            continue
        stack.append((node, False))
        children = []
        child = node.first_child
        while child is not None:
            tag = child.tag
            if tag == "#text" or (child.type == NodeType.ELEMENT and tag not in _SILENT and not _is_hidden(child, tag)):
                children.append((child, True))
            child = child.next
        stack.extend(reversed(children))


def _is_hidden(element: Any, tag: str) -> bool:
    """Whether a block says of itself that it is not shown: such as a second copy of an article for search engines."""
    if tag in _INLINE:
        return False
    style = element.getattr("style") or ""
    return element.hasattr("hidden") or "display:none" in style.replace(" ", "").lower()


def _names(element: Any) -> tuple[str, ...]:
    stated = [element.getattr(name) or "" for name in ("class", "id", "role", "itemprop")]
    return tuple(dict.fromkeys(name.lower() for name in _NAME.findall(" ".join(stated))))[:_MOST_NAMES]
