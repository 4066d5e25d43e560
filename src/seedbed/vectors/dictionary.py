"""The step that reads a bilingual dictionary and parts it into training and test words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from seedbed.core.counters import key, uniform
from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import Corpus

from .artifact import Dictionary, Pair

if TYPE_CHECKING:
    from seedbed.corpus.input.files import InputFile

_TRUTH = "truth/dictionary.jsonl"


@step("read_dictionary", gives=Dictionary)
def read_dictionary(
    context: StepContext,
    *,
    source: Source | None = None,
    corpus: Corpus | None = None,
    fields: tuple[str, str] = ("source", "target"),
    lists: tuple[str, str] | None = None,
    reverse: bool = False,
    test_share: float = 0.2,
    seed: int = 0,
) -> None:
    """Pairs of words of two languages, from files or from a ciphered corpus, parted into training and test pairs.

    source: files of any of these kinds, compressed or in archives. Text: a line is a word, a tab and its translation
    (further tabs, further translations); without a tab, two words. JSON lines: `fields` names the two fields, whose
    values are a word or a list of words (["en", "tr"]). `lists`: the ends of two files' names, such as
    ["swadesh207/eng-000.txt", "swadesh207/slv-000.txt"]: line n of one says the same as line n of the other, variants
    stand between tabs, and all pairs of variants are taken. corpus: one made by the world `cipher`, which knows its
    dictionary. reverse: the second language is the source.

    Translations of several words, and pairs that come again, are left out and counted. `test_share` of the source
    words, chosen by hash and `seed` whatever their case, go to the test part with all their translations.
    """
    if (source is None) == (corpus is None):
        raise InputError("source", "give either files or a ciphered corpus", allowed="source | corpus")
    if not 0 <= test_share < 1:
        raise InputError("test_share", "must lie in [0, 1)", value=test_share)
    files = _files(source, corpus)
    found = _from_lists(files, *lists) if lists else (pair for file in files for pair in _from_file(file, fields))
    parts: dict[str, dict[Pair, None]] = {"train": {}, "test": {}}
    left_out = {"several words": 0, "repeated": 0}
    for pair in found:
        first, second = (side.strip() for side in (pair[::-1] if reverse else pair))
        if [first, second] != f"{first} {second}".split():
            left_out["several words"] += 1
            continue
        is_test = float(uniform(key(seed, "dictionary", first.lower()), 0)) < test_share
        part = parts["test" if is_test else "train"]
        left_out["repeated"] += (first, second) in part
        part[first, second] = None
    if not parts["train"]:
        raise InputError("source", "holds no pair of words to train on", value=str(source or corpus), fix=_FORMATS)
    for name, pairs in parts.items():
        text = "".join(f"{first}\t{second}\n" for first, second in pairs)
        (context.folder / f"{name}.tsv").write_text(text, encoding="utf8", newline="\n")
    sizes = {name: len(pairs) for name, pairs in parts.items()}
    context.counts.update(sizes | {"left_out": left_out})
    context.say(f"{sizes['train']} training pairs, {sizes['test']} test pairs, left out {left_out}")


_FORMATS = "lines of `word<TAB>translation`, or JSON lines with `fields`: see `seedbed show step read_dictionary`"


def _files(source: Source | None, corpus: Corpus | None) -> Iterator[InputFile]:
    from seedbed.corpus.input.files import InputFile, select_files

    if source is not None:
        return select_files(source, None)
    assert corpus is not None
    path = corpus.path / _TRUTH
    if not path.is_file():
        raise InputError("corpus", f"has no {_TRUTH}", value=str(corpus.path), fix="generate it by the world `cipher`")
    return iter([InputFile.at(path)])


def _lines(file: InputFile) -> Iterator[tuple[int, str]]:
    from seedbed.corpus.documents import Unreadable

    for line in file.lines():
        if isinstance(line, Unreadable):
            raise InputError("source", f"line {line.line} cannot be read: {line.reason}", value=line.file)
        yield line


def _from_file(file: InputFile, fields: tuple[str, str]) -> Iterator[Pair]:
    is_json = file.extension in (".jsonl", ".ndjson")
    for number, text in _lines(file):
        if not text.strip():
            continue
        if is_json:
            sides = [_values(text, field, f"{file.where}:{number}") for field in fields]
        else:
            first, *others = text.split("\t") if "\t" in text else text.split()
            sides = [[first], others]
            if not others or ("\t" not in text and len(others) != 1):
                raise InputError("source", "is no line of a dictionary", value=f"{file.where}:{number}", fix=_FORMATS)
        yield from ((first, second) for first in sides[0] for second in sides[1])


def _values(text: str, field: str, where: str) -> list[str]:
    try:
        row: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("source", f"is not JSON: {error}", value=where) from None
    value = row.get(field) if isinstance(row, dict) else None
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        known = list(row) if isinstance(row, dict) else None
        raise InputError("fields", f"'{field}' is no word or list of words in {where}", value=value, allowed=known)
    return values


def _from_lists(files: Iterator[InputFile], first: str, second: str) -> Iterator[Pair]:
    """Concept by concept. Raises InputError if the files are not there or not of one length."""
    found: dict[str, list[list[str]]] = {}
    for file in files:
        for end in (first, second):
            if file.name.endswith(end):
                if end in found:
                    raise InputError("lists", "is the end of several files' names", value=end)
                found[end] = [[word for word in text.split("\t") if word.strip()] for _, text in _lines(file)]
    for end in (first, second):
        if end not in found:
            raise InputError("lists", "no file's name ends so", value=end)
    one, other = found[first], found[second]
    if len(one) != len(other):
        raise InputError("lists", "the files are not of one length", value=[len(one), len(other)])
    for left, right in zip(one, other, strict=True):
        yield from ((a, b) for a in left for b in right)
