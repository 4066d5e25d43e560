"""Language identification: accuracy by language on sentences of other kinds than it learned from, beside lingua's.

    python benchmarks/language_identification.py --data DATA --lingua-python /path/to/venv/bin/python --out results.json

`DATA` holds sets that the model has not seen: `xquad` (questions), `masakhaner2` (news), `flores-v1-ne-si`
(encyclopedia), `ud` (treebanks), and the ends of `novels-*`, of whose beginnings it learned. `all`: the shipped model
with all its languages; `same`: with those that lingua knows, for languages that both know; `lingua`: its accuracy there
(high-accuracy mode, all its languages). Codes of macrolanguages count as their main language. The speed is in sentences
a CPU second, the models loaded before.
"""

from __future__ import annotations

import argparse
import json
import lzma
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kept

Row = tuple[str, str]  # language, text
MACRO = {"als": "sqi", "arb": "ara", "cmn": "zho", "pes": "fas", "swh": "swa", "mly": "msa", "azj": "aze", "khk": "mon"}
MACRO |= {"aka": "twi", "pbu": "pus"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=300, help="of each set and language")
    parser.add_argument("--lingua-python", default=sys.executable)
    parser.add_argument("--out", type=Path)
    setting = parser.parse_args()
    rows = list(sentences(setting.data, setting.sentences))
    texts = [text for _, text in rows]
    peer = lingua(texts, setting.lingua_python)
    columns = {"all": ours(texts, []), "same": ours(texts, peer["known"]), "lingua": peer}
    result: dict[str, Any] = {"sentences": len(rows), "languages": {}}
    for language in sorted({language for language, _ in rows}):
        chosen = [number for number, (name, _) in enumerate(rows) if name == language]
        shown: dict[str, Any] = {"sentences": len(chosen)}
        for name, column in columns.items():
            labels = Counter(column["labels"][number] for number in chosen)
            if name == "all" or language in peer["known"]:
                shown[name] = labels[language] / len(chosen)
                shown[f"{name} takes it for"] = [label for label, _ in labels.most_common(3) if label != language][:2]
        result["languages"][language] = shown
    result["speed"] = {name: len(texts) / column["seconds"] for name, column in columns.items()}
    show(result)
    if setting.out:
        kept.write(setting.out, result)


def show(result: dict[str, Any]) -> None:
    print("language | sentences | all | same | lingua | all takes it for")
    for language, row in result["languages"].items():
        cells = [f"{row[name]:.3f}" if name in row else "-" for name in ("all", "same", "lingua")]
        print(" | ".join([language, str(row["sentences"]), *cells, " ".join(map(str, row["all takes it for"]))]))
    common = [row for row in result["languages"].values() if "lingua" in row]
    means = {name: sum(row[name] for row in common) / len(common) for name in ("all", "same", "lingua")}
    print("mean over languages that both know |", " | ".join(f"{name} {mean:.3f}" for name, mean in means.items()))
    print("sentences a CPU second |", " | ".join(f"{name} {speed:.0f}" for name, speed in result["speed"].items()))


def ours(texts: list[str], among: list[str]) -> dict[str, Any]:
    from seedbed.corpus.curating.language import SHIPPED
    from seedbed.corpus.learned.language_table import Table

    table = Table.load(SHIPPED)
    chosen = [name for name in table.languages if MACRO.get(name, name) in among]
    table.best(texts[:1])
    start = time.process_time()
    names, _ = table.best(texts, among=chosen, least_letters=1)
    return {"labels": [MACRO.get(str(name), name) for name in names], "seconds": time.process_time() - start}


def lingua(texts: list[str], python: str) -> dict[str, Any]:
    script = Path(__file__).with_name("lingua_languages.py")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "texts.jsonl"), Path(folder, "labels.json")
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf8")
        subprocess.run([python, str(script), str(source), str(target)], check=True)
        found: dict[str, Any] = json.loads(target.read_text(encoding="utf8"))
        return found


def sentences(data: Path, most: int) -> Iterator[Row]:
    """Of each set, the first ones with 20 characters or more."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for name, language, text in everything(data):
        if len(text) >= 20 and counts[name, language] < most:
            counts[name, language] += 1
            yield language, text


def everything(data: Path) -> Iterator[tuple[str, str, str]]:
    for short, language in zip(
        ["de", "en", "es", "th", "tr", "vi"], ["deu", "eng", "spa", "tha", "tur", "vie"], strict=True
    ):
        yield from (("xquad", language, row["question"]) for row in records(data / f"xquad/{short}.jsonl.xz"))
    for path in sorted((data / "masakhaner2").glob("*/test.jsonl.xz")):
        yield from (("masakhaner", path.parent.name, " ".join(row["tokens"])) for row in records(path))
    with tarfile.open(data / "flores-v1-ne-si/flores_test_sets.tgz") as archive:
        for member in archive.getmembers():
            for short, language in {"ne": "nep", "si": "sin", "km": "khm", "ps": "pus"}.items():
                if member.name.endswith(f"devtest.{short}-en.{short}") and (file := archive.extractfile(member)):
                    yield from (("flores", language, line) for line in file.read().decode("utf8").splitlines())
    for folder, language in {"English-PUD": "eng", "Maltese-MUDT": "mlt", "Thai-PUD": "tha"}.items():
        for path in sorted((data / f"ud/UD_{folder}").glob("*test*.xz")):
            with lzma.open(path, "rt", encoding="utf8") as file:
                yield from (("ud", language, line[9:].strip()) for line in file if line.startswith("# text = "))
    for language in ("deu", "eng", "fra", "por", "slv"):
        for record in records(data / f"novels-{language}/train.jsonl.xz"):
            pieces = record["text"][-5000:].split(". ")[1:-1]
            yield from (("novels", language, piece) for piece in pieces if len(piece) < 200)


def records(path: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf8") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    main()
