"""Labels: records for tasks, made by a step or lying in files of the user's own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from seedbed.core.artifact import Artifact
from seedbed.core.source import Source
from seedbed.corpus.given import artifact_or_files

PARTS = ("train", "validation", "test")


class Labels(Artifact):
    """train.jsonl, test.jsonl and, if the corpus has the split, validation.jsonl; the columns are the task's."""

    kind = "labels"


LabeledData = Annotated[Source | Labels, artifact_or_files(Labels)]


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> int:
    """Labeled records, one a line; how many they were."""
    number = 0
    with open(path, "w", encoding="utf8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            number += 1
    return number
