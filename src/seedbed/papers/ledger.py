"""The ledger: a result for each study, as JSON.

What ships with the package lies in `papers/ledger/`; what a user runs is written below the runs' folder, and
`seedbed check --record` puts it into the package's own ledger.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from seedbed.core.files import read_json
from seedbed.core.fingerprint import source_digest

from .study import LEDGER, load_study, study_files


def result_path(study: str, folder: Path = LEDGER) -> Path:
    return folder / f"{study}.json"


def read_result(study: str, folder: Path = LEDGER) -> dict[str, Any] | None:
    """A study's result; None if there is none."""
    path = result_path(study, folder)
    return dict(read_json(path)) if path.is_file() else None


def stale(study: str, folder: Path = LEDGER) -> list[str]:
    """Why a study's result no longer stands for what is in the package now; nothing if it does."""
    result = read_result(study, folder)
    if result is None:
        return ["has no result yet"]
    reasons = []
    (path,) = study_files([study])
    if load_study(path).digest != result["fingerprint"]:
        reasons.append("its file or its recipe has changed")
    for name, known in result["sources"].items():
        if _module_digest(name) != known:
            reasons.append(f"{name} has changed")
    return reasons


def _module_digest(name: str) -> str:
    """As `compare.result.sources` has it; empty for a module that is gone."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        return ""
    return source_digest([module])[:16]
