"""The presets of recipes/language.yaml on small real languages: what of the text stays, what the vocabulary is like,
and whether the model has learned more than counts tell.

    python benchmarks/presets.py --data DATA --runs FOLDER --out benchmarks/results/presets.json
    python benchmarks/presets.py --data DATA --only luo maltese --budget 20000

`DATA` holds `afrolm-mono`, `masakhaner2`, `lafand-mt` (non-commercial: for measuring only), `bible`, `flores-v1-ne-si`,
`indonlu`, `laws-deu`, `novels-deu`, `ud`, `udhr` and `wisesight-thai`. Of each language at most `--mb` megabytes are
read. Uzbek and Bangla have nothing there but the Universal Declaration of Human Rights, 37 and 27 kB: that shows that
their presets run, and nothing about the models. Networks and seeds are the recipe's; `--budget` is in tokens, of which
some languages get a part or a multiple, and of labeled records `--labels` are for training and as many for the test.
What is there in `--runs` is not made again.
"""

from __future__ import annotations

import argparse
import json
import lzma
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kept

RECIPE = Path(__file__).parent.parent / "recipes" / "language.yaml"
Overrides = dict[str, Any]
# The metric that stands in the table, of each task that a preset may have.
SHOWN = {"masked_accuracy": "accuracy", "replaced_tokens": "balanced_accuracy"}
LABELED_TASKS = {"tagging": "tokens", "classification": "sequences"}
LABELED_METRICS = ("span_f1", "macro_f1", "accuracy")


@dataclass(frozen=True)
class Case:
    """A language and its presets. `make` gets the data and an empty folder, and gives overrides."""

    language: str
    text: str
    presets: tuple[str, ...]
    make: Callable[[Path, Path, float], Overrides]
    size: int = 4096
    share: float = 1.0  # of the budget


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--budget", type=int, default=300_000, help="tokens")
    parser.add_argument(
        "--labels", type=int, default=500, help="labeled records for training, and as many for the test"
    )
    parser.add_argument("--mb", type=float, default=4.0, help="of text, for each language")
    parser.add_argument("--runs", type=Path, help="a folder that stays")
    parser.add_argument("--out", type=Path)
    setting = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        for name in setting.only:
            found[name] = measure(name, setting, setting.runs or Path(place))
            print(row_of(found[name]), flush=True)
            if setting.out:
                given = {name: getattr(setting, name) for name in ("budget", "labels", "mb")}
                kept.write(setting.out, {**given, "languages": found})
    if any("error" in row for row in found.values()):
        sys.exit(1)


def measure(name: str, setting: argparse.Namespace, root: Path) -> dict[str, Any]:
    """Run one language's recipe, and read what came of it; an error stands in the place of figures."""
    from seedbed.core.errors import InputError
    from seedbed.recipe.execute import Workspace, run_plan
    from seedbed.recipe.plan import make_plan
    from seedbed.recipe.recipe import load_recipe

    case = CASES[name]
    facts = {"language": case.language, "text": case.text, "presets": list(case.presets)}
    folder = root / "texts" / name
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier call with more megabytes wrote
    folder.mkdir(parents=True)
    try:
        overrides = case.make(setting.data, folder, setting.mb * 1e6)
        budget = f"{int(setting.budget * case.share)} tokens"
        overrides = {"preset": list(case.presets), "name": name, "size": case.size, "budget": budget} | overrides
        for preset, task in LABELED_TASKS.items():
            if preset in case.presets:  # the task behind the one that needs no labels
                overrides |= {f"scores.tasks.1.{task}.{most}": setting.labels for most in ("max_train", "max_test")}
        recipe = load_recipe(RECIPE).overridden(overrides)
        work = Workspace(root)
        plan = make_plan(recipe, work.store)
        made = run_plan(plan, say=lambda line: print(line, file=sys.stderr), links=work.folder(recipe))
    except InputError as error:
        return {**facts, "error": str(error)}
    return {**facts, **figures(made)}


def figures(made: dict[str, Any]) -> dict[str, Any]:
    """From the counts of corpora and vocabulary, the scores, and the time that every step took."""
    read, rest = made["text"].counts["read"], made["corpus"].counts["kept"]
    groups = made["vocabulary"].counts["by_domain"].values()
    summary = made["scores"].summary()
    seconds = {step: artifact.manifest["times"]["seconds"] for step, artifact in made.items()}
    return {
        "documents": read["documents"],
        "bytes": read["bytes"],
        "bytes_without_test": made["text"].counts["kept"]["bytes"],  # of labeled data
        "kept_documents": rest["documents"],
        "kept_share": rest["bytes"] / read["bytes"],
        "vocabulary": made["vocabulary"].counts["size"],
        "bytes_per_token": sum(group["bytes"] for group in groups) / sum(group["tokens"] for group in groups),
        "measured_on": made["vocabulary"].counts["measured_on"],
        "tokens": made["encoder"].counts["tokens"],
        "parameters": made["encoder"].counts["parameters"],
        "scores": {
            task: {"systems": found["systems"], "model_minus": found["model_minus"], "counts": found["counts"]}
            for task, found in summary.items()
        },
        "seconds": seconds,
        "seconds_in_all": sum(seconds.values()),
    }


def row_of(row: dict[str, Any]) -> str:
    """A line of a table in Markdown: read and kept, vocabulary and bytes a token, scores, time."""
    first = f"| {row['language']}: {row['text']} | {', '.join(f'`{name}`' for name in row['presets'])}"
    if "error" in row:
        return f"{first} | error: {row['error']} |"
    cells = [f"{row['bytes'] / 1e6:.2f} MB, {row['kept_share']:.0%}"]
    cells.append(f"{row['vocabulary']:,}, {row['bytes_per_token']:.2f}")
    for task, found in row["scores"].items():
        metric = SHOWN.get(task) or next(name for name in LABELED_METRICS if name in found["systems"]["model"])
        systems = {name: scores[metric] for name, scores in found["systems"].items() if metric in scores}
        cells.append(f"{metric}: " + ", ".join(f"{name} {_span(entry)}" for name, entry in systems.items()))
    return " | ".join([first, *cells, f"{row['seconds_in_all']:.0f} s |"])


def _span(entry: dict[str, Any]) -> str:
    ends = "" if entry["low"] is None else f" [{entry['low']:.3f}, {entry['high']:.3f}]"
    return f"{entry['mean']:.3f}{ends}"


def records(path: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf8") as file:
        yield from map(json.loads, file)


def write(path: Path, lines: Iterable[str], most: float) -> None:
    """A text file of at most so many bytes."""
    with path.open("w", encoding="utf8", newline="\n") as file:
        for line in lines:
            most -= len(line.encode())
            if most < 0:
                return
            file.write(line + "\n")


def declaration(data: Path, *codes: str) -> Iterator[str]:
    """The lines of the Universal Declaration in these versions."""
    for record in records(data / "udhr/docs.jsonl.xz"):
        if record["id"] in codes:
            yield from (line.strip() for line in record["text"].split("\n") if line.strip())


def indic(data: Path, folder: Path, most: float) -> Overrides:
    """Nepali sentences of an encyclopedia, and ten languages' Declarations."""
    paths = []
    with tarfile.open(data / "flores-v1-ne-si/flores_test_sets.tgz") as archive:
        names = [f"flores_test_sets/wikipedia.{part}.ne-en.ne" for part in ("dev", "devtest", "test")]
        files = [archive.extractfile(name) for name in names]
        lines = [line for file in files if file for line in file.read().decode("utf8").splitlines()]
    for code in ("hin", "mar", "san", "ben", "guj", "pan", "tam", "tel", "kan", "mal"):
        paths.append(folder / f"{code}.txt")
        write(paths[-1], declaration(data, code), most)
    write(folder / "nep.txt", lines, most)
    return {"data": str(folder)}


def naija(data: Path, folder: Path, most: float) -> Overrides:
    """News in Nigerian Pidgin, with entities."""
    lines = [row["pcm"] for row in records(data / "lafand-mt/en-pcm/train.jsonl.xz")]
    lines += [" ".join(row["tokens"]) for row in records(data / "masakhaner2/pcm/train.jsonl.xz")]
    write(folder / "news.txt", lines, most)
    return {"data": str(folder), "labels": str(data / "masakhaner2/pcm")}


def uzbek(data: Path, folder: Path, most: float) -> Overrides:
    write(folder / "declaration.txt", declaration(data, "uzn_cyrl", "uzn_latn"), most)
    return {"data": str(folder)}


def bangla(data: Path, folder: Path, most: float) -> Overrides:
    write(folder / "declaration.txt", declaration(data, "ben"), most)
    return {"data": str(folder)}


def thai(data: Path, folder: Path, most: float) -> Overrides:
    """Messages, with how their writers feel."""
    del folder, most
    path = data / "wisesight-thai"
    return {"text.read": [{"jsonl": {"path": str(path / "train.jsonl.xz")}}], "labels": str(path)}


def novels(data: Path, folder: Path, most: float) -> Overrides:
    texts = (row["text"] for row in records(data / "novels-deu/train.jsonl.xz"))
    write(folder / "novels.txt", (line for text in texts for line in text.split("\n") if line), most)
    return {"data": str(folder)}


def laws(data: Path, folder: Path, most: float) -> Overrides:
    """A file for each law."""
    for number, row in enumerate(records(data / "laws-deu/docs.jsonl.xz")):
        most -= len(row["text"].encode())
        if most < 0:
            break
        (folder / f"{number}.txt").write_text(row["text"], encoding="utf8")
    return {"data": str(folder)}


def quiche(data: Path, folder: Path, most: float) -> Overrides:
    """The New Testament in K'iche', a verse a line."""
    write(folder / "verses.txt", (row["text"] for row in records(data / "bible/K'iche'-NT-SIL.jsonl.xz")), most)
    return {"data": str(folder), "language": "quc", "contact": "spa"}


def maltese(data: Path, folder: Path, most: float) -> Overrides:
    """A treebank, whose test sentences the preset takes out, and the Declaration."""
    write(folder / "declaration.txt", declaration(data, "mlt"), most)
    treebank = str(data / "ud/UD_Maltese-MUDT")
    law = {"path": str(folder), "unit": "line", "domain": "law"}
    return {"text.read": [{"conllu": {"path": treebank, "domain": "treebank"}}, {"text": law}], "labels": treebank}


def wolof(data: Path, folder: Path, most: float) -> Overrides:
    write(folder / "lines.txt", (row["text"] for row in records(data / "afrolm-mono/wol.jsonl.xz")), most)
    return {"data": str(folder), "language": "wol", "contact": "fra"}


def luo(data: Path, folder: Path, most: float) -> Overrides:
    """News in Luo, which the identifier does not know; in it stand some of the test sentences."""
    write(folder / "lines.txt", (row["text"] for row in records(data / "afrolm-mono/luo.jsonl.xz")), most)
    return {"data": str(folder), "labels": str(data / "masakhaner2/luo")}


def indonesian(data: Path, folder: Path, most: float) -> Overrides:
    """Reviews, with what they think."""
    labels = folder.with_name("indonesian-labels")
    labels.mkdir(exist_ok=True)
    for part in ("train", "test"):
        path = data / f"indonlu/smsa_doc-sentiment-prosa/{part}.tsv.xz"
        with lzma.open(path, "rt", encoding="utf8") as file:
            rows = [line.rstrip("\n").rpartition("\t") for line in file]
        found = [json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, _, label in rows]
        write(labels / f"{part}.jsonl", found, float("inf"))
        if part == "train":
            write(folder / "reviews.txt", (text for text, _, _ in rows), most)
    return {"data": str(folder), "labels": str(labels), "language": "ind"}


CASES = {
    "indic": Case("eleven Indic languages", "Nepali encyclopedia, ten Declarations", ("indic", "lines"), indic),
    "naija": Case("Nigerian Pidgin", "news, entities", ("tunbert", "lines", "tagging"), naija),
    "uzbek": Case("Uzbek", "the Declaration in two scripts", ("uzbert", "lines"), uzbek, 512, 0.1),
    "thai": Case("Thai", "messages, sentiment", ("wangchanberta", "classification"), thai),
    "bangla": Case("Bangla", "the Declaration", ("banglabert", "lines"), bangla, 512, 0.1),
    "novels": Case("German", "novels", ("gottbert", "lines"), novels),
    "laws": Case("German", "laws, a file each", ("gottbert", "files"), laws),
    "quiche": Case("K'iche'", "the New Testament", ("monobyte", "lines"), quiche, 512, 10 / 3),
    "maltese": Case("Maltese", "a treebank, the Declaration", ("bertu", "tagging"), maltese, 2048),
    "wolof": Case("Wolof", "web and news", ("lines",), wolof),
    "luo": Case("Luo", "news, entities", ("unlisted", "lines", "tagging"), luo),
    "indonesian": Case("Indonesian", "reviews, sentiment", ("lines", "classification"), indonesian),
}

if __name__ == "__main__":
    main()
