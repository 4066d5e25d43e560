"""Labels: records for tasks, made by a step or lying in files of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic_core import core_schema

from seedbed.core.artifact import Artifact, kind_of_name
from seedbed.core.errors import InputError
from seedbed.core.source import Source

PARTS = ("train", "validation", "test")


class Labels(Artifact):
    """train.jsonl, test.jsonl and, if the corpus has the split, validation.jsonl; the columns are the task's."""

    kind = "labels"


class _LabelsOrSource:
    """A step's name or an artifact is Labels, everything else a path of the user's.

    Not pydantic's own union, in which a path that happens to be called like a step would win, and of whose errors
    one would say only half.
    """

    def parse(self, value: Any) -> Any:
        if not isinstance(value, str | Path):
            return Labels._parse(value)
        lookup = kind_of_name.get(None)
        try:
            kind = lookup(str(value)) if lookup else None
        except InputError as error:
            if Source(value).files:
                return Source.parse(value)
            problem = f"{error.problem}, and no file has this path"
            raise InputError("", problem, value=str(value), allowed=error.allowed, fix=error.fix) from None
        return Source.parse(value) if kind is None else Labels._parse(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)


LabeledData = Annotated[Source | Labels, _LabelsOrSource()]
