"""Parameters that take an artifact or files of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import PlainValidator

from seedbed.core.artifact import MANIFEST, Artifact, Reference, kind_of_name
from seedbed.core.errors import InputError, PlacedError
from seedbed.core.files import read_json
from seedbed.core.source import Source


def artifact_or_files(*kinds: type[Artifact]) -> PlainValidator:
    """In a signature, `Annotated[Corpus | Source, artifact_or_files(Corpus)]`: a step's name, or a folder with a
    manifest, is an artifact of one of the kinds; anything else, files of the user's.

    Not pydantic's own union, in which a path that happens to be called like a step would win, and of whose errors
    one would say only half.
    """
    by_name = {kind.kind: kind for kind in kinds}
    wanted = " or a ".join(by_name)

    def parse(value: Any) -> Any:
        if isinstance(value, Source | Reference) or getattr(value, "is_reference", False):
            return value
        if not isinstance(value, Artifact | str | Path):
            raise InputError("", f"expected a {wanted}: an earlier step's name, or a path", value=value)
        kind = value.kind if isinstance(value, Artifact) else _kind(str(value))
        if kind is None:
            return Source.parse(value)
        if kind not in by_name:
            raise InputError("", f"is a {kind}, but a {wanted} is wanted", value=str(value))
        return by_name[kind]._parse(value)

    def _kind(name: str) -> str | None:
        """Of an artifact; None: of files."""
        lookup = kind_of_name.get(None)
        try:
            kind = lookup(name) if lookup else None
        except PlacedError:  # of the step that has this name
            raise
        except InputError as error:
            if Source(name).listed:
                return None
            problem = f"{error.problem}, and no file has this path"
            raise InputError("", problem, value=name, allowed=error.allowed, fix=error.fix) from None
        manifest = Path(name) / MANIFEST
        return read_json(manifest).get("kind", kinds[0].kind) if kind is None and manifest.is_file() else kind

    return PlainValidator(parse)
