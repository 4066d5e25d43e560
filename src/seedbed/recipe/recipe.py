"""A recipe: named steps in a YAML file, and strict overrides of what stands in it.

`variables` are names for what differs between machines, such as the folder of the data: `${data}/news.jsonl` in a
value. They are put in when the recipe is planned, and never stand in a fingerprint themselves. `presets` are sets of
overrides with a name: `preset=NAME` stands for all of them. `methods` are Python files that register methods of the
user's own; they lie beside the recipe, or where a path says.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from seedbed.core.errors import InputError, unknown_key
from seedbed.core.extensions import load_methods

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_KEYS = ("name", "seed", "methods", "variables", "presets", "steps")
_PRESET = "preset"


@dataclass
class Recipe:
    """`steps` maps a step's name to `{function: parameters}`, as written: nothing is checked against methods yet."""

    name: str
    steps: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    seed: int = 0
    variables: dict[str, str | int | float] = field(default_factory=dict)
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)

    def overridden(self, overrides: Iterable[str] | Mapping[str, Any]) -> Recipe:
        """The recipe with `step[.function].parameter[.component.parameter ...]=value` put in; in a mapping the values
        stand as YAML would give them. Presets come first, whatever the order, so that they can be changed further."""
        recipe = copy.deepcopy(self)
        pairs = overrides.items() if isinstance(overrides, Mapping) else map(parsed_override, overrides)
        single: list[tuple[str, Any]] = []
        for path, value in pairs:
            if path != _PRESET or path in recipe.variables:
                single.append((path, value))
                continue
            for name in value if isinstance(value, list) else [value]:
                _put_preset(recipe, name)
        for path, value in single:
            _override(recipe, path, value)
        return recipe

    def expanded_steps(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The steps with the variables' values put in."""
        return {name: _expanded(body, self.variables, f"steps.{name}") for name, body in self.steps.items()}

    def as_yaml(self) -> str:
        """The recipe as it is run: what presets have put in stands in the steps, and they themselves are left out."""
        facts = {key: getattr(self, key) for key in ("name", "seed", "methods", "variables", "steps")}
        return yaml.safe_dump(
            {key: value for key, value in facts.items() if value not in ({}, [])}, sort_keys=False, allow_unicode=True
        )


def load_recipe(path: Path | str) -> Recipe:
    """Read a recipe from a file; every error names the file and what is wrong."""
    file = Path(path)
    if not file.is_file():
        raise InputError(str(path), "there is no such recipe", fix="`seedbed new FOLDER` writes one")
    content = load_yaml(file)
    try:
        return parse_recipe(content, default_name=file.stem, folder=file.parent)
    except InputError as error:
        raise error.at(str(path)) from None


def load_yaml(path: Path) -> Any:
    """What stands in a YAML file. Raises InputError for what is no YAML."""
    try:
        return yaml.load(path.read_text(encoding="utf8"), Loader=_Loader)  # a SafeLoader
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"is not readable as YAML: {error}") from None


def parse_recipe(content: Any, default_name: str = "recipe", folder: Path | None = None) -> Recipe:
    """A recipe from what YAML (or Python) gives; files of methods lie below the folder."""
    if not isinstance(content, dict):
        raise InputError("", "a recipe is a mapping", value=content, allowed=_KEYS)
    for key in content:
        if key not in _KEYS:
            raise unknown_key(str(key), str(key), _KEYS)
    name = _recipe_name(content.get("name", default_name))
    seed = content.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise InputError("seed", "is no whole number", value=seed)
    steps = content.get("steps")
    if not isinstance(steps, dict) or not steps:
        raise InputError("steps", "a recipe needs at least one step", value=steps, allowed="NAME: {FUNCTION: {...}}")
    variables = content.get("variables") or {}
    if not isinstance(variables, dict):
        raise InputError("variables", "a mapping of names to texts and numbers is wanted", value=variables)
    recipe = Recipe(name, {str(key): _step(str(key), value) for key, value in steps.items()}, seed)
    recipe.methods = _methods(content.get("methods") or [], folder or Path())
    for key, value in variables.items():
        recipe.variables[str(key)] = _variable(str(key), value)
    recipe.presets = _presets(content.get("presets") or {})
    for key in recipe.presets:
        recipe.overridden({_PRESET: key})  # raises InputError for what it could not change
    return recipe


def _recipe_name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise InputError("name", "is no name", value=value, allowed="letters, digits, - and _, a letter first")
    return value


def _methods(value: Any, folder: Path) -> list[str]:
    """Import files of methods, before anything asks for one of these."""
    files = value if isinstance(value, list) else [value]
    if not all(isinstance(file, str) for file in files):
        raise InputError("methods", "names Python files", value=value)
    found = [str((folder / file).resolve()) for file in files]
    load_methods(found)
    return found


def _presets(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict):
        raise InputError("presets", "a mapping of names to overrides is wanted", value=value)
    for name, overrides in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InputError(f"presets.{name}", "is no name", allowed="letters, digits, - and _, a letter first")
        if not isinstance(overrides, dict) or not overrides:
            raise InputError(f"presets.{name}", "is no mapping of paths to values", value=overrides)
        if _PRESET in overrides:
            raise InputError(f"presets.{name}.{_PRESET}", "a preset names no other", fix="name both: preset=a preset=b")
    return {name: {str(path): item for path, item in overrides.items()} for name, overrides in value.items()}


def _put_preset(recipe: Recipe, name: Any) -> None:
    if name not in recipe.presets:
        raise unknown_key(_PRESET, str(name), recipe.presets, "preset")
    for path, value in recipe.presets[name].items():
        try:
            _override(recipe, path, copy.deepcopy(value))
        except InputError as error:
            raise error.at(f"presets.{name}") from None


def _step(name: str, value: Any) -> dict[str, dict[str, Any]]:
    if not _NAME.fullmatch(name):
        raise InputError(f"steps.{name}", "is no name for a step", allowed="letters, digits, - and _, a letter first")
    if not isinstance(value, dict) or len(value) != 1:
        raise InputError(f"steps.{name}", "a step is one function with its parameters", value=value)
    ((function, parameters),) = value.items()
    if parameters is not None and not isinstance(parameters, dict):
        raise InputError(f"steps.{name}.{function}", "parameters are a mapping", value=parameters)
    return {str(function): dict(parameters or {})}


def _variable(name: str, value: Any) -> str | int | float:
    if not _NAME.fullmatch(name):
        raise InputError(f"variables.{name}", "is no name", allowed="letters, digits, - and _, a letter first")
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise InputError(f"variables.{name}", "is neither a text nor a number", value=value)
    return value


def _expanded(value: Any, variables: Mapping[str, Any], key: str) -> Any:
    """A value with `${name}` replaced; a text that is nothing but one variable becomes its value, numbers included."""
    if isinstance(value, dict):
        return {
            _expanded(name, variables, key): _expanded(item, variables, f"{key}.{name}") for name, item in value.items()
        }
    if isinstance(value, list):
        return [_expanded(item, variables, f"{key}.{index}") for index, item in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    for name in _VARIABLE.findall(value):
        if name not in variables:
            raise unknown_key(key, name, variables, "variable")
    whole = _VARIABLE.fullmatch(value)
    return variables[whole[1]] if whole else _VARIABLE.sub(lambda found: str(variables[found[1]]), value)


def parsed_override(text: str) -> tuple[str, Any]:
    """The path and the value of `PATH=VALUE`, the value as YAML has it."""
    path, mark, raw = text.partition("=")
    if not mark:
        raise InputError(text, "an override is PATH=VALUE", fix="encoder.pretrain.objective.mlm.rate=0.3")
    try:
        return path, yaml.load(raw, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InputError(path, f"its value is not YAML: {error}", value=raw) from None


def _override(recipe: Recipe, path: str, value: Any) -> None:
    """Set one value. The path must lead through what is there; its last part is checked with the signature."""
    parts = path.split(".")
    if not all(parts):
        raise InputError(path, "has an empty part", fix="STEP.FUNCTION.PARAMETER=VALUE")
    if parts == ["seed"] and isinstance(value, int):
        recipe.seed = value
        return
    if len(parts) == 1 and parts[0] in recipe.variables:
        recipe.variables[parts[0]] = _variable(parts[0], value)
        return
    if parts == ["name"]:
        recipe.name = _recipe_name(value)
        return
    if parts[0] not in recipe.steps:
        raise unknown_key(path, parts[0], [*recipe.steps, *recipe.variables], "step or variable")
    ((function, place),) = recipe.steps[parts[0]].items()
    inside = _inside(function, parts, path)
    done = len(parts) - len(inside)
    for depth, part in enumerate(inside[:-1], start=done):
        place = _enter(place, part, parts[depth + 1], ".".join(parts[: depth + 1]))
    if isinstance(place, list):
        place[_index(place, parts[-1], path)] = value
    else:
        place[parts[-1]] = value


def _inside(function: str, parts: list[str], path: str) -> list[str]:
    """The parts of a path within a step's parameters; the function's name may be left out, for a step has only one."""
    from seedbed.core.schema import parameters_of
    from seedbed.core.step import steps

    inside = parts[2:] if len(parts) > 1 and parts[1] == function else parts[1:]
    if not inside:
        raise InputError(path, "an override leads to a parameter", fix="STEP.FUNCTION.PARAMETER=VALUE")
    known = [parameter.name for parameter in parameters_of(steps.get(function, parts[0]).target)]
    if inside[0] not in known:
        raise unknown_key(path, inside[0], known, f"parameter of {function}")
    return inside


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
