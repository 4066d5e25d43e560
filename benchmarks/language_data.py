"""Labeled texts for the language model that comes with the package, from public-domain and freely licensed sets.

    python benchmarks/language_data.py --data DATA --out languages.jsonl
    python benchmarks/language_data.py --data DATA --out languages.jsonl --model src/seedbed/corpus/rating/language.bin

`DATA` holds `udhr/docs.jsonl.xz` (the Universal Declaration of Human Rights, public domain), `bible/*.jsonl.xz`
(verses, CC0), `panlex-swadesh/panlex_swadesh.zip` (word lists, CC0; for languages that have no other text),
`novels-*/train.jsonl.xz` (CC BY 4.0), `textbooks/sections.jsonl.xz` (CC BY 4.0), `wisesight-thai/train.jsonl.xz` (CC0).
Records have `text`, the ISO 639-3 code as `domain`, and `source`. With `--model` the table is learned from them and
written there.
"""

from __future__ import annotations

import argparse
import json
import lzma
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = tuple[str, str, str]  # language, source, text
Document = tuple[str, str, list[str]]  # language, source, pieces of text
BIBLES = {
    "Achuar": "acu", "Aguaruna": "agr", "Akawaio": "ake", "Armenian": "hye", "Ashaninka": "cni", "Cabecar": "cjp",
    "Cakchiquel": "cak", "Camsa": "kbh", "Cherokee": "chr", "Estonian": "est", "Ewe": "ewe", "Gaelic": "gla",
    "Jakalteko": "jac", "K'iche'": "quc", "Kabyle": "kab", "Latvian": "lav", "Lukpa": "dop", "Mam": "mam",
    "Nahuatl": "nah", "Ojibwa": "oji", "Potawatomi": "pot", "Quichua": "quw", "Romani": "rmy", "Shuar": "jiv",
    "Swahili": "swh", "Tachelhit": "shi", "Ukranian": "ukr", "Uspanteco": "usp", "Wolof": "wol", "Zulu": "zul",
}  # fmt: skip
WORD_LISTS = ("tel",)


def records(path: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf8") as file:
        yield from map(json.loads, file)


def rows(data: Path) -> Iterator[Row]:
    for language, source, lines in documents(data):
        yield from ((language, source, line) for line in lines)


def documents(data: Path) -> Iterator[Document]:
    """Texts in pieces, in their order; what has no order, such as messages, is one document."""
    known = set()
    for document in [*declarations(data), *bibles(data), *others(data)]:
        known.add(document[0])
        yield document
    yield from word_lists(data, set(WORD_LISTS) - known)


def declarations(data: Path) -> Iterator[Document]:
    """Line by line; a code such as `ell_polytonic` is a variant of `ell`. What has no code is left out."""
    for record in records(data / "udhr/docs.jsonl.xz"):
        language = record["id"].partition("_")[0]
        if not language.isdigit():
            yield language, "udhr", [line for line in record["text"].split("\n") if len(line) > 20]


def bibles(data: Path) -> Iterator[Document]:
    for path in sorted((data / "bible").glob("*.jsonl.xz")):
        language = BIBLES[path.name.partition("-NT")[0].partition("-PART")[0]]
        yield language, "bible", [record["text"] for record in records(path)]


def others(data: Path) -> Iterator[Document]:
    for language in ("eng", "deu", "fra", "por", "slv"):
        for record in records(data / f"novels-{language}/train.jsonl.xz"):
            text = record["text"][20_000:50_000]  # past title pages, before what the benchmark measures on
            yield language, "novels", [text[start : start + 300] for start in range(0, len(text), 300)]
    yield "eng", "textbooks", [record["text"][:300] for record in records(data / "textbooks/sections.jsonl.xz")]
    yield "tha", "wisesight", [record["text"] for record in records(data / "wisesight-thai/train.jsonl.xz")]


def word_lists(data: Path, wanted: set[str]) -> Iterator[Document]:
    with zipfile.ZipFile(data / "panlex-swadesh/panlex_swadesh.zip") as archive:
        for name in sorted(archive.namelist()):
            language, _, variety = Path(name).stem.partition("-")
            if language in wanted and variety == "000":
                words = archive.read(name).decode("utf8").replace("\t", "\n").split("\n")
                yield language, "words", [" ".join(words[start : start + 10]) for start in range(0, len(words), 10)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    setting = parser.parse_args()
    with open(setting.out, "w", encoding="utf8") as file:
        for language, source, text in rows(setting.data):
            record = {"text": text, "domain": language, "source": source}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    if setting.model:
        from seedbed.corpus import scorers

        with tempfile.TemporaryDirectory() as folder:
            method = scorers.parse({"language": {"data": str(setting.out)}}).build()
            print(json.dumps(method.fit(Path(folder), print), indent=1))
            shutil.copy(Path(folder) / "language.bin", setting.model)
        print(f"{setting.model.stat().st_size} bytes")


if __name__ == "__main__":
    main()
