"""Expressions over columns, as in `keep`: parsed by `ast`, translated to Daft; nothing is ever evaluated by Python."""

from __future__ import annotations

import ast
import functools
import operator
import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError, unknown_key
from seedbed.corpus.documents import COLUMNS

if TYPE_CHECKING:
    from daft import DataFrame, Expression

DERIVED = ("words", "chars", "bytes", "lines")
FUNCTIONS = ("startswith", "endswith", "matches", "lower")
_KEY = "expression"

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def parse(expression: str) -> ast.expr:
    """The syntax tree; raises InputError if it is no expression, or holds what none may."""
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise InputError(_KEY, f"is no expression: {getattr(error, 'msg', error)}", value=expression) from None
    for node in ast.walk(tree):
        _check(node, expression)
    return tree


def _check(node: ast.AST, expression: str) -> None:
    """That a node is one of those that `_Translator` knows."""
    if isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float | bool):
        raise _refused(node, expression)
    if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and not node.keywords):
        raise _refused(node, expression)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id not in FUNCTIONS:
            raise unknown_key(_KEY, node.func.id, FUNCTIONS, "function")
        wanted = 1 if node.func.id == "lower" else 2
        if len(node.args) != wanted:
            raise InputError(_KEY, f"{node.func.id} takes {wanted} arguments", value=expression)
        if wanted == 2 and _literal(node.args[1]) is None:
            raise InputError(_KEY, f"the second argument of {node.func.id} is a quoted text", value=expression)
    known = (ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.BinOp, ast.Name, ast.Load)
    also = (ast.Constant, ast.Call, ast.List, ast.Tuple, ast.In, ast.NotIn, *_COMPARE, *_ARITHMETIC)
    if not isinstance(node, (*known, *also)):
        raise _refused(node, expression)
    if isinstance(node, ast.Compare):
        for op, right in zip(node.ops, node.comparators, strict=True):
            _check_comparison(op, right, expression)


def _check_comparison(op: ast.cmpop, right: ast.expr, expression: str) -> None:
    is_membership = isinstance(op, ast.In | ast.NotIn)
    if isinstance(right, ast.List | ast.Tuple):
        if not is_membership or not all(map(_is_plain, right.elts)):
            raise InputError(_KEY, "a list stands only after `in`, and holds plain values", value=expression)
    elif is_membership and not isinstance(right, ast.Name | ast.Call):
        raise InputError(_KEY, "`in` wants a list, or a column with text", value=expression)


def _is_plain(node: ast.expr) -> bool:
    """A value, or a negative number."""
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def translate(tree: ast.expr, frame: DataFrame, expression: str) -> tuple[Expression, dict[str, Expression]]:
    """The Daft expression, and the columns that it uses but for the text itself.

    Raises InputError for a column that the frame lacks, and where the types do not fit.
    """
    translator = _Translator(frame.column_names)
    condition = translator.of(tree)
    try:
        kind = frame.select(condition.alias("condition")).schema()["condition"].dtype
    except Exception as error:  # Daft's own classes are not public
        raise InputError(_KEY, f"the types do not fit: {_brief(error)}", value=expression) from None
    if not kind.is_boolean():
        raise InputError(_KEY, "is neither true nor false", value=expression, fix="compare it, e.g. `words > 20`")
    return condition, translator.used


def check_new(name: str, *, key: str, allowed: Collection[str] = ()) -> None:
    """InputError for `key` if a new column cannot have this name: it is none, or means something already."""
    taken = {*COLUMNS, "step", "reason", "edits", *DERIVED} - {*allowed}
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in taken:
        problem = "is no name for a new column: small letters, digits and _, and none of " + ", ".join(sorted(taken))
        raise InputError(key, problem, value=name)


def column(name: str, frame: DataFrame, *, key: str) -> Expression:
    """A column of the frame, or one of DERIVED, under its name; InputError for `key` if there is none."""
    try:
        found: Expression = _Translator(frame.column_names).of(ast.Name(name))
    except InputError as error:
        raise InputError(key, error.problem, allowed=error.allowed, fix=error.fix) from None
    return found.alias(name)


class _Translator:
    def __init__(self, columns: list[str]) -> None:
        self.columns = columns
        self.used: dict[str, Expression] = {}

    def of(self, node: ast.AST) -> Any:
        from .engine import daft, functions

        if isinstance(node, ast.BoolOp):
            combine = operator.and_ if isinstance(node.op, ast.And) else operator.or_
            return functools.reduce(combine, map(self.of, node.values))
        if isinstance(node, ast.UnaryOp):
            if isinstance(node.op, ast.Not):
                return ~self.of(node.operand)
            value = getattr(node.operand, "value", None)
            return daft.lit(-value) if isinstance(value, int | float) else 0 - self.of(node.operand)
        if isinstance(node, ast.BinOp):
            right = self.of(node.right)
            if isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod):  # Daft stops at whole numbers by zero
                right = functions.when(right == 0, daft.lit(None)).otherwise(right)
            return _ARITHMETIC[type(node.op)](self.of(node.left), right)
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            parts = [self._compared(a, op, b) for a, op, b in zip(sides, node.ops, sides[1:], strict=False)]
            return functools.reduce(operator.and_, parts)
        if isinstance(node, ast.Name):
            return self._column(node.id)
        if isinstance(node, ast.Call):
            return self._called(node)
        assert isinstance(node, ast.Constant), ast.dump(node)
        return daft.lit(node.value)

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
        if not isinstance(op, ast.In | ast.NotIn):
            return _COMPARE[type(op)](self.of(left), self.of(right))
        if isinstance(right, ast.List | ast.Tuple) and any(not _is_text(item) for item in right.elts):
            # one by one: Daft's own wants one type of number, and fails on what is computed
            inside = functools.reduce(operator.or_, [self.of(left) == self.of(item) for item in right.elts])
        elif isinstance(right, ast.List | ast.Tuple):
            inside = self.of(left).is_in([self.of(item) for item in right.elts])
        else:
            from .engine import functions

            inside = functions.contains(self.of(right), self.of(left))
        return ~inside if isinstance(op, ast.NotIn) else inside

    def _called(self, node: ast.Call) -> Any:
        from .engine import functions

        assert isinstance(node.func, ast.Name)
        column = self.of(node.args[0])
        if node.func.id == "lower":
            return functions.lower(column)
        pattern = _literal(node.args[1])
        assert pattern is not None
        if node.func.id == "matches":
            _check_pattern(pattern)
            return functions.regexp(column, pattern)
        return getattr(functions, node.func.id)(column, pattern)

    def _column(self, name: str) -> Expression:
        from .engine import daft, functions

        text = daft.col("text")
        if name in self.columns:
            column = daft.col(name)
        elif name == "words":
            column = functions.regexp_count(text, r"\S+")
        elif name == "chars":
            column = functions.length(text)
        elif name == "bytes":
            column = functions.length_bytes(text)
        elif name == "lines":
            # An end of line at the very end begins no line.
            column = functions.regexp_count(text, "\n") + functions.regexp_count(text, r"[^\n]\z")
        else:
            raise unknown_key(_KEY, name, [*self.columns, *DERIVED], "column")
        if name in DERIVED:
            column = column.cast(daft.DataType.int64())  # unsigned, `words - 20` would wrap around
        if name != "text":
            self.used[name] = column
        return column


def _check_pattern(pattern: str) -> None:
    """By the engine itself, whose regular expressions have neither lookahead nor references."""
    from .engine import daft, functions

    try:
        daft.from_pydict({"text": [""]}).select(functions.regexp(daft.col("text"), pattern)).collect()
    except Exception as error:  # Daft's own classes are not public
        raise InputError(_KEY, f"is no regular expression: {_brief(error)}", value=pattern) from None


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _refused(node: ast.AST, expression: str) -> InputError:
    return InputError(
        _KEY,
        f"{type(node).__name__} has no place in it",
        value=expression,
        allowed="comparisons, and, or, not, in, + - * / // %, columns, texts, numbers, " + ", ".join(FUNCTIONS),
    )


def _brief(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:200]
