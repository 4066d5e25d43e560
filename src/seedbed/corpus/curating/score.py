"""Columns from a trained scorer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from seedbed.corpus import curation
from seedbed.corpus.expressions import check_new
from seedbed.corpus.scoring import Scorer

if TYPE_CHECKING:
    from daft import DataFrame, Series


@curation.register("score")
class Score:
    """Adds what a scorer (the step `train_scorer`) says of every text; drops nothing: `keep` and `best` decide.

    The scorer's column `score` is called `name` in the corpus, any other one `name_` and its own name. A text that it
    cannot score gets a null.
    """

    def __init__(self, by: Scorer, name: str = "quality") -> None:
        check_new(name, key="name")
        self.by, self.name = by, name

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft

        scoring = self.by.load()
        types = {float: daft.DataType.float64(), str: daft.DataType.string()}
        fields = {self._column(name): types[kind] for name, kind in scoring.columns.items()}

        @daft.func.batch(return_dtype=daft.DataType.struct(fields), use_process=False)  # type: ignore[untyped-decorator]
        def scores(texts: Series) -> list[dict[str, object]]:
            found = scoring.score(texts.to_pylist())
            columns = {self._column(name): _nullable(found[name]) for name in scoring.columns}
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

        frame = frame.with_column("_scores", scores(daft.col("text")))
        return frame.with_columns({name: daft.col("_scores").get(name) for name in fields})

    def _column(self, name: str) -> str:
        return self.name if name == "score" else f"{self.name}_{name}"


def _nullable(values: object) -> list[object]:
    if isinstance(values, np.ndarray):
        return [None if math.isnan(value) else value for value in values.astype(float).tolist()]
    assert isinstance(values, list | tuple)
    return list(values)
