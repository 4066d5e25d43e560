"""The language model of n-grams: how fast it learns and scores, how large it is, how well it predicts.

    python benchmarks/ngram_perplexity.py --data texts.jsonl.xz [--megabytes 20] [--out results.json]

JSON Lines with a `text`; nine tenths are learned from, the rest scored. Times are CPU seconds on one thread, of texts
in memory. For comparison: kenlm scores about 96 MB/s of words, by pointers into a trie; its package cannot learn.
"""

from __future__ import annotations

import argparse
import json
import lzma
import tempfile
import time
from pathlib import Path
from typing import Any

import kept

SETTINGS: tuple[tuple[Any, int], ...] = (("words", 3), ("words", 5), ("characters", 5), ("bytes", 6))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--out")
    return parser.parse_args()


def main() -> None:
    from seedbed.corpus.learned.kneser_ney import KneserNey, bits_per_byte

    setting = arguments()
    texts, size = [], 0.0
    with (lzma.open if setting.data.endswith(".xz") else open)(setting.data, "rt", encoding="utf8") as file:
        for line in file:
            texts.append(json.loads(line)["text"])
            size += len(texts[-1].encode()) / 1e6
            if size >= setting.megabytes:
                break
    learned, held = [text for n, text in enumerate(texts) if n % 10], texts[::10]
    held_size = sum(len(text.encode()) for text in held) / 1e6
    results = []
    for unit, order in SETTINGS:
        begin = time.process_time()
        model = KneserNey.fit(learned, unit, order)
        middle = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.npz"
            model.save(path)
            model, stored = KneserNey.load(path), path.stat().st_size
        start = time.process_time()
        bits = bits_per_byte(model, held)
        end = time.process_time()
        row = {
            "unit": unit,
            "order": order,
            "learned_mb_per_s": round((size - held_size) / (middle - begin), 2),
            "scored_mb_per_s": round(held_size / (end - start), 2),
            "ngrams": sum(model.sizes),
            "bytes_per_ngram": round(stored / sum(model.sizes), 1),
            "bits_per_byte": round(bits, 4),
        }
        results.append(row)
        print(row, flush=True)
    if setting.out:
        kept.write(setting.out, {"models": results})


if __name__ == "__main__":
    main()
