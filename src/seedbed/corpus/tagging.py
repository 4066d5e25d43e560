"""What curation steps share: reasons by id, and the plain form in which texts are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daft import DataFrame, Expression


def with_reasons(frame: DataFrame, ids: Sequence[str], reasons: Sequence[str]) -> DataFrame:
    """The frame with the column `reason`: the given one for the given ids, null for all others."""
    import pyarrow as pa

    from .engine import daft

    if not ids:
        return frame.with_column("reason", daft.lit(None).cast(daft.DataType.string()))
    table = pa.table({"id": pa.array(ids, pa.string()), "reason": pa.array(reasons, pa.string())})
    return frame.join(daft.from_arrow(table), on="id", how="left")


def plain(text: Expression) -> Expression:
    """Lower case, no ASCII punctuation, words parted by single spaces: how texts are compared."""
    from .engine import functions

    return functions.normalize(text, remove_punct=True, lowercase=True, white_space=True)
