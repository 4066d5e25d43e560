"""One sentence a line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.segmentation.artifact import Segmenter

if TYPE_CHECKING:
    from daft import DataFrame, Series

    from seedbed.segmentation.artifact import Splitter

_BREAK = re.compile(r"\s*\n\s*")
_PARAGRAPHS = re.compile(r"(\n[^\S\n]*\n\s*)")


@curation.register("sentences", papers=["385"])
class Sentences:
    """Puts every sentence on a line of its own, as a trained segmenter says (`train_segmenter`), so that steps for
    lines become steps for sentences. Only white space changes, and no document is dropped.

    `wrapped`: lines end in the middle of sentences, as in text that was set at a fixed width: only blank lines part
    paragraphs, and other line ends become spaces before sentences are looked for. Without it every line end that is
    there stays one. `threshold`: the probability from which a sentence ends, by default the segmenter's own.
    """

    def __init__(self, by: Segmenter, wrapped: bool = False, threshold: float | None = None) -> None:
        if threshold is not None and not 0 < threshold < 1:
            raise InputError("threshold", "must lie between 0 and 1", value=threshold)
        self.by, self.wrapped, self.threshold = by, wrapped, threshold

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft

        splitter = self.by.load()

        @daft.func.batch(return_dtype=daft.DataType.string(), use_process=False)  # type: ignore[untyped-decorator]
        def split(texts: Series) -> list[str]:
            return [self.split(text, splitter) for text in texts.to_pylist()]

        return frame.with_column("text", split(daft.col("text")))

    def split(self, text: str, splitter: Splitter) -> str:
        """One document's text."""
        if not self.wrapped:
            return "\n".join("\n".join(splitter.split(line, self.threshold)) for line in text.split("\n"))
        parts = _PARAGRAPHS.split(text)
        parts[::2] = ["\n".join(splitter.split(_BREAK.sub(" ", part), self.threshold)) for part in parts[::2]]
        return "".join(parts)
