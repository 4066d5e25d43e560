"""Writing safetensors files as a stream: hashed on the way, no second copy in memory, errors of the disk as OSError.

The package's own `save_file` gives a full disk as an error of its own kind without errno, and its hash would need
a second pass. Reading is left to the package. The format: 8 bytes with the length of a JSON header, the header
(name -> dtype, shape, data_offsets), the tensors' bytes in little-endian order.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

if TYPE_CHECKING:
    import torch

_CHUNK = 1 << 24


def write_tensors(path: Path, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Write and fsync a file; returns its size and hash. The order of names does not change the file."""
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))  # aligned without gaps
    header: dict[str, Any] = {}
    offset = 0
    for name in names:
        size = tensors[name].numel() * tensors[name].element_size()
        header[name] = {
            "dtype": _dtype_name(tensors[name].dtype),
            "shape": list(tensors[name].shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    digest = xxhash.xxh3_128()
    with open(path, "wb") as file:
        for piece in (struct.pack("<Q", len(text)), text):
            file.write(piece)
            digest.update(piece)
        for name in names:
            content = _bytes_of(tensors[name])
            for start in range(0, len(content), _CHUNK):
                file.write(content[start : start + _CHUNK])
                digest.update(content[start : start + _CHUNK])
        file.flush()
        os.fsync(file.fileno())
    return {"size": 8 + len(text) + offset, "xxh3": digest.hexdigest()}


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a file, in memory of their own."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        # cloned, for what the package gives may be the mapped file itself
        return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (it is no mapping)


def _bytes_of(tensor: torch.Tensor) -> memoryview:
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def _dtype_name(dtype: torch.dtype) -> str:
    import torch

    names = {
        torch.float64: "F64",
        torch.float32: "F32",
        torch.float16: "F16",
        torch.bfloat16: "BF16",
        torch.int64: "I64",
        torch.int32: "I32",
        torch.int16: "I16",
        torch.int8: "I8",
        torch.uint8: "U8",
        torch.bool: "BOOL",
    }
    assert dtype in names, f"no tensor of {dtype} can be saved"
    return names[dtype]
