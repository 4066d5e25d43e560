"""`seedbed new`: a commented recipe for a folder, chosen from what lies in it."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from seedbed.core.errors import InputError, unknown_key
from seedbed.core.files import list_files, write_bytes

# Extension -> reader. Of a name such as data.jsonl.zst the inner extension decides.
_READERS = {
    ".txt": "text",
    ".md": "text",
    ".rst": "text",
    ".tex": "text",
    ".py": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".warc": "warc",
    ".wet": "warc",
    ".pdf": "pdf",
    ".epub": "epub",
    ".nxml": "jats",
}
_OPEN: dict[str, Callable[[Path], IO[bytes]]] = {
    ".gz": gzip.open,  # type: ignore[dict-item]
    ".xz": lzma.open,
    ".bz2": bz2.open,
}
_COMPRESSIONS = (".gz", ".xz", ".zst", ".bz2")
_EXPANSION = 3.5  # text in compressed files, by measurement on prose and code


@dataclass(frozen=True)
class Size:
    """One dial: how large a model, and the vocabulary and rates that suit it."""

    layers: int
    width: int
    heads: int
    vocabulary: int
    lr: str
    batch_tokens: int
    about: str


SIZES = {
    "tiny": Size(4, 256, 4, 4096, "1e-3", 2048, "about 5 M parameters: minutes on a laptop"),
    "small": Size(6, 384, 6, 8192, "7e-4", 8192, "about 14 M parameters: an hour or a few on a laptop"),
    "base": Size(12, 768, 12, 16384, "4e-4", 32768, "about 100 M parameters: a GPU, or days on a laptop"),
}


def write_recipe(folder: Path, goal: str, size: str, target: Path) -> list[str]:
    """Write the recipe; returns lines that say what was found and chosen."""
    if goal not in ("encoder", "decoder"):
        raise unknown_key("--goal", goal, ("encoder", "decoder"), "goal")
    if size not in (*SIZES, "auto"):
        raise unknown_key("--size", size, (*SIZES, "auto"), "size")
    if not folder.is_dir():
        raise InputError(str(folder), "there is no such folder")
    found = _look(folder)
    if not found:
        raise InputError(str(folder), "holds no file that a reader knows", allowed=sorted(_READERS))
    text_bytes = sum(bytes_ for _, bytes_ in found.values())
    chosen = size if size != "auto" else _suitable(text_bytes)
    readers = [_reader(folder, pattern) for pattern in sorted(found)]
    write_bytes(target, _recipe(folder, goal, chosen, readers, text_bytes).encode())
    lines = [f"found {count} files {pattern} ({bytes_ / 1e6:.1f} MB)" for pattern, (count, bytes_) in found.items()]
    return [*lines, f"chose size {chosen}: {SIZES[chosen].about}"]


def _look(folder: Path) -> dict[str, tuple[int, float]]:
    """Files that a reader knows: pattern such as `*.jsonl.zst` -> (number, bytes of text, by estimate)."""
    numbers: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for path in list_files(folder):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        suffixes = [suffix.lower() for suffix in path.suffixes]
        packed = bool(suffixes) and suffixes[-1] in _COMPRESSIONS
        known = suffixes[-2:] if packed else suffixes[-1:]
        if known and known[0] in _READERS:
            actual = "".join(path.suffixes[-len(known) :])
            numbers[f"*{actual}"] += 1
            sizes[f"*{actual}"] += int(path.stat().st_size * (_EXPANSION if packed else 1))
    return {pattern: (numbers[pattern], sizes[pattern]) for pattern in numbers}


def _suitable(text_bytes: float) -> str:
    return "tiny" if text_bytes < 5e6 else "small" if text_bytes < 1e9 else "base"


def _reader(folder: Path, pattern: str) -> str:
    """One line of the recipe for one kind of file."""
    name = _READERS["." + pattern.lower().split(".")[1]]
    path = json.dumps(str(folder / "**" / pattern))
    if name in ("jsonl", "csv"):
        example = next(path for path in sorted(folder.rglob(pattern)) if path.is_file())
        column = _text_column(example, name)
        return f"{name}: {{path: {path}, text: {json.dumps(column)}}}"
    return f"{name}: {{path: {path}}}"


def _text_column(path: Path, reader: str) -> str:
    """The field that looks most like text in the first records."""
    totals: Counter[str] = Counter()
    for record in _first_records(path, reader):
        totals.update({str(key): len(value) for key, value in record.items() if isinstance(value, str)})
    for usual in ("text", "content", "body"):
        if totals[usual]:
            return usual
    return totals.most_common(1)[0][0] if totals else "text"


def _first_records(path: Path, reader: str, limit: int = 20) -> list[dict[str, Any]]:
    try:
        if path.suffix == ".zst":
            import zstandard

            raw: IO[bytes] = zstandard.open(path, "rb")
        else:
            raw = _OPEN.get(path.suffix, lambda p: p.open("rb"))(path)
        with io.TextIOWrapper(raw, encoding="utf8", errors="replace") as file:
            if reader == "csv":
                delimiter = "\t" if ".tsv" in path.suffixes else ","
                return [row for row, _ in zip(csv.DictReader(file, delimiter=delimiter), range(limit), strict=False)]
            rows = [json.loads(line) for line, _ in zip(file, range(limit), strict=False) if line.strip()]
            return [row for row in rows if isinstance(row, dict)]
    except (OSError, EOFError, ValueError, csv.Error):
        return []  # the step itself reports what is unreadable


def _recipe(folder: Path, goal: str, size_name: str, readers: list[str], text_bytes: float) -> str:
    size = SIZES[size_name]
    tokens = text_bytes / 4
    parameters = 12 * size.layers * size.width**2 + size.vocabulary * size.width
    # About twenty tokens a parameter, but a small corpus is not repeated more than ten times.
    budget = max(200_000, min(20 * parameters, 10 * tokens))
    is_encoder = goal == "encoder"
    tokenizer = "wordpiece" if is_encoder else "bpe"
    task = "masked_accuracy" if is_encoder else "bits_per_byte"
    reading = "\n".join(f"        - {reader}" for reader in readers)
    name = "".join(c if c.isalnum() else "-" for c in folder.resolve().name).strip("-") or "corpus"
    name = name if name[0].isalpha() else f"r{name}"
    length, objective = (128, "mlm: {rate: 0.3}") if is_encoder else (256, "clm")
    return f"""\
# A recipe lists steps; each makes one folder below runs/. Change a line, and only what depends on it runs again.
# `seedbed plan THIS` shows what would run; `seedbed list` and `seedbed show` explain every name in here.
name: {name}-{goal}
seed: 17
steps:
  corpus:
    build_corpus:
      read:
{reading}
      curate:
        - normalize                       # Unicode NFC, line ends, stray blanks
        - {{keep: "words > 5"}}             # an expression over words, chars, bytes, lines and your own columns
        - exact_duplicates
        - {{near_duplicates: {{threshold: 0.8}}}}
      split: {{validation: 0.05, test: 0.05}}   # held out, by document
  vocabulary:
    train_tokenizer: {{corpus: corpus, algorithm: {tokenizer}, size: {size.vocabulary}, style: {goal}}}
  {goal}:
    pretrain:
      model: {{{goal}: {{layers: {size.layers}, width: {size.width}, heads: {size.heads}}}}}   # {size.about}
      tokenizer: vocabulary
      data: {{corpus: 1.0}}                 # several corpora are mixed by these weights
      objective: {{{objective}}}
      optimizer: {{adamw: {{lr: {size.lr}}}}}
      schedule: {{wsd: {{warmup: 0.05, decay: 0.2}}}}
      budget: {_tokens(budget)} tokens        # of about {_tokens(tokens)} in the folder
      length: {length}
      batch_tokens: {size.batch_tokens}
  scores:
    evaluate:
      model: {goal}
      tasks: [{{{task}: {{corpus: corpus, max_length: {length}}}}}]
      seeds: 3
""".replace("objective: {clm}", "objective: clm")


def _tokens(value: float) -> str:
    return f"{value / 1e6:.3g}M" if value >= 1e6 else f"{value / 1e3:.3g}k"
