"""A world of corpora and tokenizers, with an encoder trained in it."""

from typing import Any

import pytest
from pretrain_world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def encoder(world: World) -> Any:
    return world.pretrain(budget="40 steps", validate_every=10)
