"""A search as a file: a recipe, and the step's parameters beside it.

recipe: encoder.yaml                      # or the recipe itself, as a mapping
space:
  encoder.model.encoder.width: [64, 96, 128]
  encoder.optimizer.adamw.lr: {between: [1e-4, 1e-2], scale: log}
metric: scores.masked_accuracy.accuracy
searcher: tree
evaluations: 30
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seedbed.core.errors import InputError, unknown_key
from seedbed.core.schema import parameters_of
from seedbed.core.step import steps
from seedbed.recipe.recipe import Recipe, load_recipe, load_yaml, parse_recipe

_STEP = "search"


def load_search(path: Path, overrides: Iterable[str], changes: dict[str, Any]) -> tuple[Recipe, str]:
    """The recipe with the search as its last step, and that step's name. `overrides` change the recipe; `changes` the
    search, but for those that are None. A search of a surface needs no recipe. Raises InputError."""
    content = load_yaml(path)
    known = [parameter.name for parameter in parameters_of(steps.get(_STEP).target)]
    try:
        if not isinstance(content, dict):
            raise InputError("", "a search is a mapping", value=content, allowed=["name", *known])
        for key in content:
            if key not in (*known, "name"):
                raise unknown_key(str(key), str(key), ["name", *known])
        recipe = _recipe(content.get("recipe"), path).overridden(overrides)
    except InputError as error:
        raise error.at(str(path)) from None
    name = str(content.get("name", path.stem))
    if name in recipe.steps:
        raise InputError(f"{path}.name", "is a step of the recipe already", value=name, fix="name: ANOTHER")
    given = {key: value for key, value in content.items() if key not in ("recipe", "name")}
    recipe.steps[name] = {_STEP: given | {key: value for key, value in changes.items() if value is not None}}
    return recipe, name


def _recipe(value: Any, path: Path) -> Recipe:
    if value is None:
        return Recipe(path.stem)
    if isinstance(value, str):
        return load_recipe(path.parent / value)
    return parse_recipe(value, default_name=path.stem, folder=path.parent)
