"""The language of each document."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.scoring import Scorer

if TYPE_CHECKING:
    from daft import DataFrame, Series

    from seedbed.corpus.learned.language_table import Table

SHIPPED = Path(__file__).parents[1] / "rating" / "language.bin"


@curation.register("language", papers=["031", "326"], version=2)
class Language:
    """Adds the columns `language` and `language_score`, its probability; with `keep` drops documents in others.

    The model that comes with the package knows 364 languages by their ISO 639-3 codes (docs/languages.md), such as
    `eng`, `deu`, `cmn`; `by` takes one of your own (`train_scorer: {method: {language: ...}}`). `languages` are those
    that may come up at all: the fewer, the fewer mistakes, since near ones (Zulu and Xhosa, Turkish and Gagauz) are
    hard to tell in short texts. The first `characters` are read. A text with fewer than `min_letters` letters has no
    language: null; with `keep` such a text is dropped too, as is one with a lower probability than `min_score`.
    """

    def __init__(
        self,
        by: Scorer | None = None,
        keep: list[str] = [],  # noqa: B006
        languages: list[str] = [],  # noqa: B006
        min_score: float = 0.0,
        characters: int = 500,
        min_letters: int = 10,
    ) -> None:
        if min_score > 0 and not keep:
            raise InputError("min_score", "stands only beside keep", value=min_score, fix="use the step `keep`")
        self.by, self.keep, self.languages = by, keep, languages
        self.min_score, self.characters, self.min_letters = min_score, characters, min_letters

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        import pyarrow as pa

        from seedbed.corpus.engine import daft, functions

        table = self.table()
        table.check([*self.keep, *self.languages])
        string = daft.DataType.string()
        fields = {"language": string, "language_score": daft.DataType.float64()}

        @daft.func.batch(return_dtype=daft.DataType.struct(fields), use_process=False)  # type: ignore[untyped-decorator]
        def found(texts: Series) -> pa.StructArray:
            names, shares = table.best(
                texts.to_pylist(), most=self.characters, least_letters=self.min_letters, among=self.languages
            )
            columns = [pa.array(names, pa.large_string()), pa.array(shares, mask=np.isnan(shares))]
            return pa.StructArray.from_arrays(columns, names=list(fields))

        col = daft.col
        frame = frame.with_column("_language", found(col("text")))
        frame = frame.with_columns({name: col("_language").get(name) for name in fields})
        if not self.keep:
            return frame
        wanted = col("language").is_in(self.keep) & (col("language_score") >= self.min_score)
        score = functions.round(col("language_score"), 3).cast(string)
        reason = daft.lit("language ") + col("language").fill_null("unknown") + " " + score.fill_null("")
        return frame.with_column(
            "reason", functions.when(wanted.fill_null(False), daft.lit(None).cast(string)).otherwise(reason)
        )

    def table(self) -> Table:
        if self.by is None:
            return _shipped()
        scoring = self.by.load()
        table = getattr(scoring, "table", None)
        if table is None:
            raise InputError("by", "is no scorer of languages", value=type(scoring).__name__)
        return table  # type: ignore[no-any-return]


@functools.cache
def _shipped() -> Table:
    from seedbed.corpus.learned.language_table import Table

    return Table.load(SHIPPED)
