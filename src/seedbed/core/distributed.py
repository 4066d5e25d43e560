"""Several processes under torchrun: who am I, sums over all of us, and what happens when one of us fails.

The processes draw the same global batches and each computes its slice of the rows; gradients are summed by one
all-reduce of one flat buffer after the last micro-batch. That is exact whatever autograd does (tied and custom
functions, unused parameters, accumulation), which DistributedDataParallel's per-bucket hooks are not without
care; what it gives up is overlapping communication with the backward pass. `train/sharding.py` is the other way.

Only the first process writes: checkpoints, the log, the store. Of the steps of a recipe the first process runs
all, the others only those that are `distributed`; elsewhere they wait at `barrier()`. Without torchrun
everything here is trivial and imports nothing.

A process that fails leaves its message in torchrun's store, and ends. The others wait for it in a sum; that breaks when
its connection does, or after PATIENCE, and they end with a `PeerError` that repeats the message (`together`).
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import json
import os
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import PlacedError

if TYPE_CHECKING:
    import torch

# In a sum the others are at most a step behind, or a checkpoint's check.
PATIENCE = datetime.timedelta(minutes=30)
# At a barrier they wait while the first builds a corpus or saves: no limit that a long step could meet.
_LONG = datetime.timedelta(days=30)
_FAILURE = "failure"
_patient: Any = None  # the group of processes that barriers wait in
_store: Any = None  # what the processes of this attempt tell each other


class PeerError(PlacedError):
    """Another process of the run has failed or was killed; this one ends with it."""


def world_size() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return int(os.environ["RANK"]) if world_size() > 1 else 0


def local_rank() -> int:
    """Which of this machine's processes this is: the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if world_size() > 1 else 0


def local_world_size() -> int:
    """How many of the processes share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", str(world_size()))) if world_size() > 1 else 1


def setup() -> None:
    """Join the other processes, by NCCL where there is a GPU and by gloo elsewhere. Harmless to call again."""
    global _patient, _store
    if world_size() == 1:
        return
    import torch
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    if distributed.is_initialized():
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(local_rank())
    store, number, size = next(rendezvous("env://"))
    store = distributed.PrefixStore(_attempt(store, number, size), store)  # type: ignore[attr-defined]
    _store = distributed.PrefixStore("seedbed", store)  # type: ignore[attr-defined]
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if cuda else "gloo", store=store, rank=number, world_size=size, timeout=PATIENCE
    )
    _patient = distributed.new_group(backend="gloo", timeout=_LONG)
    atexit.register(_leave)


def _attempt(store: Any, number: int, size: int) -> str:
    """A name for this attempt, the same in all its processes: the first one's.

    torchrun starts the processes anew (`--max-restarts`) with the store of those before, whose addresses still stand
    in it, and gives them no number that all machines share. So each leaves a name of its own; the first answers to
    every name that it finds, until all have taken its answer. To names of the dead it answers in vain.
    """
    own, others = uuid.uuid4().hex, range(1, size)
    store.set(f"here/{number}", own)
    if number > 0:
        name: str = store.get(f"answer/{own}").decode()
        store.set(f"{name}/{number}", "taken")
        return name
    end = time.monotonic() + PATIENCE.total_seconds()
    while not store.check([f"{own}/{other}" for other in others]):
        if time.monotonic() > end:
            raise PeerError("", f"not all of the {size} processes have come within {PATIENCE}")
        for other in others:
            if store.check([f"here/{other}"]):
                store.set(f"answer/{store.get(f'here/{other}').decode()}", own)
        time.sleep(0.02)
    return own


def _leave() -> None:
    """Part from the others in order: threads of gloo that still run when Python goes down abort the process. A group
    has threads as long as anything refers to it."""
    global _patient, _store
    from torch import distributed

    _patient = _store = None
    if distributed.is_initialized():
        distributed.destroy_process_group()


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Within it, an error is told to the other processes, and what another one's end breaks becomes a PeerError."""
    try:
        yield
    except PeerError:
        raise
    except Exception as error:
        if _store is None:
            raise
        if not _is_broken_connection(error):
            with contextlib.suppress(RuntimeError):
                _store.set(_FAILURE, f"process {rank()} of {world_size()} failed: {error}")
            raise
        raise PeerError("", _what_happened(error)) from error


def _is_broken_connection(error: Exception) -> bool:
    """Whether a sum over the processes could not be had: torch has types for some of these errors only."""
    from torch import distributed

    words = ("gloo", "NCCL", "Connection", "Broken pipe", "Socket", "Timed out")
    return isinstance(error, distributed.DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )


def _what_happened(error: Exception) -> str:
    try:
        if _store.check([_FAILURE]):
            return f"stopped, for {_store.get(_FAILURE).decode()}"
    except RuntimeError:
        pass  # the store has gone with the machine that held it
    if "Timed out" in str(error) or "timeout" in str(error):
        return "stopped, for another process does not answer"
    return "stopped, for the connection to another process broke: it was killed, or crashed"


def barrier() -> None:
    """Wait for the others, however long it takes them."""
    if world_size() > 1:
        import torch
        from torch import distributed

        setup()
        with together():
            distributed.all_reduce(torch.zeros(1), group=_patient)


def add(tensor: torch.Tensor) -> None:
    """Sum a tensor over all processes, in place."""
    if world_size() > 1:
        from torch import distributed

        setup()
        with together():
            distributed.all_reduce(tensor)


def total(numbers: list[float]) -> list[float]:
    """Sum numbers over all processes, in double precision."""
    if world_size() == 1:
        return numbers
    import torch

    tensor = torch.tensor(numbers, dtype=torch.float64)
    add(tensor)
    return [float(number) for number in tensor.tolist()]


def from_first(value: Any) -> Any:
    """The first process's JSON value, in all."""
    if world_size() == 1:
        return value
    import torch
    from torch import distributed

    setup()
    content = json.dumps(value).encode()
    size = torch.tensor([len(content)])
    with together():
        distributed.broadcast(size, 0)
        buffer = torch.zeros(int(size), dtype=torch.uint8)
        if rank() == 0:
            buffer.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        distributed.broadcast(buffer, 0)
    return json.loads(bytes(buffer.tolist()))
