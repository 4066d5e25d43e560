"""Which arithmetic to train in: chosen by a probe of well under a second, and said.

Weights, gradients' sums and optimizer states are always fp32; what is chosen is the arithmetic of the products.
- bf16: autocast, where products in bf16 are fast (AVX-512 bf16, AMX, any recent GPU).
- fp32: by oneDNN ("medium" of torch) where that is faster and its error is really fp32's. On processors with AMX
  or bf16 units, "medium" may round the factors to bf16; the probe measures the error and then leaves it.
- exact fp32: torch's default, when asked for by name.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

Wanted = Literal["auto", "bf16", "fp32"]

_SHAPE = (2048, 384, 1536)  # tokens, width, inner width of a small encoder
_FASTER = 1.3  # bf16 must win by this much in bare products, for its casts cost something
_FP32_ERROR = 2e-6  # relative error of a product of 384 terms: about 4e-7 in fp32, 3e-3 in bf16


@dataclass(frozen=True)
class Precision:
    """The arithmetic of a run. `products` is torch's setting for fp32 products ("highest" or "medium")."""

    name: Literal["bf16", "fp32"]
    products: Literal["highest", "medium"] = "highest"
    measured: dict[str, float] = field(default_factory=dict)  # GFLOP/s and errors that the probe saw

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Precision:
        return cls(**values)

    def __str__(self) -> str:
        how = " by oneDNN" if self.products == "medium" and self.name == "fp32" else ""
        speeds = [f"{name} {value:.0f}" for name, value in self.measured.items() if not name.endswith("error")]
        return f"{self.name}{how}" + (f" (probe, GFLOP/s: {', '.join(speeds)})" if speeds else "")

    def autocast(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        """The context of forward passes."""
        import torch

        if self.name == "bf16":
            return torch.autocast(device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Within it, fp32 products are computed as chosen."""
        import torch

        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(self.products)
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)


def choose(wanted: Wanted, device: torch.device) -> Precision:
    """The arithmetic for a device. On the CPU "auto" probes; on a GPU it is bf16."""
    if wanted == "fp32":
        return Precision("fp32")
    if wanted == "bf16" or device.type != "cpu":
        return Precision("bf16", "medium")
    return _probe()


def _probe() -> Precision:
    """Time one product in each arithmetic, and compare with double precision."""
    import torch

    tokens, width, inner = _SHAPE
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(tokens, width, generator=generator)
    right = torch.randn(width, inner, generator=generator)
    exact = left[:256].double() @ right.double()
    measured: dict[str, float] = {}
    for name, products, dtype in (
        ("fp32", "highest", torch.float32),
        ("onednn", "medium", torch.float32),
        ("bf16", "medium", torch.bfloat16),
    ):
        with Precision("fp32", products).applied():  # type: ignore[arg-type]
            a, b = left.to(dtype), right.to(dtype)
            measured[name] = 2e-9 * tokens * width * inner / _seconds(a, b)
            measured[f"{name}_error"] = _error(a[:256] @ b, exact)
    onednn_is_fp32 = measured["onednn_error"] < _FP32_ERROR
    best_fp32 = max(measured["fp32"], measured["onednn"] if onednn_is_fp32 else 0.0)
    measured = {name: float(f"{value:.3g}") for name, value in measured.items()}
    if measured["bf16"] > _FASTER * best_fp32:
        return Precision("bf16", "medium" if onednn_is_fp32 else "highest", measured)
    faster = onednn_is_fp32 and measured["onednn"] > measured["fp32"]
    return Precision("fp32", "medium" if faster else "highest", measured)


def _error(product: torch.Tensor, exact: torch.Tensor) -> float:
    """Relative error in the Euclidean norm."""
    return float((product.double() - exact).norm() / exact.norm())


def _seconds(a: torch.Tensor, b: torch.Tensor) -> float:
    """The fastest of several products, within a tenth of a second. One alone takes seconds in bf16 on a processor that
    does not know it; there a few rows tell enough."""
    parts = 64
    few = a[: len(a) // parts]
    if min(_timed(few, b) for _ in range(3)) > 2 * min(_timed(few.float(), b.float()) for _ in range(3)):
        return parts * _timed(few, b)
    _timed(a, b)  # the first one builds its kernel
    best, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < 0.1:
        best = min(best, _timed(a, b))
    return best


def _timed(a: torch.Tensor, b: torch.Tensor) -> float:
    clock = time.perf_counter()
    a @ b
    return time.perf_counter() - clock
