"""Methods from outside of the package: files of the user's, and what installed packages bring along.

A file is named by a recipe (`methods: [own.py]`) or by the environment (`SEEDBED_METHODS`, parted as `PATH` is). A
package names its modules under the entry point group `seedbed`. Both register what they have as the package's own
modules do. A file's hash, or the package's version, goes into the fingerprints of all that its methods make.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from .errors import InputError
from .files import hash_file
from .registry import registered_by

METHODS = "SEEDBED_METHODS"
_GROUP = "seedbed"
_installed = False
_files: dict[Path, str] = {}  # loaded ones, each with the hash of what it held


def load_methods(files: Iterable[str | Path]) -> None:
    """Import files, each once; processes that this one starts will know them too. Raises InputError for a file that
    cannot be imported, or that was imported before and has changed."""
    for file in files:
        path = Path(file).resolve()
        if not path.is_file():
            raise InputError("methods", "there is no such file", value=str(file))
        held = hash_file(path)
        if _files.setdefault(path, held) != held:
            raise InputError("methods", "has changed since it was imported", value=str(file), fix="a new process")
        if f"seedbed_methods_{held}" in sys.modules:
            continue
        try:
            _import(path, held)
        except BaseException:
            del _files[path]
            raise
        os.environ[METHODS] = os.pathsep.join(dict.fromkeys([*_named(), str(path)]))


def load_installed() -> None:
    """Import what the environment names, and what installed packages bring along: once, for all registries, also those
    that are first asked for meanwhile."""
    global _installed
    if _installed:
        return
    _installed = True
    try:
        _load_installed()
    except BaseException:
        _installed = False
        raise


def _load_installed() -> None:
    load_methods(_named())
    for point in importlib.metadata.entry_points(group=_GROUP):
        of = point.dist
        with registered_by(f"{of.name} {of.version}" if of else point.value):
            point.load()


def _named() -> list[str]:
    return [name for name in os.environ.get(METHODS, "").split(os.pathsep) if name]


def _import(path: Path, held: str) -> None:
    name = f"seedbed_methods_{held}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise InputError("methods", "is no Python file", value=str(path))
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # before it runs: dataclasses look themselves up
    try:
        with registered_by(held):
            found.loader.exec_module(module)
    except InputError as error:
        del sys.modules[name]
        raise error.at(str(path)) from None
    except Exception as error:
        del sys.modules[name]
        raise InputError("methods", f"cannot be imported: {type(error).__name__}: {error}", value=str(path)) from error
