"""A trained toxicity classifier: how well it does, and whom it wrongs.

    python benchmarks/toxicity.py --data LABELED_FOLDER --label cls --positive neither --templates madlibs.csv.xz

`LABELED_FOLDER` has train and test files (JSON Lines with `text` and a label; `positive` is the class that is fine).
The templates are sentences that differ in whom they speak of, with columns Text and Label (BAD or NOT_BAD). For each
word that stands in equally many bad and good ones (a group, or a name) the measures of Borkan et al. (2019): AUC within
its sentences, AUC of its good against others' bad ones (low: its good sentences are taken for toxic), and AUC of its
bad against others' good ones. Shown are the groups with the lowest of the second.
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import kept


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--label", default="label")
    parser.add_argument("--positive", default="neither")
    parser.add_argument("--templates")
    parser.add_argument("--shown", type=int, default=10)
    parser.add_argument("--out")
    return parser.parse_args()


def groups(rows: list[dict[str, str]]) -> dict[str, list[int]]:
    """The words that stand in some of the sentences, as often in bad as in good ones, and where they stand."""
    places: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        for word in set(row["Text"].lower().split()):
            places.setdefault(word, []).append(number)
    bad = Counter({word: sum(rows[n]["Label"] == "BAD" for n in numbers) for word, numbers in places.items()})
    return {
        word: numbers
        for word, numbers in places.items()
        if 0.005 < len(numbers) / len(rows) < 0.05 and abs(bad[word] / len(numbers) - 0.5) < 0.01
    }


def bias(scoring: Any, path: str) -> dict[str, dict[str, float]]:
    import numpy as np

    from seedbed.corpus.learned.logistic import auc

    with lzma.open(path, "rt", encoding="utf8") if path.endswith(".xz") else open(path, encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    is_bad = np.array([row["Label"] == "BAD" for row in rows])
    toxic = 1 - np.nan_to_num(scoring.score([row["Text"] for row in rows])["score"], nan=1.0)
    found = {"all": {"subgroup": auc(toxic[is_bad], toxic[~is_bad])}}
    for word, numbers in groups(rows).items():
        inside = np.zeros(len(rows), np.bool_)
        inside[numbers] = True
        found[word] = {
            "subgroup": auc(toxic[inside & is_bad], toxic[inside & ~is_bad]),
            "its_good": auc(toxic[~inside & is_bad], toxic[inside & ~is_bad]),
            "its_bad": auc(toxic[inside & is_bad], toxic[~inside & ~is_bad]),
        }
    return {word: {name: round(value, 4) for name, value in row.items()} for word, row in found.items()}


def main() -> None:
    from seedbed.corpus import scorers
    from seedbed.corpus.learned.logistic import auc
    from seedbed.corpus.rating.ngram_classifier import NgramClassifier

    setting = arguments()
    with tempfile.TemporaryDirectory() as folder:
        given = {"data": setting.data, "label": setting.label, "positive": setting.positive}
        counts = scorers.create("ngram_classifier", **given).fit(Path(folder), print)
        scoring = NgramClassifier.load(Path(folder))
    results: dict[str, Any] = {"held_back": {name: counts[name] for name in ("auc", "accuracy", "calibration_error")}}
    tests = sorted(Path(setting.data).glob("test*"))
    rows = [json.loads(line) for path in tests for line in (lzma.open if path.suffix == ".xz" else open)(path, "rt")]
    score = scoring.score([row["text"] for row in rows])
    fine = [row[setting.label] == setting.positive for row in rows]
    values = score["score"]
    results["test"] = {
        "texts": len(rows),
        "auc": round(auc(values[fine], values[[not is_fine for is_fine in fine]]), 4),
        "accuracy": round(
            sum(a == row[setting.label] for a, row in zip(score["label"], rows, strict=True)) / len(rows), 4
        ),
    }
    print(results)
    if setting.templates:
        results["bias"] = bias(scoring, setting.templates)
        print("all", results["bias"]["all"])
        worst = sorted(set(results["bias"]) - {"all"}, key=lambda word: results["bias"][word]["its_good"])
        for word in worst[: setting.shown]:
            print(f"{word:16}", results["bias"][word])
    if setting.out:
        kept.write(setting.out, results)


if __name__ == "__main__":
    main()
