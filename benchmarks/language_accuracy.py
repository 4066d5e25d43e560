"""Language identification: the accuracy of every language that the package's table knows, on text not learned from.

    python benchmarks/language_accuracy.py --data DATA --out results.json

`DATA` is that of `language_data.py`, from which the package's table is made. Here tables are made in the same way from
a part of it, and what they say of the rest is counted:

- `held out`: every document (a translation of the declaration, a Bible) is cut into five blocks of its pieces in their
  order, and each block is judged by a table that learned from the other four, of all languages. The translations are of
  one text, so no table has seen the articles that it is judged on, in any language or spelling. A piece that stands
  word for word in another block of its language is left out. The tables have four fifths of the text that the
  package's own has.
- `other text`: where there are two sources, those other than the declaration are judged by a table that learned from
  the declaration alone: what becomes of a language in text of another kind.

A piece is a paragraph, a verse, or 300 characters; of each source of a language at most 30,000 characters count, by
hash, as in the package's table. Pieces of fewer than 10 letters have no language there, and are left out; with more,
no language (None) is a wrong answer. `takes it for` are the languages that it is taken for most, with the number of
pieces.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kept
import numpy as np
from language_data import documents

from seedbed.core.counters import key
from seedbed.corpus.learned.language_table import Table, counted, learned, plain

FOLDS = 5
LETTERS = 10
CHARACTERS = 30_000  # of a source of a language, as in the method `language`
SIZES = {"floor": 5e-6, "per_language": 1500, "features": 40_000}
DECLARATION = "udhr"
Counts = dict[int, dict[int, int]]  # of n-grams, by script


@dataclass(frozen=True)
class Piece:
    """A text with its language and source, and the block of its document that it stands in."""

    language: str
    source: str
    text: str
    block: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--languages", type=int, help="only the first so many")
    parser.add_argument("--out", type=Path)
    setting = parser.parse_args()
    pieces = list(chosen(setting.data))
    if setting.languages:
        names = sorted({piece.language for piece in pieces})[: setting.languages]
        pieces = [piece for piece in pieces if piece.language in names]
    parts = counts_of(pieces)
    said = dict(held_out(pieces, parts))
    languages = {name: judged(rows) for name, rows in sorted(by_language(pieces, said).items())}
    for name, rows in by_language(pieces, dict(other_text(pieces, parts))).items():
        languages[name]["other text"] = judged(rows)
    result = {"folds": FOLDS, "pieces": len(said), "summary": summary(languages), "languages": languages}
    show(result)
    if setting.out:
        kept.write(setting.out, result)


def chosen(data: Path) -> Iterator[Piece]:
    """Of each language's source as many pieces as count, those with the least hashes."""
    found: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    for language, source, lines in documents(data):
        for place, line in enumerate(lines):
            found[language, source].append(Piece(language, source, line, place * FOLDS // len(lines)))
    for pieces in found.values():
        taken = 0
        for piece in sorted(pieces, key=lambda piece: (key(0, "piece", piece.text), piece.block)):
            if taken < CHARACTERS and np.count_nonzero(plain([piece.text])[0] != ord(" ")) >= LETTERS:
                taken += len(piece.text)
                yield piece


def counts_of(pieces: Sequence[Piece]) -> dict[tuple[str, str, int], Counts]:
    """The n-grams of each language's source and block."""
    texts: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for piece in pieces:
        texts[piece.language, piece.source, piece.block].append(piece.text)
    return {name: counted(own) for name, own in texts.items()}


def table_of(parts: dict[tuple[str, str, int], Counts], is_learned: Callable[[str, str, int], bool]) -> Table:
    """A table from some of the parts; a language of which nothing is left is not in it."""
    sums: dict[str, dict[str, dict[int, Counter[int]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(Counter)))
    for name, by_script in parts.items():
        for script, counts in by_script.items() if is_learned(*name) else ():
            sums[name[0]][name[1]][script].update(counts)
    return learned({name: list(own.values()) for name, own in sums.items()}, **SIZES)


def held_out(pieces: Sequence[Piece], parts: dict[tuple[str, str, int], Counts]) -> Iterator[tuple[Piece, str | None]]:
    """What is said of each block by the table of the others."""
    blocks: dict[tuple[str, str], set[int]] = defaultdict(set)
    for piece in pieces:
        blocks[piece.language, piece.text].add(piece.block)
    for fold in range(FOLDS):
        table = table_of(parts, lambda language, source, block, fold=fold: block != fold)
        asked = [piece for piece in pieces if blocks[piece.language, piece.text] == {fold}]
        yield from answers(table, asked)
        print(f"fold {fold + 1} of {FOLDS}: {len(asked)} pieces", file=sys.stderr, flush=True)


def other_text(
    pieces: Sequence[Piece], parts: dict[tuple[str, str, int], Counts]
) -> Iterator[tuple[Piece, str | None]]:
    """What is said of other sources by a table of declarations; languages that have none do not come up."""
    table = table_of(parts, lambda language, source, block: source == DECLARATION)
    yield from answers(table, [p for p in pieces if p.source != DECLARATION and p.language in table.languages])


def answers(table: Table, asked: Sequence[Piece]) -> Iterator[tuple[Piece, str | None]]:
    names, _ = table.best([piece.text for piece in asked])
    yield from zip(asked, names, strict=True)


def by_language(pieces: Sequence[Piece], said: dict[Piece, str | None]) -> dict[str, list[tuple[Piece, str | None]]]:
    rows: dict[str, list[tuple[Piece, str | None]]] = defaultdict(list)
    for piece in dict.fromkeys(pieces):
        if piece in said:
            rows[piece.language].append((piece, said[piece]))
    return rows


def judged(rows: Sequence[tuple[Piece, str | None]]) -> dict[str, Any]:
    """Accuracy with its interval (Wilson's, 95%), by source where there are several."""
    right, num = sum(name == piece.language for piece, name in rows), len(rows)
    wrong = Counter(str(name) for piece, name in rows if name != piece.language)
    found: dict[str, Any] = {"pieces": num, "accuracy": round(right / num, 4), "interval": wilson(right, num)}
    if wrong:
        found["takes it for"] = dict(wrong.most_common(3))
    sources = sorted({piece.source for piece, _ in rows})
    if len(sources) > 1:
        by_source = {source: [name == p.language for p, name in rows if p.source == source] for source in sources}
        found["by source"] = {source: round(sum(own) / len(own), 4) for source, own in by_source.items()}
    return found


def wilson(right: int, num: int, z: float = 1.96) -> list[float]:
    middle, spread = right + z * z / 2, z * (right * (num - right) / num + z * z / 4) ** 0.5
    return [round((middle - spread) / (num + z * z), 4), round((middle + spread) / (num + z * z), 4)]


def summary(languages: dict[str, Any]) -> dict[str, Any]:
    rates = sorted(row["accuracy"] for row in languages.values())
    both = [row for row in languages.values() if "other text" in row]
    return {
        "languages": len(rates),
        "mean": round(sum(rates) / len(rates), 4),
        "median": rates[len(rates) // 2],
        "at least 0.99": sum(rate >= 0.99 for rate in rates),
        "at least 0.95": sum(rate >= 0.95 for rate in rates),
        "below 0.8": sum(rate < 0.8 for rate in rates),
        "other text": {
            "languages": len(both),
            "mean": round(sum(row["other text"]["accuracy"] for row in both) / max(len(both), 1), 4),
        },
    }


def show(result: dict[str, Any]) -> None:
    print("language | pieces | accuracy | interval | takes it for | on other text")
    for name, row in result["languages"].items():
        taken = " ".join(f"{other} {num}" for other, num in row.get("takes it for", {}).items())
        low, high = row["interval"]
        other = f"{row['other text']['accuracy']:.3f}" if "other text" in row else ""
        print(f"{name} | {row['pieces']} | {row['accuracy']:.3f} | {low:.3f} to {high:.3f} | {taken} | {other}")
    print(result["summary"])


if __name__ == "__main__":
    main()
