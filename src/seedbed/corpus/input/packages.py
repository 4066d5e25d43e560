"""Python source that is on every machine: the standard library and the installed packages, with their licenses."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seedbed.core.errors import unknown_key

STDLIB = "stdlib"
_OURSELVES = "seedbed"  # it would change its own corpus with every commit
TESTS = {"test", "tests", "testing", "idle_test"}
VENDORED = {"_vendor", "_vendored", "vendor", "vendored", "third_party", "_bundled", "extern", "externals"}
_NOT_SOURCE = TESTS | VENDORED | {"__pycache__", "site-packages", "node_modules"}
_TEST_FILE = re.compile(r"(test_.*|.*_tests?|conftest)\.py")
_PROSE = (".md", ".rst", ".markdown")
_NOT_PROSE = re.compile(r"licen[sc]e|copying|notice|authors|contributors|third.?party|code.of.conduct", re.IGNORECASE)
_GENERATED = re.compile(rb"@generated|auto(matically|-)? ?generated|do not edit", re.IGNORECASE)
_GENERATED_BY = re.compile(rb"generated (by|from|with) ", re.IGNORECASE)  # in the first lines only: code says it too
_LONGEST_LINE = 1000  # bytes; longer ones stand in tables and packed data, not in what people write


@dataclass(frozen=True)
class PackageFile:
    """One file: its path as provenance (`stdlib/json/decoder.py`), where it lies, whose it is."""

    name: str
    path: Path
    package: str
    version: str
    license: str

    @property
    def is_code(self) -> bool:
        return self.path.suffix == ".py"

    def read(self) -> bytes:
        """The contents; of a package's metadata the README that was made part of it, which follows the fields."""
        content = self.path.read_bytes()
        if self.path.name in ("METADATA", "PKG-INFO"):
            content = content.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
            return b"" if content.strip() == b"UNKNOWN" else content
        return content


@functools.cache
def installed() -> dict[str, importlib.metadata.Distribution]:
    """The installed distributions by normalized name, sorted; of two with one name the first on the path."""
    found: dict[str, importlib.metadata.Distribution] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name and normalized(name) != _OURSELVES:
            found.setdefault(normalized(name), distribution)
    return dict(sorted(found.items()))


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def package_files(packages: list[str], prose: bool) -> Iterator[PackageFile]:
    """The modules of packages, and with `prose` their READMEs, .md and .rst files, sorted within each package.

    No names: the standard library and all pure-Python packages that state a license. Left out are tests, vendored
    copies, what is generated (by name), and what lies outside of the packages' own folders. Raises InputError for
    a package that is not installed.
    """
    known = installed()
    for name in packages:
        if name != STDLIB and normalized(name) not in known:
            raise unknown_key("packages", name, [STDLIB, *known], "package")
    if not packages or STDLIB in packages:
        yield from _stdlib_files()
    for name, distribution in known.items():
        if name in map(normalized, packages) or (not packages and _is_open_python(distribution)):
            yield from _distribution_files(name, distribution, prose)


def is_handwritten(content: bytes) -> bool:
    """No mark of a generator near the start, and no line that only a machine would write."""
    if _GENERATED.search(content[:2000]) or _GENERATED_BY.search(content[:150]):
        return False
    return max(map(len, content.split(b"\n"))) <= _LONGEST_LINE


def license_of(distribution: importlib.metadata.Distribution) -> str:
    """The license that a package's metadata state: the SPDX expression, the short field, or the classifier."""
    metadata = distribution.metadata
    expression = metadata["License-Expression"]
    if expression:
        return str(expression)
    stated = (metadata["License"] or "").strip()
    if stated and "\n" not in stated and len(stated) < 80:
        return stated
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    return classifiers[0].rsplit("::", 1)[1].strip() if classifiers else ""


def _is_open_python(distribution: importlib.metadata.Distribution) -> bool:
    if not license_of(distribution) or "Root-Is-Purelib: false" in (distribution.read_text("WHEEL") or ""):
        return False
    return not any(path.suffix in (".so", ".pyd", ".dylib", ".dll") for path in distribution.files or [])


def _wanted(path: PurePosixPath, prose: bool) -> bool:
    if any(part in _NOT_SOURCE or part.startswith((".", "_sysconfigdata")) for part in path.parts):
        return False
    if path.suffix == ".py":
        return not _TEST_FILE.fullmatch(path.name) and not path.name.endswith(("_pb2.py", "_pb2_grpc.py"))
    return prose and path.suffix in _PROSE and not _NOT_PROSE.search(path.name)


def _stdlib_files() -> Iterator[PackageFile]:
    root = Path(sysconfig.get_paths()["stdlib"])
    version = sysconfig.get_python_version()
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _NOT_SOURCE]
        found += [Path(folder, name) for name in names if name.endswith(".py")]
    for path in sorted(found):
        relative = PurePosixPath(path.relative_to(root).as_posix())
        if _wanted(relative, prose=False) and not relative.parts[0].startswith("config-"):
            yield PackageFile(f"{STDLIB}/{relative}", path, STDLIB, version, "PSF-2.0")


def _distribution_files(name: str, distribution: importlib.metadata.Distribution, prose: bool) -> Iterator[PackageFile]:
    license, version = license_of(distribution), distribution.version  # each access reads the metadata again
    for file in sorted(distribution.files or [], key=str):
        relative = PurePosixPath(file.as_posix())
        if ".." in relative.parts or relative.is_absolute():
            continue  # scripts and data that were put elsewhere
        in_metadata = relative.parts[0].endswith((".dist-info", ".egg-info"))
        if in_metadata and prose and relative.name in ("METADATA", "PKG-INFO"):
            provenance = f"{name}/README"
        elif not in_metadata and _wanted(relative, prose):
            provenance = str(relative)
        else:
            continue
        path = Path(str(distribution.locate_file(file)))
        if path.is_file():
            yield PackageFile(provenance, path, name, version, license)
