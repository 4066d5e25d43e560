"""The same text in the same bytes."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Literal

from seedbed.core.errors import InputError
from seedbed.corpus import curation

if TYPE_CHECKING:
    from daft import DataFrame, Series

# Control characters but tab and newline, the byte-order mark, and what has no width and joins nothing.
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u2060\ufeff\ufffe\uffff]")
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile(r"[^\S\n]+")


@curation.register("normalize")
class Normalize:
    """Unicode normal form, one kind of line end, no invisible characters, no stray white space.

    Line ends become `\\n`; control and zero-width characters go (not the joiners that scripts and emoji need),
    as does white space at line ends and around the document; more than `blank_lines` blank lines in a row become
    that many. Indentation stays, so that code does, unless `collapse_spaces` makes every run of blanks one space.
    A document that is left without text is dropped.
    """

    def __init__(
        self,
        form: Literal["NFC", "NFKC", "none"] = "NFC",
        blank_lines: int = 2,
        collapse_spaces: bool = False,
    ) -> None:
        if blank_lines < 0:
            raise InputError("blank_lines", "must not be negative", value=blank_lines)
        self.form, self.collapse_spaces = form, collapse_spaces
        self._most = "\n" * (blank_lines + 1)
        self._more = re.compile(f"\n{{{blank_lines + 2},}}")

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft, functions

        @daft.func.batch(return_dtype=daft.DataType.string(), use_process=False)  # type: ignore[untyped-decorator]
        def clean(texts: Series) -> list[str]:
            return [self.clean(text) for text in texts.to_pylist()]

        text = clean(daft.col("text"))
        reason = functions.when(daft.col("text") == "", daft.lit("no text")).otherwise(daft.lit(None))
        return frame.with_column("text", text).with_column("reason", reason.cast(daft.DataType.string()))

    def clean(self, text: str) -> str:
        """One document's text; cleaning it again changes nothing."""
        text = _INVISIBLE.sub("", _LINE_END.sub("\n", text))
        if self.form != "none":
            text = unicodedata.normalize(self.form, text)
        if self.collapse_spaces:
            text = _SPACES.sub(" ", text)
        text = "\n".join([line.rstrip() for line in text.split("\n")])
        text = self._more.sub(self._most, text)
        return text.strip("\n")
