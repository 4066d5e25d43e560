"""Curation that takes something out of texts: the columns `text`, `reason` and `edits` from one function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from seedbed.corpus.tagging import edits_json

if TYPE_CHECKING:
    from daft import DataFrame, Series

Row = dict[str, str | None]  # text, reason, edits
Edit = tuple[str, str]  # why, and the text that went


class Passage(NamedTuple):
    """What goes: the characters from `start` to `end`, and those up to `after`, or to the end of the text."""

    start: int
    end: int
    after: int | None
    why: str


def with_cuts(frame: DataFrame, cut: Callable[[list[str], list[str]], Iterable[Row]]) -> DataFrame:
    """The frame with what `cut` makes of ids and texts."""
    from seedbed.corpus.engine import daft

    string = daft.DataType.string()
    fields = daft.DataType.struct({"text": string, "reason": string, "edits": string})

    @daft.func.batch(return_dtype=fields, use_process=False)  # type: ignore[untyped-decorator]
    def rows(ids: Series, texts: Series) -> list[Row]:
        return list(cut(ids.to_pylist(), texts.to_pylist()))

    frame = frame.with_column("_cut", rows(daft.col("id"), daft.col("text")))
    return frame.with_columns({name: daft.col("_cut").get(name) for name in ("text", "reason", "edits")})


def row(text: str, left: str, gone: Sequence[Edit]) -> Row:
    """A document's row, from its text and what is left of it: one of which nothing is left is dropped as it was."""
    if not gone:
        return {"text": text, "reason": None, "edits": None}
    if left and not left.isspace():
        return {"text": left, "reason": None, "edits": edits_json(gone)}
    return {"text": text, "reason": f"nothing of its own: {gone[0][0]}", "edits": None}


def row_without(text: str, passages: Sequence[Passage]) -> Row:
    """A document's row, from its text and the passages that go, in their order."""
    kept, edits, place = [], [], 0
    for passage in passages:
        kept.append(text[place : passage.start])
        edits.append((passage.why, text[passage.start : passage.end]))
        place = len(text) if passage.after is None else passage.after
    left = "".join([*kept, text[place:]])
    return row(text, left.rstrip() if passages and passages[-1].after is None else left, edits)
