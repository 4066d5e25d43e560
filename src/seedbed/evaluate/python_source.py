"""What is true of Python source, from `tokenize` and `ast` alone: the class of each word, and functions with their
docstrings. No labels by hand. Positions are characters of the text.
"""

from __future__ import annotations

import ast
import builtins
import io
import keyword
import re
import textwrap
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

CLASSES = (
    "argument",
    "attribute",
    "builtin",
    "class",
    "comment",
    "function",
    "import",
    "keyword",
    "number",
    "parameter",
    "string",
    "variable",
)
_BUILTINS = frozenset(dir(builtins))
_Place = tuple[int, int]  # line from 1, column in characters


@dataclass(frozen=True)
class Word:
    """A word of source: [start, end) and its class."""

    start: int
    end: int
    tag: str


@dataclass(frozen=True)
class Function:
    """A function's name, the first paragraph of its docstring on one line, and its source without the docstring."""

    name: str
    summary: str
    source: str


def parse(text: str) -> ast.Module | None:
    """The tree; None for what is no Python of this version."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def words(text: str) -> list[Word] | None:
    """All words but operators and punctuation, with their classes; None if the text does not parse.

    function, class: the name where it is defined; parameter: declared, or used within its function; argument: the
    name in a call's `name=`; import: names in import statements; attribute: what follows a dot; builtin: a name of
    the module `builtins` that no parameter hides; variable: all other names. A string is one word.
    """
    tree = parse(text)
    if tree is None:
        return None
    known = _Names(text.split("\n"))
    known.visit(tree)
    try:
        return list(_words(text, known))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return None


def _words(text: str, known: _Names) -> Iterator[Word]:
    starts = _line_starts(text)
    before, depth, opened = "", 0, 0
    f_start, f_end = (getattr(tokenize, name, -1) for name in ("FSTRING_START", "FSTRING_END"))
    for token in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline):
        start = starts[token.start[0] - 1] + token.start[1]
        end = starts[token.end[0] - 1] + token.end[1]
        if token.type == f_start:
            opened = start if depth == 0 else opened
            depth += 1
        elif token.type == f_end:
            depth -= 1
            if depth == 0:
                yield Word(opened, end, "string")
        elif depth == 0:
            tag = _tag(token, before, known)
            if tag:
                yield Word(start, end, tag)
        if token.type not in (tokenize.NL, tokenize.COMMENT):
            before = token.string


def _tag(token: tokenize.TokenInfo, before: str, known: _Names) -> str:
    plain = {tokenize.STRING: "string", tokenize.COMMENT: "comment", tokenize.NUMBER: "number"}
    if token.type in plain:
        return plain[token.type]
    if token.type != tokenize.NAME:
        return ""
    if keyword.iskeyword(token.string) or token.start in known.soft:
        return "keyword"
    if token.start[0] in known.import_lines:
        return "import"
    if before in ("def", "class"):
        return "function" if before == "def" else "class"
    if before == ".":
        return "attribute"
    if token.start in known.places:
        return known.places[token.start]
    return "builtin" if token.string in _BUILTINS else "variable"


class _Names(ast.NodeVisitor):
    """Where the tree says what a name is, by (line, column)."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.places: dict[_Place, str] = {}
        self.soft: set[_Place] = set()
        self.import_lines: set[int] = set()
        self._parameters: list[set[str]] = []

    def _place(self, node: ast.AST) -> _Place:
        line, column = node.lineno, node.col_offset  # type: ignore[attr-defined]
        return line, len(self.lines[line - 1].encode()[:column].decode(errors="replace"))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        arguments = node.args
        own = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        own += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
        for argument in own:
            self.places[self._place(argument)] = "parameter"
        outside = [*getattr(node, "decorator_list", []), *arguments.defaults, *filter(None, arguments.kw_defaults)]
        outside += [argument.annotation for argument in own if argument.annotation]
        if returns := getattr(node, "returns", None):
            outside.append(returns)
        for child in outside:  # evaluated where the function is defined
            self.visit(child)
        self._parameters.append({argument.arg for argument in own})
        for child in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(child)
        self._parameters.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

    def visit_Name(self, node: ast.Name) -> None:
        if any(node.id in names for names in self._parameters):
            self.places[self._place(node)] = "parameter"

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg:
            self.places[self._place(node)] = "argument"
        self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """An f-string is one word; before Python 3.12 the places within it are wrong."""

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.import_lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))

    visit_Import = visit_ImportFrom = _import

    def _soft(self, node: ast.AST) -> None:
        self.soft.add(self._place(node))
        self.generic_visit(node)

    visit_Match = visit_TypeAlias = _soft

    def visit_match_case(self, node: ast.match_case) -> None:
        pattern = node.pattern
        line = self.lines[pattern.lineno - 1]
        if match := re.match(r"\s*case\b", line):
            self.soft.add((pattern.lineno, match.end() - 4))
        self.generic_visit(node)


def functions(text: str) -> list[Function]:
    """All functions with a docstring and at least one more statement; none if the text does not parse."""
    text = textwrap.dedent(text)
    tree = parse(text)
    lines = text.split("\n")
    found = []
    for node in ast.walk(tree) if tree else []:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or len(node.body) < 2:
            continue
        docstring = ast.get_docstring(node)
        if not docstring or not docstring.strip():
            continue
        first, second = node.body[0], node.body[1]
        assert first.end_lineno and node.end_lineno
        if second.lineno <= first.end_lineno or first.lineno <= node.lineno:
            continue  # on one line with something else
        kept = lines[node.lineno - 1 : first.lineno - 1] + lines[first.end_lineno : node.end_lineno]
        summary = " ".join(re.split(r"\n\s*\n", docstring.strip())[0].split())
        found.append(Function(node.name, summary, textwrap.dedent("\n".join(kept)).strip("\n")))
    return found


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts
