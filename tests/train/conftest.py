"""One thread: the networks are tiny, and threads that wait for each other would only slow the tests down."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
