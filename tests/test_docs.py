"""What the documentation says must be there."""

import re
from pathlib import Path

import pytest
import yaml

from seedbed import registries
from seedbed.recipe.recipe import load_recipe

ROOT = Path(__file__).parent.parent


def test_every_method_stands_in_the_table_and_nothing_else():
    rows = re.findall(r"^\| (`[a-z_`, 0-9]+) \|", (ROOT / "docs" / "methods.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_0-9]+)`", row)}
    there = {entry.name for name in registries.names() for entry in registries.registry(name)}
    assert named == {name for name in there if not name.startswith("toy_")}


def test_links_in_the_documentation_lead_somewhere():
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!https://)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_promises_name_tests_that_exist():
    text = (ROOT / "docs" / "reliability.md").read_text()
    for path in re.findall(r"`(tests/[\w/.]+)", text):
        assert (ROOT / path).exists(), path
    for file, name in re.findall(r"(test_\w+\.py)(?:::(\w+))?", text):
        (path,) = (ROOT / "tests").rglob(file)
        assert f"def {name}(" in path.read_text() or not name, f"{file}::{name}"


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_are_plannable(path, tmp_path):
    from seedbed.core.store import Store
    from seedbed.recipe.plan import make_plan

    if "data" in load_recipe(path).variables:
        return  # reads files that not every machine has: see the test of its own
    plan = make_plan(load_recipe(path), Store(tmp_path))
    assert {planned.name for planned in plan} >= set(load_recipe(path).steps)


def test_the_recipe_of_the_readme_is_a_recipe():
    from seedbed.core.errors import InputError
    from seedbed.core.store import Store
    from seedbed.recipe.plan import make_plan
    from seedbed.recipe.recipe import parse_recipe

    text = (ROOT / "README.md").read_text()
    block = re.search(r"^    name: biomed-encoder\n(?:    .*\n)+", text, re.MULTILINE)
    assert block is not None
    recipe = parse_recipe(yaml.safe_load(re.sub(r"^    ", "", block.group(0), flags=re.MULTILINE)))
    with pytest.raises(InputError, match="no file has this path"):  # the only thing wrong with it
        make_plan(recipe, Store("nowhere"))
