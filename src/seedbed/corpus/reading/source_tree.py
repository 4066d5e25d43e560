"""Checkouts of source code."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from seedbed.core.source import Source
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.decode import BrokenStream
from seedbed.corpus.input.files import InputFile, select_files
from seedbed.corpus.input.packages import TESTS, VENDORED, is_handwritten
from seedbed.corpus.licensing.expressions import allowed_by, family_of, licenses_in
from seedbed.corpus.licensing.folders import is_license_file, license_of_folder, stated_license, tells_license
from seedbed.corpus.licensing.texts import license_of_header, license_of_notice

_LANGUAGES = {
    "ada": ".adb .ads", "assembly": ".asm .s", "c": ".c .h", "c++": ".cc .cpp .cxx .hpp .hh .hxx", "c#": ".cs",
    "clojure": ".clj .cljs .cljc", "cmake": ".cmake", "commonlisp": ".lisp .cl", "crystal": ".cr", "css": ".css .scss",
    "cuda": ".cu .cuh", "d": ".d", "dart": ".dart", "elixir": ".ex .exs", "elm": ".elm", "erlang": ".erl .hrl",
    "f#": ".fs .fsx", "fortran": ".f .f90 .f95 .f03 .f08", "go": ".go", "graphql": ".graphql", "groovy": ".groovy",
    "haskell": ".hs", "java": ".java", "javascript": ".js .jsx .mjs .cjs", "julia": ".jl", "kotlin": ".kt .kts",
    "lean": ".lean", "lua": ".lua", "nim": ".nim", "nix": ".nix", "ocaml": ".ml .mli", "pascal": ".pas",
    "perl": ".pl .pm",
    "php": ".php", "powershell": ".ps1", "prolog": ".pro", "protobuf": ".proto", "python": ".py .pyi .pyx", "r": ".r",
    "racket": ".rkt", "ruby": ".rb", "rust": ".rs", "scala": ".scala .sc", "scheme": ".scm .ss",
    "shell": ".sh .bash .zsh",
    "solidity": ".sol", "sql": ".sql", "swift": ".swift", "systemverilog": ".sv .svh", "tcl": ".tcl",
    "tex": ".tex .sty",
    "typescript": ".ts .tsx .mts", "vhdl": ".vhd .vhdl", "vue": ".vue", "zig": ".zig",
}  # fmt: skip
_BY_EXTENSION = {extension: language for language, found in _LANGUAGES.items() for extension in found.split()}
_BY_NAME = {"makefile": "makefile", "gnumakefile": "makefile", "dockerfile": "dockerfile", "cmakelists.txt": "cmake"}
EXTENSIONS = (*_BY_EXTENSION, "", ".txt")  # Makefile, CMakeLists.txt

_FOREIGN = VENDORED | {"node_modules", "bower_components", "third-party", "site-packages", "deps", "thirdparty", "pods"}
_MADE = re.compile(r"\.(min|bundle|pb|generated|g|designer)\.\w+$|_pb2(_grpc)?\.pyi?$|-lock\.\w+$", re.IGNORECASE)
_TEST_NAME = re.compile(r"(test_.*|.*[._-](tests?|spec)|conftest|.*Tests?)\.\w+")
_BINARY_HEAD = 8192


@readers.register("source_tree", version=3)
class SourceTree:
    """The source code in folders or archives, such as checkouts of repositories, one document a file.

    The language is told by the file's extension or name (some 55 of them), and is the domain unless one is given. The
    license is that of the file's SPDX header, else that of a notice in its first comments, else that of its folder or
    the nearest one above that tells one: by the texts of LICENSE and COPYING files, or by what package.json,
    Cargo.toml, pyproject.toml or setup.cfg state. It is an SPDX expression: `Apache-2.0 OR MIT` where one may choose
    (LICENSE-APACHE beside LICENSE-MIT), `GPL-3.0 AND MIT` where licenses stand side by side and nothing says what holds
    for which files. `licenses` keeps only files whose expression can be satisfied with these (of OR one is enough, of
    AND all are needed; `GPL-3.0` stands for `-only` and `-or-later`, too), which leaves out files without a known
    license.

    Passed over, and counted in `passed`, are vendored code, tests (unless `tests`), what is generated or minified by
    its name, by a mark near its start or by lines of over 1,000 bytes, binary and empty files: the notions of the
    reader `python_source`. A file that is not UTF-8 goes to the quarantine. Everything is read twice, for the licenses
    first.
    """

    def __init__(
        self,
        path: Source,
        licenses: list[str] | None = None,
        tests: bool = False,
        domain: str = "",
        license: str = "",
    ) -> None:
        self.path = Source.parse(path)
        self.licenses, self.tests = licenses, tests
        self.domain, self.license = domain, license
        self.passed: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Document | Unreadable]:
        self.passed.clear()
        by_folder = self._licenses()
        for file in select_files(self.path, EXTENSIONS):
            path = PurePosixPath(file.name)
            language = _language_of(path, file)
            if not language:
                continue
            found = self._reason_to_pass(path) or self._document(file, path, language, by_folder)
            if isinstance(found, str):
                self.passed[found] += 1
            else:
                yield found

    def _licenses(self) -> dict[PurePosixPath, str]:
        """The license of each folder that has files which tell one, in whatever order they come."""
        found: dict[PurePosixPath, dict[str, str]] = defaultdict(dict)
        for file in select_files(self.path, None):
            path = PurePosixPath(file.name)
            if not tells_license(path.name) or (is_license_file(path.name) and _language_of(path, file)):
                continue  # such as license_keys.py
            if not _is_foreign(path):
                try:
                    found[path.parent][path.name] = stated_license(path.name, file.read())
                except BrokenStream:
                    continue  # a file without a license is none that could be read
        licenses = {folder: license_of_folder(files) for folder, files in found.items()}
        return {folder: license for folder, license in licenses.items() if license}

    def _reason_to_pass(self, path: PurePosixPath) -> str:
        if _is_foreign(path):
            return "vendored"
        folders = _folders(path)
        if not self.tests and (folders & (TESTS | {"__tests__", "spec"}) or _TEST_NAME.fullmatch(path.name)):
            return "tests"
        return "generated or minified" if _MADE.search(path.name) else ""

    def _document(
        self, file: InputFile, path: PurePosixPath, language: str, by_folder: dict[PurePosixPath, str]
    ) -> Document | Unreadable | str:
        """A document, or why there is none."""
        try:
            content = file.read().removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
        except BrokenStream as error:
            return Unreadable(file.where, 0, str(error))
        if not content.strip():
            return "empty"
        if b"\0" in content[:_BINARY_HEAD]:
            return "binary"
        if not is_handwritten(content):
            return "generated or minified"
        try:
            text = content.decode("utf8")
        except UnicodeDecodeError as error:
            return Unreadable(file.where, content.count(b"\n", 0, error.start) + 1, f"not UTF-8: {error.reason}")
        nearest = next((by_folder[folder] for folder in path.parents if folder in by_folder), "")
        license = self.license or license_of_header(text) or _more_exact(license_of_notice(text), nearest)
        if self.licenses is not None and not allowed_by(license, self.licenses):
            return f"license {license or 'unknown'}"
        metadata = {"path": file.name, "language": language}
        return Document(file.name, text, file.name, license, self.domain or language, metadata)


def _folders(path: PurePosixPath) -> set[str]:
    return {part.lower() for part in path.parts[1:-1]}  # not the one that the user names


def _is_foreign(path: PurePosixPath) -> bool:
    return bool(_folders(path) & _FOREIGN)


def _more_exact(notice: str, nearest: str) -> str:
    """What a file's own notice says, or the folder's license where there is no notice, or where that only names the
    family (`under the GPL, see COPYING`) of a license whose version the folder has.
    """
    families = {family_of(license) for license in licenses_in(nearest)}
    if not notice or (
        notice.startswith("LicenseRef-") and licenses_in(notice) == {notice} and family_of(notice) in families
    ):
        return nearest
    return notice


def _language_of(path: PurePosixPath, file: InputFile) -> str:
    """The programming language, by name or extension; none of any other file."""
    return _BY_NAME.get(path.name.lower()) or _BY_EXTENSION.get(file.extension, "")
