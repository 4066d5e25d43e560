"""A filter by an expression over the columns."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from seedbed.corpus import curation
from seedbed.corpus.expressions import parse, translate

if TYPE_CHECKING:
    from daft import DataFrame


@curation.register("keep")
class Keep:
    """Keeps the documents for which an expression is true, such as `words > 20 and domain != 'x'`.

    It knows the columns of the corpus, the scores of earlier steps, and `words` (parted by white space), `chars`,
    `bytes` and `lines` of the text; comparisons (also chained), `and`, `or`, `not`, `in` (a list, or a string in a
    column), arithmetic, and the functions `startswith(column, 'x')`, `endswith`, `matches(column, 'regex')`,
    `lower(column)`. A null, such as a missing score or a division by zero, is not true. The reason for dropping names
    the values.
    """

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self._tree: ast.expr = parse(expression)

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft, functions

        condition, used = translate(self._tree, frame, self.expression)
        pieces = [daft.lit(f"not: {self.expression}")]
        for name, column in used.items():
            pieces += [daft.lit(f"; {name}: "), functions.left(column.cast(daft.DataType.string()), 80)]
        reason = pieces[0]
        for piece in pieces[1:]:
            reason = reason + piece.fill_null("null")
        return frame.with_column("reason", functions.when(condition.fill_null(False), daft.lit(None)).otherwise(reason))
