"""A comparison as a file: a recipe, arms that change it, what is measured, and what stays equal.

    recipe: ../recipes/encoder.yaml           # or the recipe itself, as a mapping
    arms:
      low: {encoder.objective.mlm.rate: 0.15}
      high: {encoder.objective.mlm.rate: 0.4}
    metric: scores.masked_accuracy.accuracy
    equal: tokens
    seeds: 3
    expect: high > low

A study (`papers/study.py`) is a comparison with a paper's claim.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from seedbed.core.errors import InputError, unknown_key
from seedbed.core.fingerprint import digest
from seedbed.recipe.recipe import Recipe, load_recipe, load_yaml, parse_recipe

from .expect import Statement, parse_expectation
from .metric import Metric, parse_metrics

Equal = Literal["tokens", "bytes", "steps", "flops", "seconds", "none"]
KEYS = (
    *("name", "title", "recipe", "arms", "metric", "equal", "adjust"),
    *("seeds", "seeded", "reference", "differences", "expect"),
)
STUDY_KEYS = ("paper", "claim", "effect", "spread", "notes", "quick")


@dataclass(frozen=True)
class Comparison:
    """What to run and how to judge it; nothing is run yet."""

    name: str
    recipe: Recipe
    arms: dict[str, dict[str, Any]]  # name -> overrides of the recipe
    metrics: list[Metric]  # the first one counts
    equal: Equal = "tokens"
    adjust: str | None = None  # the step whose budget is changed until all arms cost the same
    seeds: int = 3
    seeded: list[str] | None = None  # steps that get another seed in each repetition; by default all that train
    reference: str = ""  # the arm that others are compared with
    differences: list[str] | None = None  # pairs of arms to show, "A - B"; by default each arm less the reference
    expect: str | None = None
    title: str = ""
    study: dict[str, Any] = field(default_factory=dict)  # STUDY_KEYS as given
    command: str = ""  # how a user repeats it

    @property
    def statements(self) -> list[Statement]:
        if self.expect is None:
            return []
        return parse_expectation(self.expect, self.arms, [metric.name for metric in self.metrics])

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The arms whose differences are shown."""
        if self.differences is None:
            return [(arm, self.reference) for arm in self.arms if arm != self.reference]
        found = []
        for text in self.differences:
            first, _, second = str(text).partition(" - ")
            for arm in (first, second):
                if arm not in self.arms:
                    raise unknown_key("differences", arm, self.arms, "arm")
            found.append((first, second))
        return found

    @property
    def targets(self) -> list[str]:
        """The steps that the metrics read."""
        return list(dict.fromkeys(step for metric in self.metrics for step in metric.steps))

    @property
    def digest(self) -> str:
        """A hash of everything that stands in the files. Of the recipe's variables only amounts count (numbers, and
        texts that begin with one: `1M tokens`): other texts say where data lie on a machine, or are set by the arms."""
        amounts = {name: value for name, value in self.recipe.variables.items() if is_amount(value)}
        presets = [self.recipe.presets] if self.recipe.presets else []
        facts = {
            "recipe": [self.recipe.seed, self.recipe.steps, amounts, *presets],
            "arms": self.arms,
            "metrics": {metric.name: list(metric.paths) for metric in self.metrics},
            "settings": [self.equal, self.adjust, self.seeds, self.seeded, self.reference, self.expect],
            "differences": self.pairs,
        }
        return digest(facts)[:16]


def is_amount(value: str | int | float) -> bool:
    """Whether a recipe's variable is a number, or a text that begins with one."""
    return not isinstance(value, str) or value[:1].isdigit()


def load_comparison(path: Path | str) -> Comparison:
    """Read a comparison from a file; every error names the file."""
    file = Path(path)
    content = load_yaml(file)
    try:
        return parse_comparison(content, file)
    except InputError as error:
        raise error.at(str(path)) from None


def parse_comparison(content: Any, file: Path) -> Comparison:
    """A comparison from what YAML gives; a recipe's path is relative to `file`."""
    if not isinstance(content, dict):
        raise InputError("", "a comparison is a mapping", value=content, allowed=KEYS)
    for key in content:
        if key not in KEYS + STUDY_KEYS:
            raise unknown_key(str(key), str(key), KEYS + STUDY_KEYS)
    for key in ("recipe", "arms", "metric"):
        if key not in content:
            raise InputError(key, "is required in a comparison")
    recipe = _recipe(content["recipe"], file)
    comparison = Comparison(
        name=str(content.get("name", file.stem)),
        recipe=recipe,
        arms=_arms(content["arms"]),
        metrics=parse_metrics(content["metric"]),
        equal=content.get("equal", "tokens"),
        adjust=content.get("adjust"),
        seeds=content.get("seeds", 3),
        seeded=content.get("seeded"),
        reference=str(content.get("reference", next(iter(content["arms"]), ""))),
        differences=content.get("differences"),
        expect=content.get("expect"),
        title=str(content.get("title", "")),
        study={key: content[key] for key in STUDY_KEYS if key in content},
        command=f"seedbed compare {file}",
    )
    check(comparison)
    return comparison


def check(comparison: Comparison) -> None:
    """Raises InputError for what can be known to be wrong before anything is planned."""
    if comparison.equal not in get_args(Equal):
        raise InputError(
            "equal", "nothing of that name can be kept equal", value=comparison.equal, allowed=get_args(Equal)
        )
    if not isinstance(comparison.seeds, int) or comparison.seeds < 1:
        raise InputError("seeds", "must be a whole number of at least 1", value=comparison.seeds)
    if comparison.reference not in comparison.arms:
        raise unknown_key("reference", comparison.reference, comparison.arms, "arm")
    named = {"adjust": [comparison.adjust] if comparison.adjust else [], "seeded": comparison.seeded or []}
    for key, names in {**named, "metric": comparison.targets}.items():
        for name in names:
            if name not in comparison.recipe.steps:
                raise unknown_key(key, str(name), comparison.recipe.steps, "step")
    for name, overrides in comparison.arms.items():
        try:
            comparison.recipe.overridden(overrides)
        except InputError as error:
            raise error.at(f"arms.{name}") from None
    _ = comparison.statements, comparison.pairs


def _recipe(value: Any, file: Path) -> Recipe:
    if isinstance(value, str):
        return load_recipe(file.parent / value)
    return parse_recipe(value, default_name=file.stem, folder=file.parent)


def _arms(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or len(value) < 2:
        raise InputError("arms", "at least two are wanted", value=value, allowed="NAME: {PATH: VALUE, ...}")
    arms = {}
    for name, overrides in value.items():
        if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
            raise InputError("arms", "is no name for an arm", value=name, allowed="letters, digits, - and _")
        if not isinstance(overrides or {}, dict):
            raise InputError(f"arms.{name}", "is no mapping of paths to values", value=overrides)
        arms[name] = {str(path): item for path, item in (overrides or {}).items()}
    return arms
