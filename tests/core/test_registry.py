"""Registries, components and the schema that is a signature."""

from pathlib import Path
from typing import Annotated, Literal

import pytest

from seedbed.core.errors import InputError
from seedbed.core.registry import Registry
from seedbed.core.schema import parameters_of, resolve, type_name

shapes: Registry = Registry("shape")
rates: Registry = Registry("rate")


@rates.register("ramp", papers=["280"], version=3)
class Ramp:
    """A line from start to end.

    More about it.
    """

    def __init__(self, *, start: float = 0.0, end: float = 1.0) -> None:
        self.start, self.end = start, end


@shapes.register("circle")
class Circle:
    """A circle."""

    def __init__(
        self, radius: float, rate: float | Annotated[Ramp, rates] = 0.5, mode: Literal["fill", "line"] = "fill"
    ) -> None:
        self.radius, self.rate, self.mode = radius, rate, mode


@shapes.register("scaled")
def scaled(value: float, *, factor: float = 2.0, inner: Annotated[object, shapes] | None = None) -> float:
    """Multiply."""
    return value * factor


def test_a_name_or_one_key_makes_a_component_with_all_defaults():
    component = shapes.parse({"circle": {"radius": 2}})
    assert component.canonical() == {"circle": {"radius": 2.0, "rate": 0.5, "mode": "fill"}}
    assert component.build().radius == 2.0
    assert shapes.parse("scaled").build()(3.0) == 6.0
    assert rates.get("ramp").summary == "A line from start to end."


def test_components_nest_and_instances_pass():
    component = shapes.parse({"circle": {"radius": 1, "rate": {"ramp": {"end": 0.3}}}})
    assert component.canonical()["circle"]["rate"] == {"ramp": {"start": 0.0, "end": 0.3}}
    assert component.build().rate.end == 0.3
    made_by_hand = Circle(4.0)
    assert shapes.parse(made_by_hand).build() is made_by_hand


def test_one_bare_value_is_the_required_parameter():
    assert shapes.parse({"circle": 3}).build().radius == 3.0
    assert shapes.parse({"scaled": 5}).build()(2.0) == 10.0  # none is required: the first


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("circel", ["circel", "did you mean 'circle'", "scaled"]),
        ({"circle": {"radius": 1, "mod": "fill"}}, ["circle.mod", "did you mean 'mode'"]),
        ({"circle": {}}, ["circle.radius", "required"]),
        ({"circle": {"radius": "wide"}}, ["circle.radius", "'wide'", "float"]),
        ({"circle": {"radius": 1, "mode": "dots"}}, ["circle.mode", "'fill'"]),
        ({"circle": {"radius": 1, "rate": {"ramp": {"stat": 1}}}}, ["circle.rate.ramp.stat", "did you mean 'start'"]),
        ({"circle": {"radius": 1, "rate": {"rmp": {}}}}, ["circle.rate", "did you mean 'ramp'"]),
        ({"circle": {}, "scaled": {}}, ["expected a shape"]),
        (7, ["expected a shape"]),
    ],
)
def test_mistakes_name_the_key_the_value_and_the_nearest(given, words):
    with pytest.raises(InputError) as caught:
        shapes.parse(given)
    for word in words:
        assert word in str(caught.value)


def test_the_schema_is_the_signature():
    assert [parameter.name for parameter in parameters_of(scaled)] == ["factor", "inner"]
    assert [parameter.name for parameter in parameters_of(Circle)] == ["radius", "rate", "mode"]
    assert type_name(parameters_of(Circle)[1].annotation) == "float | rate"
    assert resolve(scaled, {"inner": "scaled"})["inner"].name == "scaled"


def test_a_missing_extra_is_named():
    registry: Registry = Registry("thing")

    @registry.register("far", extra=("no_such_package_at_all", "far"))
    class Far:
        """Needs a package."""

    with pytest.raises(InputError, match=r"pip install 'seedbed\[far\]'"):
        registry.create("far")


def test_a_name_is_taken_once():
    with pytest.raises(AssertionError, match="registered twice"):
        shapes.register("circle")(Circle)


def test_what_cannot_be_imported_is_said_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not "there is no such method" the second time."""
    (tmp_path / "broken_methods").mkdir()
    (tmp_path / "broken_methods" / "__init__.py").write_text("")
    (tmp_path / "broken_methods" / "one.py").write_text("import a_package_that_nobody_has")
    monkeypatch.syspath_prepend(tmp_path)
    broken: Registry = Registry("thing", "broken_methods")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="a_package_that_nobody_has"):
            broken.get("one")
