"""Python source code, of which every installation has plenty."""

from __future__ import annotations

import ast
import io
import textwrap
import tokenize
from collections.abc import Iterator
from typing import Literal

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.core.files import hash_file
from seedbed.core.fingerprint import digest
from seedbed.corpus import readers
from seedbed.corpus.documents import Document, Unreadable
from seedbed.corpus.input.packages import PackageFile, is_handwritten, package_files


@readers.register("python_source")
class PythonSource:
    """Python code from the standard library and installed packages, with the license that their metadata state.

    `packages` names distributions, and `stdlib`; none means the standard library and every installed pure-Python
    package that states a license. A document is a module, or a function with a docstring (its metadata: qualname,
    docstring, path), as for learning search from descriptions. With `docs` the packages' READMEs and other .md and
    .rst files are prose documents. Tests, vendored copies and generated files are left out.

    `max_bytes` bounds the size: files are taken in the order of a hash of their names until the next one would
    go beyond, so what is taken is a fair sample, and hardly changes with one more package. Given no `domain`,
    code is `python` and prose is `documentation`.
    """

    def __init__(
        self,
        packages: list[str] | None = None,
        unit: Literal["module", "function"] = "module",
        docs: bool = False,
        max_bytes: int | None = None,
        domain: str = "",
    ) -> None:
        if max_bytes is not None and max_bytes < 1:
            raise InputError("max_bytes", "must be positive", value=max_bytes)
        self.packages, self.unit, self.docs = list(packages or []), unit, docs
        self.max_bytes, self.domain = max_bytes, domain

    def __iter__(self) -> Iterator[Document | Unreadable]:
        for file in self._files():
            content = file.read()
            if not file.is_code:
                yield from self._prose(file, content)
            elif is_handwritten(content):
                yield from self._code(file, content)

    def input_digest(self) -> str:
        """The hash of all that is read: names, licenses and contents of the files."""
        rows = [[file.name, file.license, file.version, hash_file(file.path)] for file in self._files()]
        return digest(rows)

    def _files(self) -> list[PackageFile]:
        files = list(package_files(self.packages, self.docs))
        if self.max_bytes is None:
            return files
        taken, total = set(), 0
        for file in sorted(files, key=lambda file: (key(0, "python_source", file.name), file.name)):
            size = file.path.stat().st_size
            if total + size > self.max_bytes:
                break
            total += size
            taken.add(file)
        return [file for file in files if file in taken]

    def _code(self, file: PackageFile, content: bytes) -> Iterator[Document | Unreadable]:
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            source = io.TextIOWrapper(io.BytesIO(content), encoding).read()  # also unites line ends
        except (SyntaxError, UnicodeDecodeError, LookupError) as error:
            yield Unreadable(str(file.path), 0, f"not decodable: {error}")
            return
        if not source.strip():
            return  # an empty __init__.py
        metadata = {"path": file.name, "package": file.package, "version": file.version}
        domain = self.domain or "python"
        if self.unit == "module":
            yield Document(file.name, source, file.package, file.license, domain, metadata)
            return
        try:
            functions = list(_functions(source))
        except (SyntaxError, ValueError, RecursionError) as error:
            yield Unreadable(str(file.path), 0, f"not Python: {error}")
            return
        for qualname, docstring, text in functions:
            described = {**metadata, "qualname": qualname, "docstring": docstring}
            yield Document(f"{file.name}::{qualname}", text, file.package, file.license, domain, described)

    def _prose(self, file: PackageFile, content: bytes) -> Iterator[Document | Unreadable]:
        try:
            text = content.decode("utf8")
        except UnicodeDecodeError as error:
            yield Unreadable(str(file.path), 0, f"not UTF-8: {error.reason}")
            return
        if text.strip():
            metadata = {"path": file.name, "package": file.package, "version": file.version}
            yield Document(file.name, text, file.package, file.license, self.domain or "documentation", metadata)


def _functions(source: str) -> Iterator[tuple[str, str, str]]:
    """Qualified name, docstring and dedented source (with decorators) of each function that has a docstring."""
    lines = source.split("\n")
    waiting: list[tuple[ast.AST, str]] = [(ast.parse(source), "")]
    while waiting:
        node, prefix = waiting.pop()
        children: list[tuple[ast.AST, str]] = []
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                qualname = f"{prefix}{child.name}"
                docstring = ast.get_docstring(child)
                if docstring and docstring.strip():
                    start = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                    text = textwrap.dedent("\n".join(lines[start - 1 : child.end_lineno]))
                    yield qualname, docstring, text
                children.append((child, f"{qualname}.<locals>."))
            elif isinstance(child, ast.ClassDef):
                children.append((child, f"{prefix}{child.name}."))
            elif isinstance(child, ast.If | ast.Try | ast.With):
                children.append((child, prefix))
        waiting.extend(reversed(children))
