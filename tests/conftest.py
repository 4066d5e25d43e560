"""One thread: the tests' networks are tiny, and threads that wait for each other would only slow them down."""

import os
from collections.abc import Iterator

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # which torch asks for when it is imported


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """What `pretrain` would set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("seedbed.train.numerics.usable_cores", lambda: 1)
        yield
