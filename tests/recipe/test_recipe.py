"""Recipes in YAML, and strict overrides."""

import pytest
import yaml

from seedbed.core.errors import InputError
from seedbed.recipe.recipe import load_recipe, parse_recipe

TEXT = """
name: demo
seed: 3
steps:
  corpus:
    build_corpus:
      read: [{text: {path: a.txt}}]
  encoder:
    pretrain: {objective: mlm, optimizer: {adamw: {lr: 1e-3}}, budget: 1M tokens}
"""


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "demo.yaml").write_text(TEXT)
    return load_recipe(tmp_path / "demo.yaml")


def test_a_recipe_is_read(recipe):
    assert recipe.name == "demo" and recipe.seed == 3 and list(recipe.steps) == ["corpus", "encoder"]
    assert recipe.steps["encoder"]["pretrain"]["optimizer"] == {"adamw": {"lr": 0.001}}


def test_overrides_change_one_value_each(recipe):
    changed = recipe.overridden(
        [
            "encoder.pretrain.objective.mlm.rate=0.3",
            "encoder.pretrain.optimizer.adamw.lr=2e-3",
            "corpus.build_corpus.read.0.text.path=b.txt",
            "encoder.pretrain.data={corpus: 1.0}",
            "seed=5",
        ]
    )
    assert changed.steps["encoder"]["pretrain"]["objective"] == {"mlm": {"rate": 0.3}}
    assert changed.steps["encoder"]["pretrain"]["optimizer"] == {"adamw": {"lr": 0.002}}
    assert changed.steps["encoder"]["pretrain"]["data"] == {"corpus": 1.0}
    assert changed.steps["corpus"]["build_corpus"]["read"] == [{"text": {"path": "b.txt"}}]
    assert changed.seed == 5
    assert recipe.steps["encoder"]["pretrain"]["objective"] == "mlm"  # the original is as it was


def test_the_function_may_be_left_out_and_values_may_come_from_python(recipe):
    changed = recipe.overridden({"encoder.length": 64, "encoder.objective": {"mlm": {"rate": 0.4}}})
    assert changed.steps["encoder"]["pretrain"]["length"] == 64
    assert changed.steps["encoder"]["pretrain"]["objective"] == {"mlm": {"rate": 0.4}}


def test_variables_are_put_in_where_they_are_named():
    recipe = parse_recipe(
        {
            "variables": {"data": "here", "size": 64},
            "steps": {
                "a": {"build_corpus": {"read": [{"text": {"path": "${data}/x-${size}.txt"}}], "seed": "${size}"}}
            },
        }
    )
    assert recipe.expanded_steps()["a"]["build_corpus"] == {"read": [{"text": {"path": "here/x-64.txt"}}], "seed": 64}
    changed = recipe.overridden(["data=../there", "size=8"])
    assert changed.expanded_steps()["a"]["build_corpus"]["read"] == [{"text": {"path": "../there/x-8.txt"}}]
    assert parse_recipe(yaml.safe_load(changed.as_yaml())) == changed
    with pytest.raises(InputError, match="did you mean 'data'"):
        recipe.overridden(["a.read.0.text.path=${date}/x"]).expanded_steps()
    with pytest.raises(InputError, match="neither a text nor a number"):
        recipe.overridden(["data=[1]"])


PRESETS = """
presets:
  small: {size: 8, encoder.length: 64}
  fast: {encoder.optimizer: {adamw: {lr: 3e-3}}, encoder.length: 32}
variables: {size: 16}
"""


def test_a_preset_stands_for_its_overrides(tmp_path):
    (tmp_path / "demo.yaml").write_text(TEXT + PRESETS)
    recipe = load_recipe(tmp_path / "demo.yaml")
    by_hand = recipe.overridden(["size=8", "encoder.length=64"])
    for given in (["preset=small"], {"preset": "small"}):
        assert recipe.overridden(given) == by_hand
    assert recipe.variables == {"size": 16} and "length" not in recipe.steps["encoder"]["pretrain"]
    both = recipe.overridden(["encoder.optimizer.adamw.lr=1e-4", "preset=small", "preset=fast"])
    assert both == recipe.overridden({"preset": ["small", "fast"], "encoder.optimizer.adamw.lr": 1e-4})
    pretrain = both.steps["encoder"]["pretrain"]
    assert pretrain["length"] == 32 and pretrain["optimizer"] == {"adamw": {"lr": 1e-4}}  # single ones come last
    assert recipe.overridden(["preset=fast"]).steps["encoder"]["pretrain"]["optimizer"] == {"adamw": {"lr": 3e-3}}
    as_run = parse_recipe(yaml.safe_load(both.as_yaml()))
    assert as_run.steps == both.steps and as_run.variables == both.variables and not as_run.presets
    with pytest.raises(InputError, match="did you mean 'small'"):
        recipe.overridden(["preset=smal"])


@pytest.mark.parametrize(
    ("presets", "words"),
    [
        ([], "a mapping of names"),
        ({"a b": {"seed": 1}}, "presets.a b: is no name"),
        ({"a": {}}, "presets.a: is no mapping"),
        ({"a": {"preset": "b"}, "b": {"seed": 1}}, "a preset names no other"),
        ({"a": {"encoder.lenght": 8}}, "presets.a.encoder.lenght: unknown parameter"),
    ],
)
def test_a_wrong_preset_is_an_error_before_it_is_used(presets, words):
    content = {**yaml.safe_load(TEXT), "presets": presets or [1]}
    with pytest.raises(InputError, match=words):
        parse_recipe(content)


def test_a_run_can_have_another_name(recipe):
    assert recipe.overridden(["name=slovene"]).name == "slovene"
    with pytest.raises(InputError, match="is no name"):
        recipe.overridden(["name=../elsewhere"])
    named = parse_recipe({"variables": {"name": "x", "preset": "y"}, "steps": recipe.steps})
    assert named.overridden(["name=a", "preset=b"]).variables == {"name": "a", "preset": "b"}  # a variable comes first


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("encodr.pretrain.length=8", "did you mean 'encoder'"),
        ("encoder.finetune.length=8", "unknown parameter of pretrain"),
        ("encoder.lenght=8", "did you mean 'length'"),
        ("encoder.pretrain", "PATH=VALUE"),
        ("encoder.pretrain=8", "STEP.FUNCTION.PARAMETER"),
        ("encoder.pretrain.optimizer.soap.lr=1", "is 'adamw' in the recipe, not 'soap'"),
        ("encoder.pretrain.budget.tokens.x=1", "leads through a value"),
        ("corpus.build_corpus.read.4.text.path=b", "no place in this list"),
        ("encoder.pretrain.data={a: [", "not YAML"),
    ],
)
def test_wrong_overrides_are_errors(recipe, override, words):
    with pytest.raises(InputError) as caught:
        recipe.overridden([override])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "a recipe is a mapping"),
        ({"stesp": {}}, "did you mean 'steps'"),
        ({"steps": {}}, "at least one step"),
        ({"steps": {"a": {"f": {}, "g": {}}}}, "one function"),
        ({"steps": {"a": {"f": 3}}}, "parameters are a mapping"),
        ({"steps": {"a b": {"f": {}}}}, "no name"),
        ({"seed": "x", "steps": {"a": {"f": {}}}}, "whole number"),
    ],
)
def test_malformed_recipes_are_errors(content, words):
    with pytest.raises(InputError, match=words):
        parse_recipe(content)


@pytest.mark.parametrize(
    ("text", "words"), [("a: [", "not readable as YAML"), ("name: x\nname: y", "given twice"), ("name: \x00", "YAML")]
)
def test_broken_yaml_names_the_file(tmp_path, text, words):
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        load_recipe(tmp_path / "broken.yaml")
    assert "broken.yaml" in str(caught.value)


def test_a_missing_recipe_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no such recipe"):
        load_recipe(tmp_path / "none.yaml")
