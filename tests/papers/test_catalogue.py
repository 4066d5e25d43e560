"""Catalogue, registries, recipes, studies and ledger say the same."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from seedbed import registries
from seedbed.core.errors import InputError
from seedbed.papers.catalogue import FOLDER, STATUSES, VERDICTS, find_component, find_paper, load_catalogue

ROOT = Path(__file__).parents[2]
FILES = ("recipe ", "study ")  # what a row names that is in no registry
LENGTHS = {"title": (15, 160), "summary": (60, 200), "claim": (50, 200), "check": (80, 240)}
BRITISH = (
    r"\w+isations?\b|artefact|labell|modell|encyclopaedia|(?:behavi|neighb|fav|col|lab)our|licence"
    r"|(?:initial|normal|optim|general|special|local|memor|token|summar|real|factor|quant|verbal|synthes)is(?:e|ing)"
)


def rows():
    return [json.loads(line) for line in (FOLDER / "catalogue.jsonl").read_text(encoding="utf8").splitlines()]


def registered():
    """(paper, component) as the registries have it."""
    return {
        (paper, f"{name.removesuffix('s')} {entry.name}")
        for name in registries.names()
        for entry in registries.registry(name)
        for paper in entry.papers
    }


def misfits(folder, recipes):
    """What the files beside the catalogue, or the recipes that it names, do not hold together."""
    papers = load_catalogue(folder)
    found = []
    for file in sorted([*folder.glob("studies/*.yaml"), *folder.glob("ledger/*.json")]):
        paper = file.stem.split("-")[0]
        read = yaml.safe_load if file.suffix == ".yaml" else json.loads
        content = read(file.read_text(encoding="utf8"))
        if paper not in papers or str(content["paper"]) != paper or not re.fullmatch(r"\d{3}-[a-z0-9-]+", file.stem):
            found.append(f"{file.name}: its name does not begin with its paper")
        if file.suffix == ".json":
            if not (folder / "studies" / f"{file.stem}.yaml").exists():
                found.append(f"{file.name}: no such study")
            if content["quick"] or content["verdict"] not in VERDICTS:
                found.append(f"{file.name}: no evidence")
    for paper in papers.values():
        for name in paper.implemented_by:
            if name.startswith("recipe ") and not (recipes / f"{name.removeprefix('recipe ')}.yaml").exists():
                found.append(f"{paper.id}: {name} does not exist")
            if name.startswith("study ") and name.removeprefix("study ") not in [file.stem for file in paper.studies]:
                found.append(f"{paper.id}: {name} is none of its studies")
    return found


def test_every_row_is_whole():
    assert [row["id"] for row in rows()] == [f"{number:03}" for number in range(1, 400)]
    for row in rows():
        assert {"hard", *row} == {"hard", *LENGTHS, "id", "kind", "modality", "family", "keywords", "implemented_by"}
        assert all(value for name, value in row.items() if name != "implemented_by"), row["id"]
        for name, (least, most) in LENGTHS.items():
            assert least <= len(row[name]) <= most and row[name] == " ".join(row[name].split()), (row["id"], name)
        assert 6 <= len(row["keywords"]) <= 14 and len(set(row["keywords"])) == len(row["keywords"]), row["id"]
        own = " ".join(str(row.get(name, "")) for name in ("family", "summary", "claim", "keywords", "check", "hard"))
        assert not re.search(BRITISH, own), (row["id"], re.search(BRITISH, own))
    assert len({row["title"].lower() for row in rows()}) == len({row["summary"] for row in rows()}) == 399


def test_rows_and_registries_say_the_same():
    """A method that names a paper stands in that paper's row, and a row names only methods that name the paper."""
    named = {(row["id"], name) for row in rows() for name in row["implemented_by"] if not name.startswith(FILES)}
    assert named == registered()
    for _, name in named:
        entry = find_component(name)
        assert entry is not None and entry.name == name.split()[1]
    assert find_component("recipe quickstart") is None


def test_files_and_recipes_fit():
    assert misfits(FOLDER, ROOT / "recipes") == []


def test_a_paper_with_a_study_says_what_runs_it():
    assert [paper.id for paper in load_catalogue().values() if paper.studies and not paper.implemented_by] == []


@pytest.fixture
def small(tmp_path):
    """A catalogue of three papers with two studies, of which one has a result."""
    chosen = [row for row in rows() if row["id"] in ("018", "029", "076")]
    text = "".join(json.dumps(row) + "\n" for row in chosen)
    (tmp_path / "catalogue.jsonl").write_text(text, encoding="utf8")
    for name in ("studies", "ledger"):
        (tmp_path / name).mkdir()
    for name in ("029-domain-vocabulary", "076-min-k"):
        (tmp_path / "studies" / f"{name}.yaml").write_text(f'paper: "{name[:3]}"\n', encoding="utf8")
    write_result(tmp_path, "076-min-k")
    return tmp_path


def write_result(folder, name, **changes):
    result = {"paper": name[:3], "quick": False, "verdict": "contradicted", **changes}
    (folder / "ledger" / f"{name}.json").write_text(json.dumps(result), encoding="utf8")


def name_only(folder, paper, *names):
    """In a row, what runs its method."""
    path = folder / "catalogue.jsonl"
    changed = [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]
    changed = [row | ({"implemented_by": names} if row["id"] == paper else {}) for row in changed]
    path.write_text("".join(json.dumps(row) + "\n" for row in changed), encoding="utf8")


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda folder: (folder / "studies" / "400-none.yaml").write_text('paper: "400"\n'), "400-none.yaml: its name"),
        (lambda folder: (folder / "studies" / "018-other.yaml").write_text('paper: "029"\n'), "018-other.yaml: its"),
        (lambda folder: name_only(folder, "018", "study 018-mosaic"), "018: study 018-mosaic is none of its"),
        (lambda folder: write_result(folder, "018-mosaic"), "018-mosaic.json: no such study"),
        (lambda folder: write_result(folder, "076-min-k", quick=True), "076-min-k.json: no evidence"),
        (lambda folder: write_result(folder, "076-min-k", verdict=None), "076-min-k.json: no evidence"),
    ],
)
def test_what_does_not_fit_is_seen(small, break_it, words):
    assert misfits(small, ROOT / "recipes") == []
    break_it(small)
    load_catalogue.cache_clear()
    (problem,) = misfits(small, ROOT / "recipes")
    assert problem.startswith(words)
    assert "029: recipe biomedical does not exist" in misfits(small, small)


def test_status_and_verdict_follow_from_files(small):
    papers = load_catalogue(small)
    assert {paper.id: paper.status for paper in papers.values()} == {"018": "runs", "029": "runs", "076": "checked"}
    assert papers["076"].verdicts == ("contradicted",) and papers["029"].verdicts == ()
    assert papers["029"].studies[0].stem == "029-domain-vocabulary" and papers["018"].studies == ()
    assert papers["076"].row()["studies"] == ["076-min-k"]

    write_result(small, "029-domain-vocabulary", quick=True, verdict="reproduced")
    write_result(small, "076-a", verdict="reproduced")
    load_catalogue.cache_clear()
    papers = load_catalogue(small)
    assert papers["029"].status == "runs" and papers["029"].verdicts == ()  # a quick run is no evidence
    assert papers["076"].verdicts == ("reproduced", "contradicted")  # two studies of one paper
    (small / "ledger" / "076-a.json").unlink()
    (small / "ledger" / "076-min-k.json").unlink()
    load_catalogue.cache_clear()
    assert load_catalogue(small)["076"].status == "runs"  # its study can be run
    (small / "studies" / "076-min-k.yaml").unlink()
    load_catalogue.cache_clear()
    assert load_catalogue(small)["076"].status == "planned"


def test_the_catalogue_of_the_package():
    papers = load_catalogue()
    assert load_catalogue() is papers
    assert {paper.status for paper in papers.values()} <= set(STATUSES)
    assert papers["280"].status in ("runs", "checked") and papers["029"].family == "domain-language-model"


def test_papers_are_found_by_number():
    assert find_paper("29") is find_paper("029") is load_catalogue()["029"]
    with pytest.raises(InputError, match="nearest is 399"):
        find_paper("401")
    with pytest.raises(InputError, match="nearest is 001"):
        find_paper("0")
    with pytest.raises(InputError, match="papers search 'wechsel'"):
        find_paper("wechsel")


def test_searching_imports_little():
    code = (
        "import sys; from seedbed.papers.search import search; search('tokenizer')\n"
        "print([m for m in ('torch', 'daft', 'numpy', 'pydantic', 'yaml') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
