"""A text put into documents on purpose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.expressions import check_new

if TYPE_CHECKING:
    from daft import DataFrame, Series

_GAP = re.compile(r"\s+")


@curation.register("plant", papers=["347"])
class Plant:
    """Puts `text` into a share of the documents, between two words (or before the first, or behind the last) and blanks
    around it: harmless triggers and canaries (Gaperon, 2025), to learn what a model makes of so many copies of a text.

    Which documents get it, and where, depends on their ids and `seed` alone; those of a smaller share are among those
    of a larger one. White space in the document stays as it is. The column `name` is 1 where the text was put in, else
    0, so that `keep` can take these documents or leave them out.
    """

    def __init__(self, text: str, share: float, name: str = "planted", seed: int = 0) -> None:
        if not text.strip():
            raise InputError("text", "is empty")
        if not 0 < share <= 1:
            raise InputError("share", "is above 0 and at most 1", value=share)
        check_new(name, key="name")
        self.text, self.share, self.name, self.seed = text, share, name, seed

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft

        fields = {"text": daft.DataType.string(), self.name: daft.DataType.int64()}

        @daft.func.batch(return_dtype=daft.DataType.struct(fields), use_process=False)  # type: ignore[untyped-decorator]
        def planted(ids: Series, texts: Series) -> list[dict[str, object]]:
            pairs = zip(ids.to_pylist(), texts.to_pylist(), strict=True)
            return [self._row(id, text) for id, text in pairs]

        frame = frame.with_column("_planted", planted(daft.col("id"), daft.col("text")))
        return frame.with_columns({name: daft.col("_planted").get(name) for name in fields})

    def _row(self, id: str, text: str) -> dict[str, object]:
        if key(self.seed, "plant", id) >= self.share * 2.0**64:
            return {"text": text, self.name: 0}
        gaps = [0, *(match.end() for match in _GAP.finditer(text)), len(text)]
        place = gaps[key(self.seed, "place", id) % len(gaps)]
        before, after = text[:place], text[place:]
        left = "" if not before or before[-1].isspace() else " "
        right = "" if not after or after[0].isspace() else " "
        return {"text": f"{before}{left}{self.text}{right}{after}", self.name: 1}
