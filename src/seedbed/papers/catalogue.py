"""The catalogue: one row per paper, and what this installation can say about it.

A row (`catalogue.jsonl`, sorted by id) says what the paper proposes, claims, and how the claim could be checked at
small scale. Nothing in it says how far we are: `status` and `verdict` follow from the components that `implemented_by`
names and from the files in `studies/` and `ledger/`, so that no row can promise what is not there.
"""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.errors import InputError

if TYPE_CHECKING:
    from seedbed.core.registry import Entry

Status = Literal["planned", "runs", "checked"]
STATUSES: tuple[Status, ...] = ("planned", "runs", "checked")
VERDICTS = ("reproduced", "contradicted", "not resolved")
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Paper:
    """One paper: the row, and the files that belong to it."""

    id: str
    title: str
    kind: str  # method, model, study, data-method, dataset, survey, tool
    modality: str
    family: str
    summary: str
    claim: str
    keywords: tuple[str, ...]
    check: str  # how the claim could be tested at small scale
    implemented_by: tuple[str, ...]  # "objective mlm", "step pretrain", "recipe biomedical", "study 261-cascade"
    hard: str = ""  # what small scale cannot show
    studies: tuple[Path, ...] = ()
    ledger: tuple[Path, ...] = ()

    @functools.cached_property
    def results(self) -> tuple[dict[str, Any], ...]:
        """What the ledger holds for this paper, read when it is asked for."""
        return tuple(json.loads(file.read_text(encoding="utf8")) for file in self.ledger)

    @property
    def status(self) -> Status:
        """`checked`: its claim was put to the test, quick runs aside; `runs`: its method, or a study of it, is here."""
        if any(not result["quick"] for result in self.results):
            return "checked"
        return "runs" if self.implemented_by or self.studies else "planned"

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What the tests said: mostly one verdict; several studies of one paper may differ."""
        found = {result["verdict"] for result in self.results if not result["quick"]}
        return tuple(verdict for verdict in VERDICTS if verdict in found)

    def row(self) -> dict[str, Any]:
        """The paper as JSON, with what follows from its files."""
        names = ("id", "title", "kind", "modality", "family", "summary", "claim", "keywords", "check", "hard")
        described = {name: getattr(self, name) for name in (*names, "implemented_by", "status", "verdicts")}
        return {**described, "studies": [file.stem for file in self.studies]}


@functools.cache
def load_catalogue(folder: Path = FOLDER) -> dict[str, Paper]:
    """All papers by id ("029"), in the order of their ids."""
    studies, ledger = _files(folder / "studies", "*.yaml"), _files(folder / "ledger", "*.json")
    papers = {}
    for line in (folder / "catalogue.jsonl").read_text(encoding="utf8").splitlines():
        row = json.loads(line)
        row |= {name: tuple(row[name]) for name in ("keywords", "implemented_by")}
        papers[row["id"]] = Paper(**row, studies=studies[row["id"]], ledger=ledger[row["id"]])
    return papers


def find_paper(number: str, papers: dict[str, Paper] | None = None) -> Paper:
    """The paper with this id; "29" is "029". Raises InputError that names the nearest id."""
    papers = load_catalogue() if papers is None else papers
    if number.zfill(3) in papers:
        return papers[number.zfill(3)]
    if number.isdecimal():
        nearest = min(papers.values(), key=lambda paper: abs(int(paper.id) - int(number)))
        fix = f"the nearest is {nearest.id}, {nearest.title}"
    else:
        fix = f"look for its id: seedbed papers search '{number}'"
    raise InputError("paper", "no paper has this id", value=number, allowed=f"{min(papers)} to {max(papers)}", fix=fix)


def find_component(component: str) -> Entry | None:
    """The registered method that a row's `implemented_by` names ("objective mlm"); None for a recipe or a study."""
    from seedbed import registries

    role, name = component.split(" ")
    return None if role in ("recipe", "study") else registries.registry(role).get(name)


def _files(folder: Path, pattern: str) -> defaultdict[str, tuple[Path, ...]]:
    """Files by the paper that their names begin with: 280-masking-rates.yaml."""
    found: defaultdict[str, tuple[Path, ...]] = defaultdict(tuple)
    for file in sorted(folder.glob(pattern)):
        found[file.stem.split("-")[0]] += (file,)
    return found
