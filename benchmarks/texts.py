"""What the races train on: any JSON Lines, or Python's own library, whole, in sentences, or as labeled texts."""

from __future__ import annotations

import ast
import io
import json
import lzma
import random
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

Example = tuple[str, str]  # a text and its label


def read_texts(data: str | None, max_mb: float) -> list[str]:
    """Documents with their natural lengths, up to so many megabytes; by default Python's own library."""
    if data is None:
        texts = list(_library().values())
    else:
        open_file = lzma.open if data.endswith(".xz") else open
        with open_file(data, "rt", encoding="utf8") as file:
            texts = [json.loads(line)["text"] for line in file]
    kept, size = [], 0.0
    for text in texts:
        size += len(text.encode()) / 1e6
        if size > max_mb:
            break
        kept.append(text)
    return kept


def read_sentences(data: str | None, max_mb: float) -> list[str]:
    """The same documents, a sentence each; of the library the sentences of docstrings and comments. None twice."""
    texts = read_texts(data, max_mb)
    if data is None:
        texts = [part for text in texts for _, part in _prose(text)]
    return list(dict.fromkeys(sentence for text in texts for sentence in _sentences(text)))


def labeled_texts(seed: int = 0) -> dict[str, list[Example]]:
    """Three tasks made of Python's own library, each in an order drawn from the seed.

    place: whether a text stands in a comment, a docstring or code; module: which of the four modules with the most
    prose a sentence is from; statement: what kind of statement a line begins.
    """
    place: dict[str, str] = {}
    module: dict[str, str] = {}
    statement: dict[str, str] = {}
    for name, source in _library().items():
        for kind, part in _prose(source):
            for sentence in _sentences(part):
                place[sentence], module[sentence] = kind, name
        statement.update(_statements(source))
    place.update(dict.fromkeys(list(statement)[:: len(statement) // 8000 + 1], "code"))
    longest = {name for name, _ in Counter(module.values()).most_common(4)}
    module = {sentence: name for sentence, name in module.items() if name in longest}
    tasks = {"place": place, "module": module, "statement": statement}
    return {name: random.Random(seed).sample(sorted(texts.items()), len(texts)) for name, texts in tasks.items()}


def _library() -> dict[str, str]:
    """The modules of Python's own library that are a single file, by name."""
    paths = sorted(Path(json.__file__).parent.parent.glob("*.py"))
    return {path.stem: path.read_text(encoding="utf8", errors="replace") for path in paths}


def _prose(source: str) -> Iterator[tuple[str, str]]:
    """The docstrings and comments of a module, as pairs of "docstring" or "comment" and the text."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, kinds) and (docstring := ast.get_docstring(node)):
            yield "docstring", docstring
    block: list[str] = []
    before = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != before + 1 and block:
                yield "comment", "\n".join(block)
                block = []
            block.append(token.string.lstrip("#! "))
            before = token.start[0]
    if block:
        yield "comment", "\n".join(block)


def _sentences(text: str) -> Iterator[str]:
    """Sentences of three words or more; a blank line ends one too."""
    for paragraph in re.split(r"\n\s*\n", text):
        for sentence in re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split())):
            if len(re.findall(r"[A-Za-z]{2,}", sentence)) >= 3:
                yield sentence


def _statements(source: str) -> Iterator[Example]:
    """The first lines of statements, without their indentation, each with its kind."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.Expr | ast.For | ast.If | ast.Raise | ast.Return):
            line = lines[node.lineno - 1].strip()
            if len(re.findall(r"\w+", line)) >= 3:
                yield line, type(node).__name__.lower()
