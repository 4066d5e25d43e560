"""A training run: its settings, its curves from metrics.jsonl, and where its tokens went. Also one still going on."""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..charts.thin import Curve
from .steps import StepFacts
from .texts import called, documentation

METRICS = "metrics.jsonl"
_ACCOUNTED = ("tokens", "padded", "truncated", "dropped", "documents")
_SETTINGS = ("model", "objective", "optimizer", "schedule", "budget", "length", "batch_tokens", "sampler", "clip")


@dataclass
class Log:
    """metrics.jsonl: curves over tokens, and its last line."""

    loss: Curve = field(default_factory=Curve)
    validation: Curve = field(default_factory=lambda: Curve(limit=60))
    rate: Curve = field(default_factory=lambda: Curve(limit=120))
    norm: Curve = field(default_factory=lambda: Curve(limit=120))
    speed: Curve = field(default_factory=lambda: Curve(limit=120))
    last: dict[str, Any] = field(default_factory=dict)
    held_out: dict[str, float] = field(default_factory=dict)  # the last validation
    broken_lines: int = 0


@dataclass
class Account:
    """Where the tokens of one source went."""

    source: str
    tokens: int
    padded: int
    truncated: int
    dropped: int
    documents: int
    epochs: float


@dataclass
class TrainingReport:
    """One model. `counts` is the manifest's; of a run that is still going on, what its log says."""

    name: str
    finished: bool
    objective: str  # as its documentation calls it
    objective_about: str
    settings: dict[str, str]
    log: Log
    accounts: list[Account]
    counts: dict[str, Any]
    budget: str = ""
    last_written: str = ""  # of a run that is not finished


def training_report(step: StepFacts) -> TrainingReport:
    """From the manifest and the log, or from the working folder."""
    folder = step.folder or (step.artifact.path if step.artifact is not None else None)
    log = read_log(folder / METRICS) if folder is not None else Log()
    counts = step.counts
    finished = step.status in ("done", "outside")
    last_written = ""
    if not finished:
        counts = {**log.last, **log.last.get("time", {}), "steps": log.last.get("step")}
        path = folder / METRICS if folder is not None else None
        if path is not None and path.is_file():
            moment = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
            last_written = moment.isoformat(timespec="seconds")
    objective = next(iter(step.parameters["objective"])) if isinstance(step.parameters.get("objective"), dict) else ""
    about = documentation("objectives", objective)[0]
    return TrainingReport(
        step.name,
        finished,
        re.split(r"[(:.,]", about)[0].strip().lower() or objective,
        about,
        {name: _setting(step.parameters[name]) for name in _SETTINGS if name in step.parameters},
        log,
        [_account(name, row) for name, row in counts.get("data", {}).items()],
        counts,
        str(step.parameters.get("budget", "")),
        last_written,
    )


def read_log(path: Path) -> Log:
    """One pass over the log in bounded memory. A last line that is being written is left out."""
    log = Log()
    if not path.is_file():
        return log
    with open(path, encoding="utf8", errors="replace") as file:
        for line in file:
            try:
                record = json.loads(line)
                tokens = float(record["tokens"])
            except (ValueError, KeyError, TypeError):
                log.broken_lines += 1
                continue
            log.loss.add(tokens, record.get("loss"))
            for curve, value in (
                (log.validation, record.get("validation_loss")),
                (log.rate, record.get("lr")),
                (log.norm, record.get("grad_norm")),
                (log.speed, record.get("time", {}).get("tokens_per_second")),
            ):
                if value is not None:
                    curve.add(tokens, value)
            held_out = {name: value for name, value in record.items() if name.startswith("validation_")}
            log.held_out = held_out or log.held_out
            log.last = record
    return log


def _account(name: str, row: dict[str, Any]) -> Account:
    tokens, padded, truncated, dropped, documents = (int(row.get(key, 0)) for key in _ACCOUNTED)
    return Account(name, tokens, padded, truncated, dropped, documents, float(row.get("epochs", 0)))


def _setting(value: Any) -> str:
    if isinstance(value, str) and value.startswith("artifact:"):
        return f"continues the model {value.removeprefix('artifact:')[:8]}"
    return called(value)
