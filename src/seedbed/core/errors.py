"""Errors that a user can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class InputError(ValueError):
    """Something that the user gave is wrong: one message with the key, the value, what is allowed and the fix.

    The command line prints it without a traceback and ends with exit code 2.
    """

    def __init__(
        self,
        key: str,
        problem: str,
        *,
        value: object = None,
        allowed: Iterable[str] | str | None = None,
        fix: str | None = None,
    ) -> None:
        self.key, self.problem, self.value, self.fix = key, problem, value, fix
        self.allowed = allowed if allowed is None or isinstance(allowed, str) else ", ".join(map(str, allowed))
        super().__init__(self.message())

    def message(self) -> str:
        lines = [f"{self.key}: {self.problem}" if self.key else self.problem]
        if self.value is not None:
            lines.append(f"  value:   {_shorten(repr(self.value))}")
        if self.allowed:
            lines.append(f"  allowed: {self.allowed}")
        if self.fix:
            lines.append(f"  fix:     {self.fix}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross from process to process."""
        return _restored, (type(self), self.key, self.problem, self.value, self.allowed, self.fix)

    def at(self, prefix: str) -> InputError:
        """The same error, its key placed below `prefix`."""
        key = f"{prefix}.{self.key}" if self.key and prefix else prefix or self.key
        return type(self)(key, self.problem, value=self.value, allowed=self.allowed, fix=self.fix)


class PlacedError(InputError):
    """An error whose key is whole: it is not placed below the key of whatever was being read when it was met."""

    def at(self, prefix: str) -> InputError:
        del prefix
        return self

    @classmethod
    def of(cls, error: InputError) -> PlacedError:
        return cls(error.key, error.problem, value=error.value, allowed=error.allowed, fix=error.fix)


def _restored(kind: type[InputError], key: str, problem: str, value: Any, allowed: Any, fix: Any) -> InputError:
    return kind(key, problem, value=value, allowed=allowed, fix=fix)


class StorageError(InputError):
    """The file system refused: full disk, read-only folder, missing permission."""


class BusyError(InputError):
    """Another process works on the same artifact."""


def unknown_key(key: str, given: str, known: Iterable[str], what: str = "key") -> InputError:
    """The error for a name that does not exist, with the nearest one that does."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    fix = f"did you mean '{near[0]}'?" if near else None
    return InputError(key, f"unknown {what} '{given}'", allowed=names or "nothing", fix=fix)


def missing_extra(package: str, extra: str, purpose: str) -> InputError:
    """The error for an optional dependency that is not installed."""
    return InputError(package, f"{purpose} needs the package '{package}'", fix=f"pip install 'seedbed[{extra}]'")


def _shorten(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
