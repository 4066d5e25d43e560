"""Personal data: what the rules find of what was planted, and how fast.

    python benchmarks/personal_data.py [--data texts.jsonl.xz] [--documents 20000] [--out results.json]

The world `noise` plants e-mail addresses, telephone numbers, IP addresses, account numbers and names into its prose,
or into the texts given (JSON Lines with `text`), where what is found beside them is counted as wrong although it may be
real. Precision and recall are over exact places. Names are planted and not looked for; account numbers are looked for
only where their checksums are right. Times are CPU seconds of the curation step's own work on one thread: finding the
candidates, and looking at them.
"""

from __future__ import annotations

import argparse
import json
import lzma
import time
from collections import defaultdict
from typing import Any

import kept


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--share", type=float, default=0.1, help="of the documents with something planted")
    parser.add_argument("--out")
    return parser.parse_args()


def planted(setting: argparse.Namespace) -> tuple[dict[str, str], dict[str, set[Any]]]:
    """Texts by id, and by kind the places (id, start, end) of what was planted."""
    from seedbed.worlds import Truth, worlds

    clean = dict.fromkeys(("exact_duplicates", "near_duplicates", "mojibake", "truncation", "markup"), 0.0)
    world: Any = worlds.create("noise", documents=setting.documents, pii=setting.share, **clean)
    if setting.data:
        world.base = Given(setting.data, setting.documents)
    texts, places = {}, defaultdict(set)
    for item in world.stream(17):
        if not isinstance(item, Truth):
            texts[item.id] = item.text
        elif item.file == "planted":
            for span in item.row["spans"]:
                if span["kind"] == "pii":
                    places[span["type"]].add((item.row["document"], span["start"], span["end"]))
    return texts, places


class Given:
    """Texts of a file, in the place of a world's own."""

    def __init__(self, path: str, number: int) -> None:
        self.path, self.number = path, number

    def read(self, seed: int) -> Any:
        from seedbed.corpus.documents import Document

        del seed
        with (lzma.open if self.path.endswith(".xz") else open)(self.path, "rt", encoding="utf8") as file:
            for number, line in zip(range(self.number), file, strict=False):
                yield Document(f"d{number}", json.loads(line)["text"])


def main() -> None:
    import pyarrow as pa

    from seedbed.corpus.text.personal import KINDS, candidates, find
    from seedbed.worlds.measure import precision_recall

    setting = arguments()
    texts, places = planted(setting)
    column, ids = pa.array(list(texts.values())), list(texts)
    size = sum(len(text.encode()) for text in texts.values()) / 1e6
    begin = time.process_time()
    chosen = candidates(column)
    middle = time.process_time()
    found = {ids[place]: find(texts[ids[place]]) for place in chosen}
    end = time.process_time()
    results: dict[str, Any] = {
        "documents": len(texts),
        "megabytes": round(size, 1),
        "candidates": len(chosen),
        "mb_per_s": {"candidates": round(size / (middle - begin)), "all": round(size / (end - begin))},
    }
    print(results)
    for kind in (*KINDS, "name"):
        spans = {(id, item.start, item.end) for id, items in found.items() for item in items if item.kind == kind}
        agreement = precision_recall(spans, places[kind])
        results[kind] = {
            "found": agreement.found,
            "planted": agreement.planted,
            "precision": round(agreement.precision, 4),
            "recall": round(agreement.recall, 4),
        }
        print(f"{kind:8}", results[kind])
    if setting.out:
        kept.write(setting.out, results)


if __name__ == "__main__":
    main()
