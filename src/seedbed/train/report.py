"""What a finished run leaves beside its weights: counts for the manifest, and the model card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.objectives.load import Load
from seedbed.train.accounting import flops_per_token, memory
from seedbed.train.metrics import METRICS
from seedbed.train.passes import LOAD

if TYPE_CHECKING:
    from seedbed.train.numerics import Numerics
    from seedbed.train.run import Run
    from seedbed.train.sources import Sources

_LAST = 50  # steps that the final loss is a mean of


def counts(run: Run, sources: Sources, numerics: Numerics, folder: Path) -> dict[str, Any]:
    """Everything countable about the run, but for the size of the network that is saved."""
    return {
        "steps": run.step,
        "tokens": run.tokens,
        "padding": run.positions - run.tokens,
        "targets": run.targets,
        "data": sources.labelled(run.stream.counts),
        "epochs": round(run.tokens / sources.num_tokens, 4),
        "trainable_parameters": sum(p.numel() for p in run.network.parameters() if p.requires_grad),
        "flops": _flops(run),
        "memory": memory(run, run.row_tokens),
        "seconds": round(run.seconds, 2),
        "cpu_seconds": round(run.cpu_seconds, 2),
        "tokens_per_second": round(run.tokens / run.seconds, 1) if run.seconds else None,
        "numerics": numerics.as_dict(),
        "skipped_steps": 0,
        "rollbacks": 0,
        **run.counts,
        **_final(folder / METRICS),
    }


def _flops(run: Run) -> float | None:
    """Of forward and backward, for all positions, logits at targets only, as the interventions change them. Where the
    objective gives the network other rows than the batch's, the loop has counted what it read."""
    architecture = getattr(run.network, "architecture", None)
    if architecture is None or not run.step:
        return None
    length = round(run.pairs / run.positions)
    share = run.targets / run.positions
    load = None
    if run.objective.reshapes:
        read, pairs, written = (run.counts.get(name, 0.0) for name in LOAD)
        load = Load(read, pairs, written, run.targets).over(run.positions)
    return flops_per_token(architecture, run.interventions, length, share, run.objective, load) * run.positions


def _final(log: Path) -> dict[str, Any]:
    """The mean loss of the last steps, and the last validation."""
    lines = log.read_text(encoding="utf8").splitlines() if log.is_file() else []
    records = [json.loads(line) for line in lines]
    losses = [record["loss"] for record in records[-_LAST:] if record.get("loss") is not None]
    found: dict[str, Any] = {"loss": round(sum(losses) / len(losses), 6) if losses else None}
    for record in reversed(records):
        validation = {name: value for name, value in record.items() if name.startswith("validation_")}
        if validation:
            return {**found, **validation}
    return found


def card(name: str, parameters: dict[str, Any], counts: dict[str, Any]) -> dict[str, Any]:
    """What the model card says of the training."""

    def called(value: Any) -> str:
        if isinstance(value, dict) and len(value) == 1:
            ((kind, settings),) = value.items()
            return f"{kind} ({', '.join(f'{k}={v}' for k, v in settings.items())})" if settings else str(kind)
        return str(value)

    details = {
        "objective": called(parameters.get("objective")),
        "optimizer": called(parameters.get("optimizer")),
        "schedule": called(parameters.get("schedule")),
        "tokens seen": f"{counts['tokens']:,} ({counts['epochs']:g} epochs), {counts['steps']:,} steps",
        "tokens a row": parameters.get("length"),
        "arithmetic": counts["numerics"]["precision"]["name"],
        "skipped updates": counts["skipped_steps"],
    }
    results = [{"task": "training", "metric": "loss (nats a target)", "value": counts["loss"]}]
    if "validation_loss" in counts:
        results.append({"task": "validation", "metric": "loss (nats a target)", "value": counts["validation_loss"]})
    return {"name": name, "description": "Pretrained with Seedbed.", "details": details, "results": results}
