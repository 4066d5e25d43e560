"""Fingerprints: hashes of what a result depends on."""

from __future__ import annotations

import ast
import functools
import inspect
import io
import json
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xxhash

from .files import hash_file, list_files


def digest(value: Any) -> str:
    """The hash of a JSON value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=True)
    return xxhash.xxh3_128_hexdigest(text.encode())


def files_digest(paths: Iterable[Path], root: Path | None = None) -> str:
    """The hash of files' names (below `root`) and contents."""
    rows = [[str(path.relative_to(root) if root else path.name), hash_file(path)] for path in sorted(paths)]
    return digest(rows)


def folder_digest(folder: Path) -> str:
    return files_digest(list_files(folder), folder)


def source_digest(targets: Iterable[Any]) -> str:
    """The hash of what the modules say that define the given functions and classes; their comments, docstrings, imports
    and the lengths of their lines do not matter, nor what they say a step will cost (`@name.estimate`). What they call
    elsewhere is not looked at."""
    paths = {Path(inspect.getsourcefile(inspect.unwrap(target)) or "") for target in targets}
    return digest(sorted([path.name, _code_digest(path, path.stat().st_mtime_ns)] for path in paths if path.is_file()))


@functools.lru_cache(maxsize=4096)  # a comparison plans hundreds of runs of the same few modules
def _code_digest(path: Path, changed: int) -> str:
    del changed  # a part of the key
    return digest(_code(path.read_text(encoding="utf8")))


def _code(source: str) -> list[str]:
    """A Python file's tokens, without comments, docstrings, imports and estimates."""
    source = _without_estimates(source)
    silent = _silent_lines(source)
    found: list[str] = []
    ended = 0  # how many of them are of lines that are over
    formatted: list[tuple[int, int]] = []  # where strings begin that Python 3.12 and later cut into several tokens
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_START":
            formatted.append(token.start)
        elif kind == "FSTRING_END":
            start = formatted.pop()
            if not formatted:
                found.append(_between(source, start, token.end))
        elif kind == "NEWLINE":
            if any(text.strip() for text in found[ended:]):  # more than what is left out, and its indentation
                found.append(token.string)
                ended = len(found)
        elif kind in ("INDENT", "DEDENT") or (
            not formatted and kind not in ("COMMENT", "NL") and token.start[0] not in silent
        ):
            found.append(token.string)
    return found


def _without_estimates(source: str) -> str:
    """Without the functions that say what a step will cost."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef):
            decorators = [one for one in node.decorator_list if isinstance(one, ast.Attribute)]
            if any(one.attr == "estimate" for one in decorators):
                del lines[node.decorator_list[0].lineno - 1 : node.end_lineno]
    return "".join(lines)


def _silent_lines(source: str) -> set[int]:
    """Where nothing stands but docstrings and imports."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found.update(range(value.lineno, (value.end_lineno or value.lineno) + 1))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def _between(source: str, start: tuple[int, int], end: tuple[int, int]) -> str:
    lines = source.splitlines(keepends=True)[start[0] - 1 : end[0]]
    lines[-1] = lines[-1][: end[1]]
    lines[0] = lines[0][start[1] :]
    return "".join(lines)
