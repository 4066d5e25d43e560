"""The step `evaluate`: tasks over a model and its baselines, into Scores."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

from seedbed.core.errors import InputError
from seedbed.core.files import write_json
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import Task, tasks
from seedbed.evaluate.artifact import Scores
from seedbed.evaluate.contamination import contamination
from seedbed.evaluate.summary import lines, rows_of, summarize, write_items, write_rows
from seedbed.evaluate.task import EvaluationContext
from seedbed.models.artifact import Model
from seedbed.vocabulary.artifact import Tokenizer


@step("evaluate", gives=Scores, version=3)
def evaluate(
    context: StepContext,
    *,
    model: Model,
    tasks: list[Annotated[Task, tasks]],
    seeds: int = 3,
    against: list[Corpus] = [],  # noqa: B006
    baselines: bool = True,
    ngram: int = 13,
    seed: int = 0,
) -> None:
    """Score a model and its baselines on tasks, with intervals, item-level predictions and a contamination report.

    model: what to evaluate; it is not changed. tasks: see `seedbed list tasks`; two of one kind need a `name` each.
    seeds: how often what is random is done again (fine-tuning, untrained weights), from `seed` on. against:
    corpora for the contamination report, by default those that the model was pretrained on, found through its
    manifest. baselines: whether the untrained network and the task's own baselines run too. ngram: the length in
    words of the n-grams of the contamination report.
    """
    for name, number in (("seeds", seeds), ("ngram", ngram)):
        if number < 1:
            raise InputError(name, "must be at least 1", value=number)
    if not tasks:
        raise InputError("tasks", "the list is empty", allowed="names of tasks: seedbed list tasks")
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise InputError("tasks", f"two tasks are called '{name}'", fix="give one of them another `name`")
        if not name.replace("-", "_").replace(".", "_").isidentifier():
            raise InputError("name", "of a task must be of letters, digits, dots, hyphens and underscores", value=name)
    evaluation = EvaluationContext(model, seeds, seed, baselines, context.say)
    (context.folder / "items").mkdir()
    rows, summary, texts = [], {}, {}
    for task in tasks:
        started = time.monotonic()
        result = task.run(evaluation)
        rows += rows_of(task.name, result)
        summary[task.name] = summarize(result, seed)
        texts[task.name] = result.test_texts
        write_items(result, context.folder / "items" / f"{task.name}.parquet")
        for line in lines(task.name, summary[task.name]):
            context.say(line)
        context.say(f"  in {time.monotonic() - started:.0f} s")
    write_rows(rows, context.folder / "scores.parquet")
    write_json(context.folder / "summary.json", summary)
    corpora = against or pretraining_corpora(model)
    report = contamination(texts, corpora, n=ngram)
    write_json(context.folder / "contamination.json", report)
    for line in _contamination_lines(report):
        context.say(line)
    context.counts["scores"] = _compact(summary)


def pretraining_corpora(model: Model) -> list[Corpus]:
    """The corpora that a model and those that it continues were trained on, as far as they are still there: not what
    these corpora were made from, of which a part may be held out by now, nor what vocabularies were learned from."""
    return [artifact for artifact in model.ancestors(Corpus, Tokenizer) if isinstance(artifact, Corpus)]


def _contamination_lines(report: dict[str, Any]) -> list[str]:
    if not report["corpora"]:
        return ["contamination: no pretraining corpus is known; name some in `against`"]
    return [
        f"contamination of {task}: {found['contaminated']} of {found['items'] - found['too_short']} items share"
        f" {report['n']} words in a row with the pretraining corpora ({found['too_short']} items are too short to tell)"
        for task, found in report["tasks"].items()
    ]


def _compact(summary: dict[str, Any]) -> dict[str, Any]:
    """{task: {metric: {system: mean}}}"""
    return {
        task: {
            metric: {
                system: round(values[metric]["mean"], 6)
                for system, values in found["systems"].items()
                if metric in values
            }
            for metric in found["metrics"]
        }
        for task, found in summary.items()
    }


@evaluate.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """How many networks run or train; how long depends on the data, which is not read here."""
    seeds = int(parameters["seeds"])
    runs = 0
    for component in parameters["tasks"]:
        trains = component.parameters.get("method") == "finetune"
        runs += (seeds if trains else 1) + (seeds if parameters["baselines"] else 0)
    size = counts_of(parameters["model"]).get("parameters")
    known = float(size) if isinstance(size, int | float) else None
    return Estimate(parameters=known, notes=f"{len(parameters['tasks'])} tasks, {runs} runs of the network")
