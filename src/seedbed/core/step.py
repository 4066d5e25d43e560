"""A step makes one artifact from others.

    @step("train_tokenizer", gives=Tokenizer)
    def train_tokenizer(context: StepContext, *, corpus: Corpus, size: int = 16384) -> None: ...

The function writes into `context.folder`, which becomes the artifact when it returns. In a recipe a step is
`name: {function: parameters}`; in Python the same function is called with the same names and returns the artifact,
from the store if it is already there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar

from .artifact import Artifact, Reference
from .registry import Registry

P = ParamSpec("P")
A = TypeVar("A", bound=Artifact)


@dataclass
class StepContext:
    """What a running step has beside its parameters."""

    folder: Path  # becomes the artifact
    name: str  # the step's name in the recipe
    parameters: dict[str, Any]  # as resolved, in JSON
    inputs: dict[str, str] = field(default_factory=dict)  # path of each input artifact -> its fingerprint
    counts: dict[str, Any] = field(default_factory=dict)  # ends up in the manifest
    say: Callable[[str], None] = lambda line: None  # one line of progress for a person
    fingerprint: str = ""


@dataclass
class Estimate:
    """What a step would cost, as far as it can be told before it runs. Where seconds have to be measured, a function
    that does so stands for them, and nobody waits who does not ask."""

    seconds: float | Callable[[], float | None] | None = None
    tokens: float | None = None
    parameters: float | None = None
    flops: float | None = None
    notes: str = ""
    counts: dict[str, Any] = field(default_factory=dict)  # of the artifact, as far as later steps can build on them

    def duration(self) -> float | None:
        """Seconds, measured if need be."""
        return self.seconds() if callable(self.seconds) else self.seconds


@dataclass(frozen=True, eq=False)  # by identity, so that it can be a key where a reference can
class Call:
    """A step that another step needs and that the recipe does not name, such as the tokens of a corpus."""

    step: str
    parameters: dict[str, Any]
    is_reference: ClassVar[bool] = True


Prepare = Callable[[dict[str, Any], Callable[[Any], str]], dict[str, Any]]
Estimator = Callable[[dict[str, Any], Callable[[Any], dict[str, Any]]], Estimate]


class Step(Generic[P, A]):
    """A registered step; calling it runs it through the store."""

    def __init__(
        self,
        name: str,
        function: Callable[Concatenate[StepContext, P], None],
        gives: type[A],
        *,
        resumable: bool,
        distributed: bool,
    ) -> None:
        self.name, self.function, self.gives = name, function, gives
        self.resumable, self.distributed = resumable, distributed
        self.__doc__ = function.__doc__
        self._prepare: Prepare | None = None
        self._estimate: Estimator | None = None

    def __call__(self, *args: P.args, **parameters: P.kwargs) -> A:
        """Run the step in the current workspace (`seedbed.workspace`), or take its result from there."""
        from seedbed.recipe.execute import call_step

        assert not args
        artifact = call_step(self.name, dict(parameters))
        assert isinstance(artifact, self.gives)
        return artifact

    def prepare(self, function: Prepare) -> Prepare:
        """Decorator: rewrite resolved parameters before planning, e.g. a Corpus into a `Call` for its tokens.

        The function gets the parameters, and a function from a reference to its kind ("corpus", "tokens" ...).
        """
        self._prepare = function
        return function

    def estimate(self, function: Estimator) -> Estimator:
        """Decorator: what the step would cost, from its resolved parameters and a function from a reference
        to the counts of the artifact, as far as they are known."""
        self._estimate = function
        return function

    def prepared(self, parameters: dict[str, Any], kind_of: Callable[[Any], str]) -> dict[str, Any]:
        return self._prepare(parameters, kind_of) if self._prepare else parameters

    def estimated(self, parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
        return self._estimate(parameters, counts_of) if self._estimate else Estimate()


class StepRegistry(Registry[Any]):
    """The steps; beside the entries it keeps the `Step` objects."""

    def __init__(self, *modules: str) -> None:
        super().__init__("step", *modules, about="what a recipe can do; each makes one artifact")
        self._steps: dict[str, Step[Any, Any]] = {}

    def step(self, name: str, key: str = "") -> Step[Any, Any]:
        self.get(name, key)
        return self._steps[name]

    def add(self, item: Step[Any, Any]) -> None:
        self._steps[item.name] = item


steps = StepRegistry(
    "seedbed.corpus.build",
    "seedbed.corpus.train_scorer",
    "seedbed.corpus.train_extractor",
    "seedbed.corpus.measure_extraction",
    "seedbed.corpus.generate_samples",
    "seedbed.corpus.cut_texts",
    "seedbed.segmentation.train",
    "seedbed.vocabulary.train",
    "seedbed.vocabulary.measure",
    "seedbed.vectors.train",
    "seedbed.vectors.train_graph",
    "seedbed.vectors.teach",
    "seedbed.vectors.read",
    "seedbed.vectors.dictionary",
    "seedbed.vectors.shorten",
    "seedbed.vectors.align",
    "seedbed.vectors.measure",
    "seedbed.data.tokenize",
    "seedbed.objectives.statistics.collocations",
    "seedbed.objectives.statistics.content_words",
    "seedbed.objectives.statistics.informativeness",
    "seedbed.objectives.statistics.names",
    "seedbed.train.pretrain",
    "seedbed.surgery.grow",
    "seedbed.surgery.attach",
    "seedbed.surgery.change_attention",
    "seedbed.surgery.replace_attention",
    "seedbed.surgery.hypernetwork.train",
    "seedbed.surgery.hypernetwork.predict",
    "seedbed.surgery.tokenizer_hypernetwork.train",
    "seedbed.surgery.pruning.prune",
    "seedbed.surgery.pruning.modules",
    "seedbed.surgery.positions.extend",
    "seedbed.surgery.vocabulary.change",
    "seedbed.surgery.vocabulary.extend",
    "seedbed.surgery.vocabulary.trim",
    "seedbed.evaluate.step",
    "seedbed.search.step",
    "seedbed.worlds.generate",
    "seedbed.worlds.labels",
)


def step(
    name: str,
    *,
    gives: type[A],
    version: int = 1,
    papers: list[str] | None = None,
    resumable: bool = False,
    distributed: bool = False,
) -> Callable[[Callable[Concatenate[StepContext, P], None]], Step[P, A]]:
    """Register a step.

    A `resumable` one finds its half-done folder again; others start with an empty one. A `distributed` one is run
    by every process under torchrun; of the others only by the first.
    """

    def decorate(function: Callable[Concatenate[StepContext, P], None]) -> Step[P, A]:
        steps.register(name, version=version, papers=papers or [])(function)
        item: Step[P, A] = Step(name, function, gives, resumable=resumable, distributed=distributed)
        steps.add(item)
        return item

    return decorate


__all__ = ["Call", "Estimate", "Reference", "Step", "StepContext", "step", "steps"]
