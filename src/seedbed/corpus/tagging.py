"""What curation steps share: reasons by id, and the plain form in which texts are compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daft import DataFrame, Expression

_SHOWN = 200  # characters of one edit
_MOST_EDITS = 100  # of one document


def with_reasons(frame: DataFrame, ids: Sequence[str], reasons: Sequence[str]) -> DataFrame:
    """The frame with the column `reason`: the given one for the given ids, null for all others."""
    import pyarrow as pa

    from .engine import daft

    if not ids:
        return frame.with_column("reason", daft.lit(None).cast(daft.DataType.string()))
    table = pa.table({"id": pa.array(ids, pa.string()), "reason": pa.array(reasons, pa.string())})
    return frame.join(daft.from_arrow(table), on="id", how="left")


def edits_json(edits: Sequence[tuple[str, str]]) -> str | None:
    """The column `edits` of one document: pairs of why, and the text that went (the start of a long one)."""
    if not edits:
        return None
    return json.dumps([[why, text[:_SHOWN]] for why, text in edits[:_MOST_EDITS]], ensure_ascii=False)


def plain(text: Expression) -> Expression:
    """Lower case, no ASCII punctuation, words parted by single spaces: how texts are compared."""
    from .engine import functions

    return functions.normalize(text, remove_punct=True, lowercase=True, white_space=True)
