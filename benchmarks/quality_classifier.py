"""Quality classifiers of hashed word n-grams: Seedbed, scikit-learn and fastText, on the same texts.

    python benchmarks/quality_classifier.py --good textbooks.jsonl.xz --bad news.jsonl.xz forum.jsonl.xz \
        --peers-python PYTHON [--texts 20000] [--out results.json]

JSON Lines with a `text`, cut into passages; four fifths are learned from, the rest scored. All use words and pairs of
words, hashed to 2**20 numbers. scikit-learn: HashingVectorizer and SGDClassifier with the logistic loss; fastText: its
defaults but for pairs of words and one thread. Each contestant is a process of its own with one thread; times are CPU
seconds of user and system, without imports and without reading the texts (fastText reads its own file). Learning is
from texts to a model in memory, scoring from texts to probabilities.

`PYTHON` is of an environment with
    pip install "fasttext-wheel==0.9.2" "numpy<2" scikit-learn
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import kept

OPENERS: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
BITS, NGRAMS = 20, 2
Learned = Callable[[Sequence[str]], Any]  # from texts to scores, higher for good ones


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", nargs="+")
    parser.add_argument("--bad", nargs="+")
    parser.add_argument("--texts", type=int, default=20_000, help="of each side")
    parser.add_argument("--characters", type=int, default=1700, help="of a passage")
    parser.add_argument("--peers-python", help="without it only Seedbed and scikit-learn run")
    parser.add_argument("--out")
    parser.add_argument("--contestant", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    return parser.parse_args()


def passages(paths: Sequence[str], number: int, characters: int) -> list[str]:
    """Equally many from each file, as far as it has them."""
    found = []
    for path in paths:
        own: list[str] = []
        with OPENERS.get(Path(path).suffix, open)(path, "rt", encoding="utf8") as file:
            for line in file:
                text = json.loads(line)["text"]
                own += [text[start : start + characters] for start in range(0, len(text), characters)]
                if len(own) >= number // len(paths):
                    break
        found += own[: number // len(paths)]
    return [text for text in found if len(text) > characters // 4]


def seedbed(texts: list[str], labels: list[int], folder: Path) -> Learned:
    import numpy as np
    import torch
    import torch.nn.functional as F

    from seedbed.corpus.learned.logistic import Rows, Table, minimize

    del folder
    rows = Rows.of(texts, NGRAMS, BITS, 2)
    target = torch.tensor(labels, dtype=torch.float64)
    fitted = minimize(
        rows,
        1,
        lambda logits: F.binary_cross_entropy_with_logits(logits[:, 0], target, reduction="sum"),
        penalty=0.1,
        bias=True,
    )
    table = Table.of(rows, *fitted, NGRAMS, BITS)
    return lambda some: np.nan_to_num(table.logits(some)[:, 0])


def scikit_learn(texts: list[str], labels: list[int], folder: Path) -> Learned:
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDClassifier

    del folder
    hashing = HashingVectorizer(n_features=1 << BITS, ngram_range=(1, NGRAMS), alternate_sign=False)
    model = SGDClassifier(loss="log_loss", random_state=0).fit(hashing.transform(texts), labels)
    return lambda some: model.decision_function(hashing.transform(some))


def fasttext(texts: list[str], labels: list[int], folder: Path) -> Learned:
    import fasttext

    path = folder / "fasttext.txt"
    lines = [f"__label__{label} {' '.join(text.lower().split())}\n" for text, label in zip(texts, labels, strict=True)]
    path.write_text("".join(lines), encoding="utf8")
    model = fasttext.train_supervised(str(path), wordNgrams=NGRAMS, bucket=1 << BITS, thread=1, verbose=0)

    def scores(some: Sequence[str]) -> list[float]:
        names, shares = model.predict([" ".join(text.lower().split()) for text in some])
        return [
            float(share[0]) * (1 if name[0] == "__label__1" else -1) for name, share in zip(names, shares, strict=True)
        ]

    return scores


CONTESTANTS = {"seedbed": seedbed, "scikit_learn": scikit_learn, "fasttext": fasttext}


def contest(name: str, folder: Path) -> dict[str, Any]:
    """One contestant's figures, in this process."""
    parts = [
        [json.loads(line) for line in open(folder / f"{part}.jsonl", encoding="utf8")] for part in ("train", "test")
    ]
    (texts, labels), (others, truth) = (
        ([row["text"] for row in part], [row["good"] for row in part]) for part in parts
    )
    CONTESTANTS[name](texts[:40] + texts[-40:], labels[:40] + labels[-40:], folder)(others[:10])  # imports
    begin, clock = time.process_time(), time.perf_counter()
    learned = CONTESTANTS[name](texts, labels, folder)
    middle, wall = time.process_time(), time.perf_counter() - clock
    scores = list(learned(others))
    end = time.process_time()
    size = sum(len(text.encode()) for text in texts) / 1e6
    good = sorted(score for score, label in zip(scores, truth, strict=True) if label)
    return {
        "learning_s": round(middle - begin, 2),
        "learning_wall_s": round(wall, 2),
        "learned_mb_per_s": round(size / (middle - begin), 1),
        "scored_texts_per_s": round(len(others) / (end - middle)),
        "accuracy": round(sum((s > 0) == bool(t) for s, t in zip(scores, truth, strict=True)) / len(truth), 4),
        "auc": round(auc(good, sorted(s for s, t in zip(scores, truth, strict=True) if not t)), 4),
    }


def auc(good: list[float], bad: list[float]) -> float:
    import bisect

    wins = sum(bisect.bisect_left(bad, score) + bisect.bisect_right(bad, score) for score in good)
    return wins / 2 / (len(good) * len(bad))


def main() -> None:
    setting = arguments()
    if setting.contestant:
        print(json.dumps(contest(setting.contestant[0], Path(setting.contestant[1]))))
        return
    sides = [passages(paths, setting.texts, setting.characters) for paths in (setting.bad, setting.good)]
    rows = [{"text": text, "good": label} for label, side in enumerate(sides) for text in side]
    results: dict[str, Any] = {"texts": [len(side) for side in sides]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, chosen in (("train", [r for n, r in enumerate(rows) if n % 5]), ("test", rows[::5])):
            text = "".join(json.dumps(row) + "\n" for row in chosen)
            (folder / f"{part}.jsonl").write_text(text, encoding="utf8")
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        for contestant in CONTESTANTS:
            python = setting.peers_python if contestant == "fasttext" else sys.executable
            if python:
                command = [python, __file__, "--contestant", contestant, str(folder)]
                run = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | threads)
                results[contestant] = json.loads(run.stdout.splitlines()[-1])
                print(f"{contestant:14}", results[contestant], flush=True)
    if setting.out:
        kept.write(setting.out, results)


if __name__ == "__main__":
    main()
