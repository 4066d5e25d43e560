"""A recipe: named steps in a YAML file, and strict overrides of what stands in it."""

from __future__ import annotations

import copy
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from seedbed.core.errors import InputError, unknown_key

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass
class Recipe:
    """`steps` maps a step's name to `{function: parameters}`, as written: nothing is checked against methods yet."""

    name: str
    steps: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    seed: int = 0

    def overridden(self, overrides: Iterable[str]) -> Recipe:
        """The recipe with `step.function.parameter[.component.parameter ...]=value` put in."""
        recipe = copy.deepcopy(self)
        for text in overrides:
            _override(recipe, text)
        return recipe

    def as_yaml(self) -> str:
        return yaml.safe_dump(
            {"name": self.name, "seed": self.seed, "steps": self.steps}, sort_keys=False, allow_unicode=True
        )


def load_recipe(path: Path | str) -> Recipe:
    """Read a recipe from a file; every error names the file and what is wrong."""
    file = Path(path)
    if not file.is_file():
        raise InputError(str(path), "there is no such recipe", fix="`seedbed new FOLDER` writes one")
    try:
        content = yaml.load(file.read_text(encoding="utf8"), Loader=_Loader)  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"is not readable as YAML: {error}") from None
    try:
        return parse_recipe(content, default_name=file.stem)
    except InputError as error:
        raise error.at(str(path)) from None


def parse_recipe(content: Any, default_name: str = "recipe") -> Recipe:
    """A recipe from what YAML (or Python) gives."""
    if not isinstance(content, dict):
        raise InputError("", "a recipe is a mapping", value=content, allowed="name, seed, steps")
    for key in content:
        if key not in ("name", "seed", "steps"):
            raise unknown_key(str(key), str(key), ("name", "seed", "steps"))
    name = content.get("name", default_name)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError("name", "is no name", value=name, allowed="letters, digits, - and _, a letter first")
    seed = content.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise InputError("seed", "is no whole number", value=seed)
    steps = content.get("steps")
    if not isinstance(steps, dict) or not steps:
        raise InputError("steps", "a recipe needs at least one step", value=steps, allowed="NAME: {FUNCTION: {...}}")
    return Recipe(name, {str(key): _step(str(key), value) for key, value in steps.items()}, seed)


def _step(name: str, value: Any) -> dict[str, dict[str, Any]]:
    if not _NAME.fullmatch(name):
        raise InputError(f"steps.{name}", "is no name for a step", allowed="letters, digits, - and _, a letter first")
    if not isinstance(value, dict) or len(value) != 1:
        raise InputError(f"steps.{name}", "a step is one function with its parameters", value=value)
    ((function, parameters),) = value.items()
    if parameters is not None and not isinstance(parameters, dict):
        raise InputError(f"steps.{name}.{function}", "parameters are a mapping", value=parameters)
    return {str(function): dict(parameters or {})}


def _override(recipe: Recipe, text: str) -> None:
    """Set one value. The path must lead through what is there; its last part is checked with the signature."""
    path, mark, raw = text.partition("=")
    parts = path.split(".")
    if not mark or not all(parts):
        raise InputError(text, "an override is PATH=VALUE", fix="encoder.pretrain.objective.mlm.rate=0.3")
    try:
        value = yaml.load(raw, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InputError(path, f"its value is not YAML: {error}", value=raw) from None
    if parts == ["seed"] and isinstance(value, int):
        recipe.seed = value
        return
    if len(parts) < 3:
        raise InputError(path, "an override leads to a parameter", fix="STEP.FUNCTION.PARAMETER=VALUE")
    if parts[0] not in recipe.steps:
        raise unknown_key(path, parts[0], recipe.steps, "step")
    place: Any = recipe.steps[parts[0]]
    if parts[1] not in place:
        raise unknown_key(path, parts[1], place, f"function (step {parts[0]} has only one)")
    place = place[parts[1]]
    for depth, part in enumerate(parts[2:-1], start=2):
        place = _enter(place, part, parts[depth + 1], ".".join(parts[: depth + 1]))
    if isinstance(place, list):
        place[_index(place, parts[-1], path)] = value
    else:
        place[parts[-1]] = value


def _enter(place: Any, part: str, following: str, key: str) -> Any:
    """One level down; a component that is given by its bare name becomes a mapping that can be changed."""
    index: Any = _index(place, part, key) if isinstance(place, list) else part
    if isinstance(place, dict) and part not in place:
        place[part] = {}
    inner = place[index]
    if inner is None:
        inner = place[index] = {}
    elif isinstance(inner, str) and inner == following:
        inner = place[index] = {inner: {}}
    elif isinstance(inner, dict) and len(inner) == 1 and following not in inner and _is_component(inner):
        ((name, _),) = inner.items()
        raise InputError(key, f"is '{name}' in the recipe, not '{following}'", fix=f"set all of it: {key}={following}")
    if not isinstance(inner, dict | list):
        raise InputError(f"{key}.{following}", "leads through a value that has no parts", value=inner)
    return inner


def _is_component(value: dict[Any, Any]) -> bool:
    """A one-key mapping of a name to parameters."""
    return isinstance(next(iter(value.values())), dict | None)


def _index(place: list[Any], part: str, key: str) -> int:
    if not part.isdigit() or int(part) >= len(place):
        raise InputError(key, "is no place in this list", value=part, allowed=f"0 to {len(place) - 1}")
    return int(part)


class _Loader(yaml.SafeLoader):
    """YAML as people read it: 1e-3 is a number, and a key that is given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key}' is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
