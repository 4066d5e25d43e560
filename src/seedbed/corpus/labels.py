"""Labels: records for tasks, made by a step or lying in files of the user's own."""

from __future__ import annotations

from typing import Annotated

from seedbed.core.artifact import Artifact
from seedbed.core.source import Source
from seedbed.corpus.given import artifact_or_files

PARTS = ("train", "validation", "test")


class Labels(Artifact):
    """train.jsonl, test.jsonl and, if the corpus has the split, validation.jsonl; the columns are the task's."""

    kind = "labels"


LabeledData = Annotated[Source | Labels, artifact_or_files(Labels)]
