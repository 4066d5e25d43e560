"""An artifact is a folder in the field's own format, and a manifest that was written last.

A folder of the store without a whole manifest does not exist. A folder from elsewhere (a Hugging Face model or
tokenizer) can stand where an artifact is wanted, if its kind knows how to read it; its fingerprint is the hash of
its contents.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic_core import core_schema

from .errors import InputError, unknown_key
from .files import hash_file, list_files, read_json
from .fingerprint import folder_digest

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Reference:
    """An artifact named in a recipe: a step's name or a path, and once it is known, a fingerprint."""

    kind: str
    target: str
    fingerprint: str = ""
    is_reference: ClassVar[bool] = True

    def canonical(self) -> str:
        return f"artifact:{self.fingerprint or self.target}"

    def known(self, fingerprint: str) -> Reference:
        return replace(self, fingerprint=fingerprint)


# In a plan: from a name to the kind of artifact behind it; None for a name that means nothing.
kind_of_name: ContextVar[Callable[[str], str | None]] = ContextVar("kind_of_name")


class Artifact:
    """Base of the kinds. A subclass gives `kind`, readers of its own, and says which foreign folders it accepts."""

    kind: ClassVar[str] = ""
    kinds: ClassVar[dict[str, type[Artifact]]] = {}

    def __init_subclass__(cls) -> None:
        if cls.kind:
            Artifact.kinds[cls.kind] = cls

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a folder; raises InputError if it is not a whole artifact of this kind."""
        folder = Path(path)
        if not folder.is_dir():
            raise InputError(str(path), f"there is no such folder (a {cls.kind} is wanted)")
        artifact = cls(folder)
        if artifact.manifest is None:
            problem = cls.foreign_problem(folder)
            if problem:
                raise InputError(str(path), problem, fix="name a step, or a folder that a finished step has made")
        elif cls.kind and artifact.manifest["kind"] != cls.kind:
            raise InputError(str(path), f"is a {artifact.manifest['kind']}, but a {cls.kind} is wanted")
        return artifact

    @classmethod
    def foreign_problem(cls, folder: Path) -> str | None:
        """Why a folder without a manifest cannot be used; None if it can."""
        return f"is not a whole {cls.kind}: it has no {MANIFEST}"

    @cached_property
    def manifest(self) -> dict[str, Any] | None:
        """The manifest; None for a foreign folder. A broken one is an error."""
        path = self.path / MANIFEST
        if not path.is_file():
            return None
        try:
            manifest = read_json(path)
            manifest["kind"], manifest["fingerprint"], manifest["files"]
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            raise InputError(
                str(path), "is not a whole manifest", fix="remove the folder; the step runs again"
            ) from None
        if not isinstance(manifest.get("format"), int) or manifest["format"] > FORMAT:
            raise InputError(str(path), "was written by a newer version", fix="pip install -U seedbed")
        return dict(manifest)

    @cached_property
    def fingerprint(self) -> str:
        return str(self.manifest["fingerprint"]) if self.manifest else folder_digest(self.path)

    @property
    def counts(self) -> dict[str, Any]:
        return dict((self.manifest or {}).get("counts", {}))

    @property
    def known(self) -> dict[str, Any]:
        """What plans build on: the counts, and what a kind can tell besides."""
        return self.counts

    def inputs(self) -> list[Artifact]:
        """The artifacts that this one was made from, as far as they are still there."""
        found = []
        for row in (self.manifest or {}).get("inputs", {}).values():
            folder = self.path.resolve() / row["path"]
            if folder.is_dir() and row["kind"] in Artifact.kinds:
                found.append(Artifact.kinds[row["kind"]].open(folder))
        return found

    def ancestors(self, *ends: type[Artifact]) -> list[Artifact]:
        """All that this one was made from, nearest first, each once; but not what those of the kinds `ends` were made
        from."""
        found: list[Artifact] = []
        waiting = self.inputs()
        while waiting:
            artifact = waiting.pop(0)
            if artifact not in found:
                found.append(artifact)
                waiting.extend([] if isinstance(artifact, ends) else artifact.inputs())
        return found

    def problems(self, contents: bool = False) -> list[str]:
        """What differs from the manifest: missing files, sizes, and with `contents` hashes."""
        found = []
        for name, facts in (self.manifest or {}).get("files", {}).items():
            path = self.path / name
            if not path.is_file():
                found.append(f"{name} is missing")
            elif path.stat().st_size != facts["size"]:
                found.append(f"{name} has {path.stat().st_size} bytes, not {facts['size']}")
            elif contents and hash_file(path) != facts["xxh3"]:
                found.append(f"{name} has other contents than when it was written")
        return found

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(source._parse)

    @classmethod
    def _parse(cls, value: Any) -> Any:
        """A reference, from a step's name, a path, or an artifact in hand."""
        if isinstance(value, Artifact):
            if not isinstance(value, cls):
                raise InputError("", f"a {value.kind} stands where a {cls.kind} is wanted", value=str(value.path))
            return Reference(cls.kind, str(value.path.resolve()))
        if isinstance(value, Reference) or getattr(value, "is_reference", False):
            return value
        if not isinstance(value, str | Path):
            raise InputError("", f"expected a {cls.kind}: an earlier step's name, or a path", value=value)
        lookup = kind_of_name.get(None)
        kind = lookup(str(value)) if lookup else cls.kind
        if kind is None:
            cls.open(value)  # a foreign folder, or the error that says what is wrong with the path
        elif kind != cls.kind:
            raise InputError("", f"is a {kind}, but a {cls.kind} is wanted", value=str(value))
        return Reference(cls.kind, str(value))

    def __fspath__(self) -> str:
        return str(self.path)

    def __hash__(self) -> int:
        return hash(self.path.resolve())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Artifact) and self.path.resolve() == other.path.resolve()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


def open_any(path: Path | str) -> Artifact:
    """Open an artifact of the store as what its manifest says."""
    manifest = Artifact.open(path).manifest or {}
    kind = manifest.get("kind", "")
    if kind not in Artifact.kinds:
        raise unknown_key(str(path), kind, Artifact.kinds, "kind of artifact")
    return Artifact.kinds[kind].open(path)


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Sizes and hashes of all files below a folder, for the manifest."""
    return {
        str(path.relative_to(folder)): {"size": path.stat().st_size, "xxh3": hash_file(path)}
        for path in list_files(folder)
        if path.name != MANIFEST
    }
