"""Extractors of web pages' text: how much of the truth they find, how much beside it, and at what speed.

    python benchmarks/extraction.py --data FOLDER --out benchmarks/results/extraction.json

FOLDER holds one or both of
- article-extraction/pages.jsonl.xz (`html`, `article`): pages with hand-made text, from scrapinghub's
  article-extraction-benchmark. Precision and recall of the multiset of words, and of that of runs of four words
  (shingles, as that benchmark's own measure is), for each page; their means over the pages, and F1 of these means.
- trafilatura-eval/pages.jsonl.xz (`html`, `must_have`, `must_not`): pages with strings that belong to the text or do
  not, from trafilatura's evaluation. A string counts as found if it stands in the text, with all white space as one
  blank (there it is taken as it is, which depends on where an extractor breaks lines). Precision and recall over all
  strings.

Speed: pages and megabytes of HTML per second of CPU time, one process, decoding and parsing included; the text alone,
no metadata beyond title and language. Intervals: 95%, by resampling pages. A page without text counts as an empty one.
`--neural FOLDER` adds a trained neural extractor, `--train-neural 5` those that are trained for this by the step
`train_extractor`: each on the pages of both sets but for a fifth of the sites, whose pages it then extracts, so that no
page's site was learned from and every page counts. `--only` chooses among the others.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import lzma
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import kept
import numpy as np

from seedbed.core.artifact import Artifact
from seedbed.core.counters import generator
from seedbed.corpus import extractors
from seedbed.corpus.input.pages import NoText
from seedbed.corpus.neural.labeled import LabeledPage, is_held_back, site_of
from seedbed.recipe.execute import Workspace, run_recipe
from seedbed.recipe.recipe import parse_recipe

CONTESTANTS: dict[str, list[Any]] = {  # several take turns by the fold of a page's site
    "resiliparse": [{"resiliparse": {}}],
    "resiliparse, all text": [{"resiliparse": {"main_content": False}}],
    "trafilatura": [{"trafilatura": {"fast": False}}],
    "trafilatura, fast": [{"trafilatura": {"fast": True}}],
    "trafilatura, precision": [{"trafilatura": {"favor": "precision", "fast": False}}],
    "trafilatura, recall": [{"trafilatura": {"favor": "recall", "fast": False}}],
}
SETS = ("article-extraction", "trafilatura-eval")
WORD = re.compile(r"\w+")
RESAMPLES = 1000
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", nargs="*", choices=list(CONTESTANTS))
    parser.add_argument("--neural", type=Path, help="a trained extractor")
    parser.add_argument("--train-neural", type=int, metavar="FOLDS", help="train one for each fold of the sites")
    parser.add_argument("--pages", type=int, help="of each set, the first so many")
    options = parser.parse_args()
    contestants = {name: CONTESTANTS[name] for name in options.only or CONTESTANTS}
    if options.neural:
        contestants["neural"] = [{"neural": {"model": str(options.neural)}}]
    paths = {name: options.data / name / "pages.jsonl.xz" for name in SETS}
    paths = {name: path for name, path in paths.items() if path.is_file()}
    if not paths:
        parser.error(f"{options.data} holds neither of {', '.join(SETS)}")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        training = {}
        if options.train_neural:
            contestants["neural"], training = trained(list(paths.values()), options.train_neural, Path(folder))
        for name, path in paths.items():
            with lzma.open(path, "rt", encoding="utf8") as file:
                rows = [json.loads(line) for line in file][: options.pages]
            results += list(race(name, rows, contestants))
    if options.out:
        kept.write(options.out, {"peers": peers(), **training, "results": results})


def trained(paths: Sequence[Path], folds: int, folder: Path) -> tuple[list[Any], dict[str, Any]]:
    """An extractor for each fold, which has not learned from the sites of that fold, and what their training took."""
    given = {"pages": list(map(str, paths)), "folds": folds}
    steps = {f"fold-{seed}": {"train_extractor": {**given, "seed": seed}} for seed in range(folds)}
    recipe, place = parse_recipe({"name": "neural", "steps": steps}), Workspace(folder)
    start = time.process_time()
    run_recipe(recipe, place, say=print)
    models = [place.folder(recipe) / name for name in steps]
    facts = {"folds": folds, "cpu_seconds": round(time.process_time() - start, 1)}
    return [{"neural": {"model": str(model.resolve())}} for model in models], {"training": facts}


def race(name: str, rows: Sequence[Row], contestants: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Each contestant on one set of pages."""
    pages = [row["html"].encode() for row in rows]
    print(f"{name}: {len(rows)} pages, {sum(map(len, pages)) / 1e6:.1f} MB")
    for label, components in contestants.items():
        turns = [turn_of(row["url"], len(components)) for row in rows]
        texts, seconds = [""] * len(pages), 0.0
        for turn, component in enumerate(components):
            own = [place for place, its in enumerate(turns) if its == turn]
            found, took = extracted(component, [pages[place] for place in own])
            seconds += took
            for place, text in zip(own, found, strict=True):
                texts[place] = text
        configuration = components[0] if len(components) == 1 else {"neural": {"folds": len(components)}}
        score = against_strings if "must_have" in rows[0] else against_articles
        figures = score(rows, texts)
        figures["pages_per_cpu_second"] = round(len(pages) / seconds, 1)
        figures["mb_per_cpu_second"] = round(sum(map(len, pages)) / 1e6 / seconds, 2)
        figures["without_text"] = sum(not text for text in texts)
        print(f"  {label:24}" + "  ".join(f"{key} {value}" for key, value in figures.items()), flush=True)
        yield {"set": name, "pages": len(rows), "extractor": label, "configuration": configuration, **figures}


def turn_of(url: str, folds: int) -> int:
    """The seed under which `train_extractor` with so many folds holds the page's site back."""
    page = LabeledPage("", site_of(url), "", None)
    return next((seed for seed in range(folds) if is_held_back(page, folds, seed)), 0)


def extracted(component: Any, pages: Sequence[bytes]) -> tuple[list[str], float]:
    """The text of each page, and CPU seconds for all of them; what is imported and loaded at first use not counted."""
    extractor = extractors.parse(component).build(build_artifact=lambda it: Artifact.kinds[it.kind](Path(it.target)))

    def text_of(page: bytes) -> str:
        try:
            return str(extractor.extract(page, "utf-8").text)
        except NoText:
            return ""

    text_of(pages[0])
    start = time.process_time()
    texts = [text_of(page) for page in pages]
    return texts, time.process_time() - start


def against_articles(rows: Sequence[Row], texts: Sequence[str]) -> dict[str, Any]:
    """Words and runs of four words of the text that somebody marked."""
    figures: dict[str, Any] = {}
    for name, length in (("word", 1), ("shingle", 4)):
        pairs = [(grams(row["article"], length), grams(text, length)) for row, text in zip(rows, texts, strict=True)]
        counts_P3 = np.array([[(a & b).total(), b.total(), a.total()] for a, b in pairs], dtype=float)
        figures |= {f"{name}_{key}": value for key, value in rates(counts_P3, by_page=True).items()}
    return figures


def grams(text: str, length: int) -> Counter[tuple[str, ...]]:
    """Runs of words; a text that is shorter is one run."""
    words = WORD.findall(text)
    runs = [tuple(words[start : start + length]) for start in range(max(1, len(words) - length + 1))]
    return Counter(run for run in runs if run)


def against_strings(rows: Sequence[Row], texts: Sequence[str]) -> dict[str, Any]:
    """Strings that belong to the text, and strings that do not."""
    counts = []
    for row, text in zip(rows, texts, strict=True):
        plain = joined(text)
        right = sum(joined(string) in plain for string in row["must_have"])
        wrong = sum(joined(string) in plain for string in row["must_not"])
        counts.append([right, right + wrong, len(row["must_have"])])
    return {f"string_{key}": value for key, value in rates(np.array(counts, dtype=float), by_page=False).items()}


def joined(text: str) -> str:
    return " ".join(text.split())


def rates(counts_P3: np.ndarray, *, by_page: bool) -> dict[str, float]:
    """Precision, recall and F1 from what was found rightly, found, and there to be found, for each page."""
    draw_RP = generator(0, "extraction").integers(len(counts_P3), size=(RESAMPLES, len(counts_P3)))
    drawn = np.array([f1_of(counts_P3[draw_P], by_page)[2] for draw_P in draw_RP])
    precision, recall, f1 = f1_of(counts_P3, by_page)
    found = {"f1": f1, "f1_plus_minus": 1.96 * drawn.std(), "precision": precision, "recall": recall}
    return {name: round(float(value), 4) for name, value in found.items()}


def f1_of(counts_P3: np.ndarray, by_page: bool) -> tuple[float, float, float]:
    right_P, found_P, there_P = counts_P3.T
    if by_page:  # a page on which nothing was found has no precision
        precision = float((right_P / np.maximum(found_P, 1))[found_P > 0].mean()) if found_P.any() else 0.0
        recall = float((right_P / np.maximum(there_P, 1))[there_P > 0].mean())
    else:
        precision, recall = right_P.sum() / max(found_P.sum(), 1), right_P.sum() / max(there_P.sum(), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-12)


def peers() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("resiliparse", "trafilatura", "lxml")}


if __name__ == "__main__":
    main()
