"""What ran where: versions and the machine, for manifests, reports and `seedbed doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

CORES = "SEEDBED_CORES"
PACKAGES = ("torch", "numpy", "daft", "tokenizers", "sentencepiece", "safetensors", "transformers")


def versions() -> dict[str, str]:
    """Versions of Python, of seedbed and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for package in ("seedbed", *PACKAGES):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The processor, its cores and vector units, the memory, the system."""
    facts: dict[str, Any] = {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": usable_cores(),
    }
    try:
        with open("/proc/cpuinfo", encoding="utf8") as file:
            lines = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line)
        facts["processor"] = lines.get("model name\t", "").strip()
        flags = next((value.split() for name, value in lines.items() if name.strip() == "flags"), [])
        facts["flags"] = [f for f in flags if f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8")]
        facts["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, ValueError):
        facts["processor"] = platform.processor()
    return facts


def usable_cores() -> int:
    """Cores that this process may use, which is less than the machine's in a container or under taskset, or where
    several processes share the machine by agreement (`SEEDBED_CORES`)."""
    if os.environ.get(CORES):
        return max(1, int(os.environ[CORES]))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
