"""One thread: the networks are tiny, and threads that wait for each other would only slow the tests down. And a world
of corpora and tokenizers, with an encoder trained in it."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from pretrain_world import World

from seedbed.train import numerics


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numerics, "usable_cores", lambda: 1)
        yield


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def encoder(world: World) -> Any:
    return world.pretrain(budget="40 steps", validate_every=10)
