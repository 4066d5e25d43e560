"""All registries by the name that the command line knows them by."""

from __future__ import annotations

import importlib
from typing import Any

from seedbed.core.errors import unknown_key
from seedbed.core.registry import Registry

_PLACES = {
    "steps": "seedbed.core.step:steps",
    "readers": "seedbed.corpus:readers",
    "extractors": "seedbed.corpus:extractors",
    "curation": "seedbed.corpus:curation",
    "scorers": "seedbed.corpus:scorers",
    "tokenizers": "seedbed.vocabulary:algorithms",
    "samplers": "seedbed.data:samplers",
    "objectives": "seedbed.objectives:objectives",
    "masks": "seedbed.objectives.masking:masks",
    "noises": "seedbed.objectives.noising:noises",
    "contrasts": "seedbed.objectives.contrasting:contrasts",
    "backbones": "seedbed.models:backbones",
    "mixers": "seedbed.models:mixers",
    "feedforwards": "seedbed.models:feedforwards",
    "optimizers": "seedbed.optim:optimizers",
    "schedules": "seedbed.optim:schedules",
    "interventions": "seedbed.train:interventions",
    "growth": "seedbed.surgery:growth",
    "initializers": "seedbed.surgery.initializer:initializers",
    "position_rules": "seedbed.surgery.positions.rule:position_rules",
    "tasks": "seedbed.evaluate:tasks",
    "worlds": "seedbed.worlds:worlds",
    "searchers": "seedbed.search:searchers",
    "surfaces": "seedbed.search:surfaces",
}


def names() -> list[str]:
    return list(_PLACES)


def registry(name: str) -> Registry[Any]:
    """The registry `name`; its singular will do ("objective")."""
    known = {**{place: place for place in _PLACES}, **{place.removesuffix("s"): place for place in _PLACES}}
    if name not in known:
        raise unknown_key("", name, _PLACES, "registry")
    module, attribute = _PLACES[known[name]].split(":")
    found = getattr(importlib.import_module(module), attribute)
    assert isinstance(found, Registry)
    return found
