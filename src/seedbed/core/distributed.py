"""Several processes under torchrun: who am I, and sums over all of us.

The processes draw the same global batches and each computes its slice of the rows; gradients are summed by one
all-reduce of one flat buffer after the last micro-batch. That is exact whatever autograd does (tied and custom
functions, unused parameters, accumulation), which DistributedDataParallel's per-bucket hooks are not without
care; what it gives up is overlapping communication with the backward pass.

Only the first process writes: checkpoints, the log, the store. Of the steps of a recipe the first process runs
all, the others only those that are `distributed`; elsewhere they wait at `barrier()`. Without torchrun
everything here is trivial and imports nothing.
"""

from __future__ import annotations

import atexit
import datetime
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# The others wait while the first builds a corpus or saves: no limit that a long step could meet.
_PATIENCE = datetime.timedelta(days=30)


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
    if world_size() == 1:
        return
    import torch
    from torch import distributed

    if distributed.is_initialized():
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(local_rank())
    distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=_PATIENCE)
    atexit.register(_leave)


def _leave() -> None:
    """Part from the others in order: threads of gloo that still run when Python goes down abort the process."""
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def barrier() -> None:
    """Wait for the others."""
    total([0])


def add(tensor: torch.Tensor) -> None:
    """Sum a tensor over all processes, in place."""
    if world_size() > 1:
        from torch import distributed

        setup()
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
    distributed.broadcast(size, 0)
    buffer = torch.zeros(int(size), dtype=torch.uint8)
    if rank() == 0:
        buffer.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
    distributed.broadcast(buffer, 0)
    return json.loads(bytes(buffer.tolist()))
