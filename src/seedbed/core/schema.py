"""The configuration schema of a function or class: its own signature, checked by pydantic.

`resolve` turns what stands in a recipe into checked values with all defaults filled in; an unknown key is an
error that names the nearest one. Values that are components or references to artifacts stay data (`Component`,
`Reference`) until `build_value` makes them.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from .errors import InputError, unknown_key


@dataclass(frozen=True)
class Parameter:
    """One configurable parameter of a method."""

    name: str
    annotation: Any
    default: Any

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


@functools.cache
def parameters_of(target: Callable[..., Any]) -> tuple[Parameter, ...]:
    """What can be configured: all of a class's `__init__`, the keyword-only parameters of a function."""
    function = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
    if function is object.__init__:
        return ()
    hints = typing.get_type_hints(function, include_extras=True)
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self" or (not isinstance(target, type) and parameter.kind is not parameter.KEYWORD_ONLY):
            continue
        assert parameter.kind is not parameter.VAR_KEYWORD, f"{target}: **{name} would hide unknown keys"
        assert name in hints, f"{target}: parameter {name} has no type"
        found.append(Parameter(name, hints[name], parameter.default))
    return tuple(found)


def resolve(target: Callable[..., Any], given: dict[str, Any], key: str = "") -> dict[str, Any]:
    """Check the given parameters against the signature and fill in the defaults.

    Raises InputError that names the key, its value, and what is allowed.
    """
    parameters = parameters_of(target)
    known = [parameter.name for parameter in parameters]
    for name in given:
        if name not in known:
            raise unknown_key(f"{key}.{name}".strip("."), str(name), known)
    resolved = {}
    for parameter in parameters:
        place = f"{key}.{parameter.name}".strip(".")
        if parameter.name in given:
            resolved[parameter.name] = check(parameter.annotation, given[parameter.name], place)
        elif parameter.required:
            raise InputError(place, "is required and has no default", allowed=type_name(parameter.annotation))
        else:
            resolved[parameter.name] = check(parameter.annotation, parameter.default, place)
    return resolved


def check(annotation: Any, value: Any, key: str) -> Any:
    """Check one value against a type."""
    try:
        return _adapter(annotation).validate_python(value)
    except pydantic.ValidationError as error:
        raise _readable(error, annotation, value, key) from None
    except InputError as error:
        raise error.at(key) from None


@functools.cache
def _adapter(annotation: Any) -> pydantic.TypeAdapter[Any]:
    # Pydantic takes no outer configuration for a dataclass; ours bring their own schema.
    config = None if dataclasses.is_dataclass(annotation) else pydantic.ConfigDict(arbitrary_types_allowed=True)
    return pydantic.TypeAdapter(annotation, config=config)


def _readable(error: pydantic.ValidationError, annotation: Any, value: Any, key: str) -> InputError:
    """One message out of pydantic's: the most specific of our own, else the first of pydantic's."""
    own = [
        (detail, detail["ctx"]["error"])
        for detail in error.errors()
        if isinstance(detail.get("ctx", {}).get("error"), InputError)
    ]
    if own:
        detail, inner = max(own, key=lambda pair: len(pair[1].key))
        return inner.at(".".join([key, *(str(part) for part in detail["loc"] if isinstance(part, int))]))
    detail = error.errors()[0]
    place = ".".join([key, *(str(part) for part in detail["loc"] if not _is_type_label(part, value))])
    return InputError(place, detail["msg"], value=detail["input"], allowed=type_name(annotation))


def _is_type_label(part: int | str, value: Any) -> bool:
    """Pydantic puts the member of a union that it tried into the location; that is no key of the user's."""
    return isinstance(part, str) and not (isinstance(value, dict) and part in value)


def type_name(annotation: Any) -> str:
    """A type as a user reads it."""
    if annotation is type(None):
        return "none"
    if typing.get_origin(annotation) is typing.Annotated:
        inner, *metadata = typing.get_args(annotation)
        roles = [item.role for item in metadata if hasattr(item, "role")]
        return roles[0] if roles else type_name(inner)
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return " | ".join(repr(argument) for argument in arguments)
    if origin is typing.Union or type(annotation).__name__ == "UnionType":
        return " | ".join(type_name(argument) for argument in arguments)
    name = getattr(origin or annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(type_name(argument) for argument in arguments)}]" if arguments else name


def walk(value: Any) -> typing.Iterator[Any]:
    """Every leaf and component in a resolved value, depth first."""
    yield value
    if hasattr(value, "parameters") and hasattr(value, "registry"):
        value = value.parameters
    if isinstance(value, dict):
        for name, item in value.items():
            yield from walk(name)
            yield from walk(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from walk(item)


def replace_leaves(value: Any, replacement: Callable[[Any], Any]) -> Any:
    """A resolved value with every leaf replaced, also within components."""
    if hasattr(value, "parameters") and hasattr(value, "registry"):
        return dataclasses.replace(value, parameters=replace_leaves(value.parameters, replacement))
    if isinstance(value, dict):
        return {replace_leaves(k, replacement): replace_leaves(v, replacement) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(replace_leaves(item, replacement) for item in value)
    return replacement(value)


def build_value(value: Any, build_artifact: Callable[[Any], Any] | None = None) -> Any:
    """Make what a resolved value describes: components become instances, references become artifacts."""
    if hasattr(value, "canonical") and hasattr(value, "build"):
        return value.build(build_artifact=build_artifact)
    if getattr(value, "is_reference", False):
        assert build_artifact is not None, f"{value} stands where no artifact can be opened"
        return build_artifact(value)
    if isinstance(value, dict):
        return {build_value(k, build_artifact): build_value(v, build_artifact) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(build_value(item, build_artifact) for item in value)
    return value


def canonical_value(value: Any) -> Any:
    """A resolved value as JSON."""
    if hasattr(value, "canonical"):
        return value.canonical()
    if isinstance(value, dict):
        return {str(canonical_value(k)): canonical_value(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [canonical_value(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{value!r} cannot stand in a recipe")
