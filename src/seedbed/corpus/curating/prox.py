"""Documents refined by programs that a model has written for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.scoring import Scorer

if TYPE_CHECKING:
    from daft import DataFrame, Series

COLUMN = "program"


@curation.register("prox", papers=["365"])
class Prox:
    """Refines each document by its program (ProX, Zhou et al., 2024): drops it, or takes lines out and normalizes
    strings.

    `by` is what writes programs: a scorer with a column `program` (`train_scorer: {method: {prox: ...}}`). A program
    with more than `max_errors` wrong statements is ignored, and its document stays as it was; one that leaves at most
    `least` of a document's words, or at most `min_words`, drops it. These limits are the authors'; what is wrong with a
    statement, `corpus/refining/execute.py` says. What went stands in the edits, each beside its statement; the column
    `program_errors` counts wrong statements. A text that `by` writes no program for stays.
    """

    def __init__(self, by: Scorer, max_errors: int = 1, least: float = 0.05, min_words: int = 10) -> None:
        if max_errors < 0 or min_words < 0:
            name = "max_errors" if max_errors < 0 else "min_words"
            raise InputError(name, "must not be negative", value=min(max_errors, min_words))
        if not 0 <= least < 1:
            raise InputError("least", "is a share of words, at least 0 and below 1", value=least)
        self.by, self.max_errors, self.least, self.min_words = by, max_errors, least, min_words

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft
        from seedbed.corpus.refining.execute import Limits, execute
        from seedbed.corpus.refining.programs import parse
        from seedbed.corpus.tagging import edits_json

        scoring = self.by.load()
        if COLUMN not in scoring.columns:
            fix = "train_scorer: {method: {prox: ...}} makes one"
            raise InputError("by", "writes no programs", value=str(self.by.path), allowed=[*scoring.columns], fix=fix)
        limits = Limits(self.max_errors, self.least, self.min_words)
        string, number = daft.DataType.string(), daft.DataType.int64()
        fields = {"text": string, "reason": string, "edits": string, "program_errors": number}

        @daft.func.batch(return_dtype=daft.DataType.struct(fields), use_process=False)  # type: ignore[untyped-decorator]
        def refine(texts: Series) -> list[dict[str, object]]:
            given = texts.to_pylist()
            rows: list[dict[str, object]] = []
            for text, program in zip(given, scoring.score(given)[COLUMN], strict=True):
                done = execute(text, parse(program or ""), limits)
                edits = None if done.reason else edits_json(done.edits)
                rows.append({"text": done.text, "reason": done.reason, "edits": edits, "program_errors": done.errors})
            return rows

        frame = frame.with_column("_refined", refine(daft.col("text")))
        return frame.with_columns({name: daft.col("_refined").get(name) for name in fields})
