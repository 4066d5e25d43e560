"""Energy, where a machine can tell: the processor's counters (RAPL) and the GPUs' (NVML). None elsewhere.

Both count joules since some moment, so two readings make a consumption. RAPL counts whole packages, with all that
ran on them, and wraps around at `max_energy_range_uj`; since 2020 most systems let only root read it.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

RAPL = Path("/sys/class/powercap")


def joules(rapl: Path = RAPL, nvml: Any = None) -> dict[str, float] | None:
    """The counters by name, such as {"package-0": 81021.4, "gpu 0": 512.0}; None if there is none to read."""
    found = {**_packages(rapl), **_gpus(nvml)}
    return found or None


def used(before: dict[str, float] | None, after: dict[str, float] | None, rapl: Path = RAPL) -> float | None:
    """Joules between two readings, of all counters together; None if a counter is missing on either side."""
    if not before or not after or before.keys() != after.keys():
        return None
    wraps = _ranges(rapl)
    differences = {name: after[name] - before[name] for name in before}
    return sum(value if value >= 0 else value + wraps.get(name, 0.0) for name, value in differences.items())


def _ranges(root: Path) -> dict[str, float]:
    """Where each package's counter wraps around, in joules."""
    found = {}
    for zone in root.glob("intel-rapl:*"):
        try:
            name = (zone / "name").read_text(encoding="utf8").strip()
            found[name] = int((zone / "max_energy_range_uj").read_text(encoding="utf8")) / 1e6
        except (OSError, ValueError):
            continue
    return found


def _packages(root: Path) -> dict[str, float]:
    found = {}
    for zone in sorted(root.glob("intel-rapl:*")):
        if zone.name.count(":") > 1:  # a part of a package, which the package counts
            continue
        try:
            name = (zone / "name").read_text(encoding="utf8").strip()
            found[name] = int((zone / "energy_uj").read_text(encoding="utf8")) / 1e6
        except (OSError, ValueError):
            continue
    return found


def _gpus(library: Any) -> dict[str, float]:
    if library is None:
        try:
            library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return {}
    if library.nvmlInit_v2():
        return {}
    found = {}
    try:
        count = ctypes.c_uint()
        library.nvmlDeviceGetCount_v2(ctypes.byref(count))
        for index in range(count.value):
            handle, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()
            if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
                continue
            if not library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)):
                found[f"gpu {index}"] = millijoules.value / 1e3
    finally:
        library.nvmlShutdown()
    return found
