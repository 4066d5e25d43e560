"""The choice between attention kernels, by trying both for a moment.

The choice can change the last bits of results: whoever wants a run to go on bitwise in another process keeps the
chosen name (`Transformer.choose_kernel` returns it) and sets it again.
"""

from __future__ import annotations

import time

import torch

from seedbed.models.attention import attend

_ROWS = 4
_SECONDS = 0.4
_LIMIT_BYTES = 1 << 30  # of probabilities that "products" keeps for one layer; beyond it is not considered
_memory: dict[tuple[object, ...], tuple[str, str]] = {}


def choose_kernel(
    device: torch.device,
    dtype: torch.dtype,
    *,
    rows: int,
    length: int,
    heads: int,
    kv_heads: int,
    head_width: int,
    causal: bool,
) -> tuple[str, str]:
    """The faster kernel for forward and backward, and a sentence that says why. Remembered for the process."""
    size = torch.finfo(dtype).bits // 8 * rows * heads * length * length
    if device.type != "cpu":
        return "sdpa", f"attention: sdpa (on {device.type})"
    if size > _LIMIT_BYTES:
        return "sdpa", f"attention: sdpa (products would keep {size / 2**30:.1f} GiB a layer)"
    bucket = 1 << max(length - 1, 15).bit_length()
    known = (dtype, bucket, heads, kv_heads, head_width, causal, torch.get_num_threads())
    if known not in _memory:
        _memory[known] = _probe(
            dtype,
            rows=min(rows, _ROWS),
            length=length,
            heads=heads,
            kv_heads=kv_heads,
            head_width=head_width,
            causal=causal,
        )
    return _memory[known]


def _probe(
    dtype: torch.dtype, *, rows: int, length: int, heads: int, kv_heads: int, head_width: int, causal: bool
) -> tuple[str, str]:
    """Time both kernels in turn; the fastest pass of each counts, as the least disturbed one."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(kv_heads, rows, heads // kv_heads, length, head_width), *[(kv_heads, rows, length, head_width)] * 2]
    best = {"products": float("inf"), "sdpa": float("inf")}
    with torch.enable_grad(), torch.autocast("cpu", enabled=False):
        q, k, v = [torch.randn(shape, generator=generator).to(dtype).requires_grad_() for shape in shapes]
        end = time.perf_counter() + _SECONDS
        for turn in range(8):
            for name in tuple(best):
                start = time.perf_counter()
                mixed = attend(q, k, v, None, causal=causal, kernel=name)
                # torch imports its symbolic algebra, for a second, where it is given a gradient to begin with
                torch.autograd.grad((mixed * torch.ones_like(mixed)).sum(), (q, k, v))
                if turn:  # the first pass warms up
                    best[name] = min(best[name], time.perf_counter() - start)
            if turn and time.perf_counter() > end:
                break
    chosen = min(best, key=lambda name: best[name])
    figures = ", ".join(f"{name} {seconds * 1e3:.2f} ms" for name, seconds in best.items())
    return chosen, f"attention: {chosen} (probe of {rows} x {length} tokens, {str(dtype).split('.')[-1]}: {figures})"
