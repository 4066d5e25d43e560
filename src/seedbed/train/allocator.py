"""Memory that glibc keeps instead of giving it back after every step.

Freed blocks above 128 KiB normally go back to the system, and the next step pays page faults for all its
activations again. Thresholds at their maximum keep them (worth up to a quarter of a step where logits are large).
"""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST = 2**31 - 1
_LARGEST_OLD = 32 * 2**20  # what glibc accepts before it dropped its check (half a heap)


def keep_memory() -> bool:
    """Set the thresholds for this process; False where the C library is not glibc, or refuses."""
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    mapped = any(mallopt(_M_MMAP_THRESHOLD, size) for size in (_LARGEST, _LARGEST_OLD))
    return bool(mallopt(_M_TRIM_THRESHOLD, _LARGEST)) and mapped
