"""The choice of arithmetic, and the allocator."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
import torch

from seedbed.train import precision as module
from seedbed.train.precision import Precision, choose

CPU = torch.device("cpu")


def relative_error(a: torch.Tensor, b: torch.Tensor) -> float:
    exact = a.double() @ b.double()
    return float(((a @ b).double() - exact).norm() / exact.norm())


def test_the_probe_says_what_it_saw_and_fp32_is_really_fp32() -> None:
    chosen = choose("auto", CPU)
    assert set(chosen.measured) == {"fp32", "onednn", "bf16", "fp32_error", "onednn_error", "bf16_error"}
    assert chosen.measured["fp32_error"] < 2e-6
    assert chosen.measured["bf16_error"] > 1e-4
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(512, 384, generator=generator), torch.randn(384, 1536, generator=generator)
    with chosen.applied():
        assert relative_error(a, b) < 2e-6, "fp32 products keep fp32's error under any choice"
    assert Precision.from_dict(chosen.as_dict()) == chosen
    assert "probe" in str(chosen)


@pytest.mark.parametrize(
    ("speeds", "errors", "expected"),
    [
        ((200, 500, 1000), (4e-7, 4e-7, 3e-3), ("bf16", "medium")),
        ((200, 500, 600), (4e-7, 4e-7, 3e-3), ("fp32", "medium")),  # bf16 is not faster by enough
        ((200, 500, 100), (4e-7, 3e-3, 3e-3), ("fp32", "highest")),  # oneDNN rounds to bf16: left alone
        ((500, 200, 100), (4e-7, 4e-7, 3e-3), ("fp32", "highest")),
        ((200, 900, 1000), (4e-7, 3e-3, 3e-3), ("bf16", "highest")),
    ],
)
def test_the_rule(speeds: tuple, errors: tuple, expected: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    """Speeds and errors as other processors have them."""
    tokens, width, inner = module._SHAPE
    clock = iter([2e-9 * tokens * width * inner / speed for speed in speeds])
    monkeypatch.setattr(module, "_seconds", lambda a, b: next(clock))
    found = iter(errors)
    monkeypatch.setattr(module, "_error", lambda product, exact: next(found))
    chosen = choose("auto", CPU)
    assert (chosen.name, chosen.products) == expected


def test_what_is_asked_for_is_taken() -> None:
    assert choose("fp32", CPU) == Precision("fp32", "highest")
    assert choose("bf16", CPU).name == "bf16"
    assert choose("auto", torch.device("cuda")).name == "bf16"


def test_settings_are_put_back() -> None:
    before = torch.get_float32_matmul_precision()
    with pytest.raises(KeyError), Precision("fp32", "medium").applied():
        assert torch.get_float32_matmul_precision() == "medium"
        raise KeyError
    assert torch.get_float32_matmul_precision() == before


def test_memory_is_kept_where_the_library_is_glibc() -> None:
    """Large blocks that are freed and taken again cost no page faults any more."""
    script = textwrap.dedent(
        """
        import platform, resource
        import numpy as np
        from seedbed.train.allocator import keep_memory

        def faults():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(20):
                np.ones(4_000_000)
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        plain = faults()
        kept = keep_memory()
        faults()
        print(platform.libc_ver()[0], kept, plain, faults())
        """
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    library, kept, plain, after = result.stdout.split()
    assert kept == str(library == "glibc")
    if kept == "True":
        assert int(after) < int(plain) / 5
