"""Registries: methods under their field names, and the components that recipes make of them.

A method is a class (its configuration is what `__init__` takes) or a function (its configuration is its
keyword-only parameters; positional ones are what the caller supplies). The schema of the configuration is the
signature; there is no second place to keep in step.

In a signature, `Annotated[Objective, objectives]` says that a parameter takes a component of that registry: in
a recipe a name, or a one-key mapping of name to parameters; in Python also an instance made by hand.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic_core import core_schema

from .errors import InputError, missing_extra, unknown_key
from .schema import build_value, canonical_value, parameters_of, resolve

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One registered method, as data."""

    name: str
    target: Callable[..., Any]
    papers: tuple[str, ...] = ()
    version: int = 1
    extra: tuple[str, str] | None = None  # (package, extra) that the method needs
    origin: str = ""  # of a method from outside of the package: the hash of its file, or its package with the version

    @property
    def identity(self) -> int | str:
        """What goes into fingerprints, for the method's code."""
        return f"{self.version}, {self.origin}" if self.origin else self.version

    @property
    def doc(self) -> str:
        return inspect.getdoc(self.target) or ""

    @property
    def summary(self) -> str:
        return self.doc.split("\n\n")[0].replace("\n", " ")


_origin: ContextVar[str] = ContextVar("origin", default="")


@contextmanager
def registered_by(origin: str) -> Iterator[None]:
    """Within it, what is registered comes from outside of the package."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


class Registry(Generic[T]):
    """Names for methods of one role; `packages` are imported, whole, when a name is first asked for."""

    def __init__(self, role: str, *packages: str, about: str = "") -> None:
        self.role, self.packages, self.about = role, packages, about
        self._entries: dict[str, Entry] = {}
        self._loaded = False

    def register(
        self,
        name: str,
        *,
        papers: list[str] | tuple[str, ...] = (),
        version: int = 1,
        extra: tuple[str, str] | None = None,
    ) -> Callable[[T], T]:
        """Register a method. Raise `version` when the same parameters give another result than before."""
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name), name

        def decorate(target: T) -> T:
            if _origin.get() and name in self:
                raise InputError(name, f"there is a {self.role} of this name already", fix="another name")
            assert name not in self._entries, f"{self.role}: {name} is registered twice"
            assert callable(target)
            self._entries[name] = Entry(name, target, tuple(papers), version, extra, _origin.get())
            return target

        return decorate

    def load(self) -> None:
        """Import every module of the packages, which registers what they hold, and what comes from outside."""
        from .extensions import load_installed

        if self._loaded:
            return
        self._loaded = True  # before the modules, which may ask for it themselves
        try:
            for package_name in self.packages:
                package = importlib.import_module(package_name)
                for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
                    importlib.import_module(f"{package_name}.{module.name}")
            load_installed()
        except BaseException:
            self._loaded = False  # or the next call would know half of the names, and not say why
            raise

    def names(self) -> list[str]:
        self.load()
        return sorted(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter([self._entries[name] for name in self.names()])

    def __contains__(self, name: object) -> bool:
        self.load()
        return name in self._entries

    def get(self, name: str, key: str = "") -> Entry:
        self.load()
        if name not in self._entries:
            raise unknown_key(key, name, self._entries, self.role)
        return self._entries[name]

    def parse(self, value: Any) -> Component[T]:
        """A component from what stands in a recipe: a name, or a one-key mapping of name to parameters."""
        if isinstance(value, Component):
            if value.registry is not self:
                raise InputError("", f"a {value.registry.role} stands where a {self.role} is wanted", value=value.name)
            return value
        if isinstance(value, str):
            return self._component(value, {})
        if isinstance(value, dict) and len(value) == 1:
            ((name, parameters),) = value.items()
            if parameters is None:
                parameters = {}
            if not isinstance(parameters, dict):
                parameters = self._shorthand(str(name), parameters)
            return self._component(str(name), parameters)
        if any(isinstance(entry.target, type) and isinstance(value, entry.target) for entry in self):
            return Component(self, _name_of(self, value), {}, instance=value)
        raise InputError(
            "", f"expected a {self.role}: a name, or one key with parameters", value=value, allowed=self.names()
        )

    def create(self, name: str, *arguments: Any, **parameters: Any) -> Any:
        """Build a component directly: `objectives.create("mlm", rate=0.3)`."""
        return self._component(name, parameters).build(*arguments)

    def _component(self, name: str, parameters: dict[str, Any]) -> Component[T]:
        entry = self.get(name)
        return Component(self, name, resolve(entry.target, parameters, key=name))

    def _shorthand(self, name: str, value: Any) -> dict[str, Any]:
        """`{keep: "words > 20"}`: a method's one required (or first) parameter, given bare."""
        parameters = parameters_of(self.get(name).target)
        if not parameters:
            raise InputError(name, "takes no parameters", value=value)
        required = [parameter.name for parameter in parameters if parameter.required]
        return {(required or [parameters[0].name])[0]: value}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __repr__(self) -> str:
        return f"Registry({self.role!r})"


@dataclass(frozen=True)
class Component(Generic[T]):
    """A registered method with its resolved parameters: data, until `build` makes it."""

    registry: Registry[T]
    name: str
    parameters: dict[str, Any]
    instance: Any = field(default=None, compare=False)

    @property
    def entry(self) -> Entry:
        return self.registry.get(self.name)

    def build(self, *arguments: Any, build_artifact: Callable[[Any], Any] | None = None) -> Any:
        """The instance (of a class) or the function with its configuration filled in."""
        if self.instance is not None:
            return self.instance
        if self.entry.extra is not None:
            _check_extra(*self.entry.extra, purpose=f"{self.registry.role} '{self.name}'")
        parameters = {name: build_value(value, build_artifact) for name, value in self.parameters.items()}
        if isinstance(self.entry.target, type):
            return self.entry.target(*arguments, **parameters)
        return functools.partial(self.entry.target, *arguments, **parameters)

    def canonical(self) -> dict[str, Any]:
        """The component as JSON, every default filled in."""
        if self.instance is not None:
            described = getattr(self.instance, "configuration", None)
            return {self.name: described if isinstance(described, dict) else repr(self.instance)}
        described = {name: canonical_value(value) for name, value in self.parameters.items()}
        if hasattr(self.entry.target, "input_digest"):  # it reads files that no parameter names
            described["inputs"] = self.build().input_digest()
        return {self.name: described}

    def __repr__(self) -> str:
        return f"{self.registry.role}:{self.name}"


def _name_of(registry: Registry[Any], instance: Any) -> str:
    return next(entry.name for entry in registry if isinstance(entry.target, type) and type(instance) is entry.target)


def _check_extra(package: str, extra: str, purpose: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise missing_extra(package, extra, purpose) from error
