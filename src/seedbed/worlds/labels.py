"""The step `labels`: from what is true of a generated corpus to training and test records for a task."""

from __future__ import annotations

import heapq
from itertools import islice

from seedbed.core.counters import key
from seedbed.core.errors import InputError, unknown_key
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.labels import PARTS, Labels, write_records

from .generate import Generated


@step("labels", gives=Labels)
def labels(context: StepContext, *, world: Corpus, task: str, limit: int = 5000, seed: int = 0) -> None:
    """Labeled records from a generated corpus, for `evaluate: {tasks: [{tokens: {data: THIS_STEP}}]}`.

    world: a corpus that `generate` has made. task: which truth; each world names its own (`seedbed show world facts`)
    and the evaluation task that takes the records. Documents of the corpus's split `train` give train.jsonl, those of
    `test` test.jsonl, and those of `validation` validation.jsonl: at most `limit` records each, from the documents
    whose ids have the smallest hash. Memory: the text of at most `limit` documents.
    """
    made = Generated(world)
    if task not in made.world.tasks:
        raise unknown_key("task", task, made.world.tasks, f"task of the world {made.name}")
    if limit < 1:
        raise InputError("limit", "must be at least 1", value=limit)
    splits = [split for split in PARTS if split in world.splits()]
    for split in splits:
        documents = world.documents(split, ["id", "text"])
        chosen = heapq.nsmallest(limit, documents, key=lambda document: key(seed, "labels", document["id"]))
        texts = {document["id"]: document["text"] for document in chosen}
        records = islice(made.world.records(task, texts, made.truth), limit)
        context.counts[split] = write_records(context.folder / f"{split}.jsonl", records)
    for part in ("train", "test"):
        if not context.counts.get(part):
            fix = "generate more documents, or with split: {test: 0.1}"
            raise InputError(
                "world", f"its {part} documents give no record of '{task}'", value=str(world.path), fix=fix
            )
    context.counts["task"] = made.world.tasks[task]
    context.say(f"{task}: " + ", ".join(f"{context.counts[split]} records of {split}" for split in splits))
