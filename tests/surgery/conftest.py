"""One thread: the networks are tiny, and threads that wait for each other would only slow the tests down."""

from collections.abc import Iterator

import pytest
import torch

from seedbed.train import numerics


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numerics, "usable_cores", lambda: 1)
        yield
