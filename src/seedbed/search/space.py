"""Spaces of configurations: what of a recipe may differ, and how.

A space is a mapping of a recipe's paths (as arms of comparisons set them; also names of its variables) to values with
open places, after DeepArchitect's modular language (Negrinho and Gordon, 2017), here in YAML:

    {one of: [...]}                         one of these, each of which may have open places of its own
    {between: [1e-4, 1e-2], scale: log}     a number: `scale` is linear or log, `steps` how many values (17 where the
                                            ends are no whole numbers, else all from end to end)
    {list of: VALUE, length: 4}             a list, each element chosen by itself; `length` is a number, an open number,
                                            or the path of an entry above that says it

A bare list as an entry's value stands for `one of`. Keys of two words are no names of methods, so nothing is mistaken.

A point is a sequence of decisions, each one of finitely many options; which decisions there are may depend on earlier
ones, so a space is a tree, and a searcher walks it from the root (`Space.point`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from seedbed.core.errors import InputError, unknown_key

ONE, BETWEEN, LIST = "one of", "between", "list of"
_KEYS = {ONE: {ONE}, BETWEEN: {BETWEEN, "scale", "steps"}, LIST: {LIST, "length"}}
_STEPS = 17  # values of a range whose ends are no whole numbers


@dataclass(frozen=True)
class Decision:
    """A place that is open when the walk comes to it. `name` says where: `encoder.model.encoder.mixer[1]`."""

    name: str
    size: int
    ordered: bool  # the options are numbers from low to high


Decide = Callable[[Decision], int]


@dataclass(frozen=True)
class Point:
    """A walk from the root to a leaf: decisions with what was chosen, the values that they make, and the trace by which
    points are compared (`distance`)."""

    decisions: tuple[tuple[Decision, int], ...]
    values: dict[str, Any]
    trace: tuple[Any, ...]

    @property
    def key(self) -> tuple[int, ...]:
        return tuple(option for _, option in self.decisions)


class _Walk:
    """One walk: asks for decisions and keeps them, with the values of the entries that are behind."""

    def __init__(self, decide: Decide) -> None:
        self.decide, self.made, self.values = decide, list[tuple[Decision, int]](), dict[str, Any]()

    def choose(self, name: str, size: int, ordered: bool) -> int:
        if size == 1:
            return 0
        decision = Decision(name, size, ordered)
        option = self.decide(decision)
        assert 0 <= option < size, (name, option)
        self.made.append((decision, option))
        return option


class _Node:
    """A value with open places; gives the value and its trace."""

    def make(self, walk: _Walk, name: str) -> tuple[Any, Any]:
        raise NotImplementedError

    def distance(self, first: Any, second: Any) -> float:
        """Of two traces, in [0, 1]."""
        raise NotImplementedError


class _Options(_Node):
    """One of several; numbers from low to high are ordered."""

    def __init__(self, options: list[_Node]) -> None:
        self.options = options
        values = [option.value for option in options if isinstance(option, _Group) and option.is_number]
        self.ordered = len(values) == len(options) and values == sorted(values)

    def make(self, walk: _Walk, name: str) -> tuple[Any, Any]:
        option = walk.choose(name, len(self.options), self.ordered)
        value, trace = self.options[option].make(walk, name)
        return value, (option, trace)

    def distance(self, first: Any, second: Any) -> float:
        if self.ordered:
            return abs(first[0] - second[0]) / max(1, len(self.options) - 1)
        return self.options[first[0]].distance(first[1], second[1]) if first[0] == second[0] else 1.0


class _Group(_Node):
    """A mapping, a list or a plain value whose parts may be open."""

    def __init__(self, value: Any, parts: dict[Any, _Node]) -> None:
        self.value, self.parts = value, parts

    @property
    def is_number(self) -> bool:
        return not self.parts and isinstance(self.value, int | float) and not isinstance(self.value, bool)

    def make(self, walk: _Walk, name: str) -> tuple[Any, Any]:
        if not self.parts:
            return self.value, ()
        made = {key: part.make(walk, f"{name}.{key}") for key, part in self.parts.items()}
        values = {key: value for key, (value, _) in made.items()}
        return list(values.values()) if isinstance(self.value, list) else values, tuple(t for _, t in made.values())

    def distance(self, first: Any, second: Any) -> float:
        parts = zip(self.parts.values(), first, second, strict=True) if self.parts else ()
        return min(1.0, sum(part.distance(one, other) for part, one, other in parts))


class _Many(_Node):
    """A list of elements that are chosen one by one. Two lists are as far apart as the cheapest way of turning one into
    the other (edit distance: an element in or out costs 1, in place of another their distance), by the longer one's
    length."""

    def __init__(self, element: _Node, length: _Node | str) -> None:
        self.element, self.length = element, length

    def make(self, walk: _Walk, name: str) -> tuple[Any, Any]:
        if isinstance(self.length, str):
            length = walk.values[self.length]
        else:
            length, _ = self.length.make(walk, f"{name}.length")
        if not isinstance(length, int) or isinstance(length, bool) or length < 0:
            raise InputError(f"space.{name}.length", "is no whole number of at least 0", value=length)
        made = [self.element.make(walk, f"{name}[{place}]") for place in range(length)]
        return [value for value, _ in made], tuple(trace for _, trace in made)

    def distance(self, first: Any, second: Any) -> float:
        row = [float(place) for place in range(len(second) + 1)]
        for count, one in enumerate(first, 1):
            before, row = row, [float(count)]
            for place, other in enumerate(second):
                instead = before[place] + self.element.distance(one, other)
                row.append(min(before[place + 1] + 1, row[place] + 1, instead))
        return row[-1] / max(1, len(first), len(second))


class Space:
    """A space, from the mapping as a file gives it. Raises InputError for what is none."""

    def __init__(self, entries: Any) -> None:
        if not isinstance(entries, dict) or not entries:
            raise InputError("space", "a mapping of paths to what they may be is wanted", value=entries)
        self.given = entries
        self.entries: dict[str, _Node] = {}
        for path, given in entries.items():
            value = {ONE: given} if isinstance(given, list) else given
            self.entries[str(path)] = _parse(value, f"space.{path}", self.entries)
        self._first: dict[int, list[Point]] = {}  # so many and one more, from `points`
        self.point(lambda decision: 0)  # raises for lengths that are no numbers

    def point(self, decide: Decide) -> Point:
        """The point that decisions lead to; each is asked for when the walk comes to it."""
        walk, traces = _Walk(decide), []
        for path, node in self.entries.items():
            walk.values[path], trace = node.make(walk, path)
            traces.append(trace)
        return Point(tuple(walk.made), walk.values, tuple(traces))

    def draw(self, random: np.random.Generator) -> Point:
        """A point by decisions that are each uniform over their options."""
        return self.point(lambda decision: int(random.integers(decision.size)))

    def points(self) -> Iterator[Point]:
        """All points, the first decision changing slowest."""
        key: list[int] | None = []
        while key is not None:
            given = iter(key)
            point = self.point(lambda decision, given=given: next(given, 0))  # type: ignore[misc]
            yield point
            key = _following(point)

    def some(self, most: int, random: np.random.Generator) -> list[Point]:
        """All points where there are no more than `most`, else as many drawn ones, each once."""
        if most not in self._first:
            self._first[most] = list(itertools.islice(self.points(), most + 1))
        if len(self._first[most]) <= most:
            return list(self._first[most])
        found: dict[tuple[int, ...], Point] = {}
        for _ in range(20 * most):
            point = self.draw(random)
            found.setdefault(point.key, point)
            if len(found) == most:
                break
        return list(found.values())

    def distance(self, first: Point, second: Point) -> float:
        """How unlike two points are: the sum over entries, each in [0, 1]."""
        parts = zip(self.entries.values(), first.trace, second.trace, strict=True)
        return sum(node.distance(one, other) for node, one, other in parts)


def _following(point: Point) -> list[int] | None:
    """The choices up to the last one that can be raised, which is; None behind the last point."""
    for place in reversed(range(len(point.decisions))):
        decision, option = point.decisions[place]
        if option + 1 < decision.size:
            return [*point.key[:place], option + 1]
    return None


def _parse(value: Any, key: str, above: dict[str, _Node]) -> _Node:
    kinds = [kind for kind in _KEYS if isinstance(value, dict) and kind in value]
    if not kinds:
        parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        nodes = {name: _parse(part, f"{key}.{name}", above) for name, part in parts}
        is_open = any(not isinstance(node, _Group) or node.parts for node in nodes.values())
        return _Group(value, nodes if is_open else {})
    kind = kinds[0]
    for name in value:
        if name not in _KEYS[kind]:
            raise unknown_key(f"{key}.{name}", str(name), _KEYS[kind])
    if kind == BETWEEN:
        return _Options([_Group(number, {}) for number in _numbers(value, key)])
    if kind == LIST:
        return _Many(_parse(value[LIST], f"{key}.{LIST}", above), _length(value.get("length"), key, above))
    if not isinstance(value[ONE], list) or not value[ONE]:
        raise InputError(f"{key}.{ONE}", "is no list of options", value=value[ONE])
    return _Options([_parse(option, f"{key}.{place}", above) for place, option in enumerate(value[ONE])])


def _length(value: Any, key: str, above: dict[str, _Node]) -> _Node | str:
    if isinstance(value, str):
        if value not in above:
            raise unknown_key(f"{key}.length", value, above, "entry above")
        return value
    return _parse(value, f"{key}.length", above)


def _numbers(value: dict[str, Any], key: str) -> list[int | float]:
    """The values of a range, from low to high."""
    ends, scale = value[BETWEEN], value.get("scale", "linear")
    if not isinstance(ends, list) or len(ends) != 2 or not all(_is_number(end) for end in ends) or ends[0] >= ends[1]:
        raise InputError(f"{key}.{BETWEEN}", "is no pair of numbers, low and high", value=ends)
    if scale not in ("linear", "log"):
        raise unknown_key(f"{key}.scale", str(scale), ("linear", "log"), "scale")
    if scale == "log" and ends[0] <= 0:
        raise InputError(f"{key}.{BETWEEN}", "must be above 0 on a scale of logarithms", value=ends)
    whole = all(isinstance(end, int) for end in ends)
    steps = value.get("steps", ends[1] - ends[0] + 1 if whole and scale == "linear" else _STEPS)
    if not isinstance(steps, int) or steps < 2:
        raise InputError(f"{key}.steps", "must be a whole number of at least 2", value=steps)
    low, high = ends
    spaced = np.geomspace(low, high, steps) if scale == "log" else np.linspace(low, high, steps)
    numbers = [round(float(x)) if whole else float(f"{x:.4g}") for x in spaced]
    return list(dict.fromkeys(numbers))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
