"""The file that a benchmark leaves: its figures, and the command, machine and versions that they are of."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(path: str | Path, figures: Mapping[str, Any]) -> None:
    """Absolute paths of the command become names: where things lie on a machine is nobody's business."""
    from seedbed.core.machine import machine, versions

    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])
    facts = {"command": command, "machine": machine(), "versions": versions(), **figures}
    Path(path).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
