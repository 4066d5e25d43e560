"""The step `train_scorer`."""

from __future__ import annotations

import json
from typing import Annotated

from seedbed.core.step import StepContext, step

from . import Trainable, scorers
from .names import method_name
from .scoring import RECORD, Scorer


@step("train_scorer", gives=Scorer)
def train_scorer(context: StepContext, *, method: Annotated[Trainable, scorers]) -> None:
    """Trains what scores documents: a quality or toxicity classifier, a language model of n-grams, a rater.

    The curation step `score` adds its scores as columns; `keep` and `best` decide by them. What it reaches on examples
    held back stands in the manifest's counts.
    """
    context.counts.update(method.fit(context.folder, context.say))
    name = method_name(scorers, method)
    columns = {
        column: "float" if kind is float else "string" for column, kind in method.load(context.folder).columns.items()
    }
    record = {"method": name, "columns": columns}
    (context.folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf8")
