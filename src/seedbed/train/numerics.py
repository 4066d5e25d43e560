"""What a stopwatch or the machine chooses for a run: arithmetic, attention kernel, threads, device.

These change the last bits of results. So they are chosen once for a run: the first process measures and tells the
others, and a checkpoint keeps them for the processes that go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from seedbed.core import distributed
from seedbed.core.errors import InputError
from seedbed.core.machine import usable_cores
from seedbed.train.precision import Precision, Wanted, choose

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda"]
Compile = Literal["auto", "none", "layers", "graphs"]


@dataclass(frozen=True)
class Numerics:
    """The choices, as a checkpoint keeps them."""

    device: str
    threads: int
    precision: dict[str, Any]
    kernel: str | None = None
    kernel_note: str = ""
    compiled: str = "none"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        facts = [self.device, f"{self.threads} threads", str(Precision.from_dict(self.precision)), self.kernel_note]
        facts += ["" if self.compiled == "none" else f"compiled: {self.compiled}"]
        return " · ".join(fact for fact in facts if fact)


def find_device(wanted: Device) -> torch.device:
    """The device of this process."""
    import torch

    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise InputError("device", "there is no CUDA device here", value=wanted, fix="device: auto")
    return torch.device("cuda", distributed.local_rank())


def settle(
    network: Any,
    device: torch.device,
    wanted: Wanted,
    *,
    length: int,
    rows: int,
    saved: dict[str, Any] | None,
    compiled: str = "none",
) -> Numerics:
    """Choose, or take what a checkpoint says, and set it for this process; the same in all processes. `compiled` is
    what `compilation` says."""
    import torch

    threads = saved["threads"] if saved else _threads()
    torch.set_num_threads(threads)
    chosen = saved
    if chosen is None and distributed.rank() == 0:
        chosen = _measure(network, device, wanted, length=length, rows=rows, threads=threads).as_dict()
        chosen["compiled"] = compiled
    numerics = Numerics(**distributed.from_first(chosen))
    if numerics.kernel is not None:
        network.use_kernel(numerics.kernel)
    if numerics.compiled != "none":
        network.compile_layers(graphs=numerics.compiled == "graphs")
    return numerics


def compilation(wanted: Compile, network: Any, device: torch.device, *, touched: bool, sharded: bool) -> str:
    """What torch's compiler takes: "none", or "layers", with "graphs" as CUDA graphs.

    "auto" is layers on a GPU that the compiler has a backend for, where no intervention may have `touched` the network.
    On CPUs compiling gained nothing and cost 14 to 24 seconds.
    """
    able = hasattr(network, "compile_layers")
    if wanted == "auto":
        if device.type == "cpu" or not able or touched or sharded:
            return "none"
        from torch.utils._triton import has_triton

        return "layers" if has_triton() else "none"
    if wanted != "none" and sharded:
        raise InputError("compile", "is not for `sharding: full`", value=wanted, fix="compile: none")
    if wanted != "none" and not able:
        raise InputError("compile", "this network has no layers to compile", value=wanted, fix="compile: none")
    if wanted == "graphs" and device.type != "cuda":
        raise InputError("compile", "CUDA graphs need a CUDA device", value=wanted, fix="compile: layers")
    return wanted


def taken_over(trunk: dict[str, Any], device: torch.device, wanted: Wanted) -> dict[str, Any] | None:
    """What a branch keeps of its trunk's choices, so that it goes on as the trunk would have; the threads are chosen
    for it. None where it has to choose anew: another device, other arithmetic is asked for, or bf16 is slow here."""
    precision = Precision.from_dict(trunk["precision"])
    if trunk["device"] != device.type or wanted not in ("auto", precision.name):
        return None
    if wanted == "auto" and precision.name == "bf16" and choose("auto", device).name != "bf16":
        return None
    return {**trunk, "threads": _threads()}


def _threads() -> int:
    return max(1, usable_cores() // distributed.local_world_size())


def _measure(network: Any, device: torch.device, wanted: Wanted, *, length: int, rows: int, threads: int) -> Numerics:
    import torch

    precision = choose(wanted, device)
    kernel, note = None, ""
    if hasattr(network, "choose_kernel"):
        dtype = torch.bfloat16 if precision.name == "bf16" else torch.float32
        with precision.applied():
            kernel = network.choose_kernel(rows, length, dtype)
        note = network.kernel_note
    return Numerics(device.type, threads, precision.as_dict(), kernel, note)


def differences(saved: dict[str, Any], device: torch.device, say: Callable[[str], None]) -> None:
    """Say what may keep a resumed run from ending with the same bytes."""
    if saved["device"] != device.type:
        say(f"the run began on {saved['device']} and goes on on {device.type}: its last bits will differ")
    if saved["threads"] > usable_cores():
        say(f"the run began with {saved['threads']} threads and keeps them, on {usable_cores()} cores")
