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
