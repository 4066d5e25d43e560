"""The step `generate`: a world becomes a corpus, with what is true of it beside it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Annotated, Any

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.documents import Document

from . import DOCUMENTS, Row, Truth, World, worlds

_SPLIT = {"validation": 0.02, "test": 0.1}
_BYTES_PER_TOKEN = 4.0
TRUTH = "truth"


@step("generate", gives=Corpus)
def generate(
    context: StepContext,
    *,
    world: Annotated[World, worlds],
    split: dict[str, float] = _SPLIT,
    split_by: str | None = None,
    seed: int = 0,
) -> None:
    """Makes a corpus in the format of `build_corpus` from a world, and what is true of it in `truth/*.jsonl`.

    What the truth files hold stands with each world (`seedbed show world facts`). `split_by` is a column or
    `metadata.<field>`, by default what the world says belongs together; a document's split is decided by its hash
    and the seed, as in `build_corpus`.
    """
    from seedbed.corpus.card import write_card
    from seedbed.corpus.input.intake import Intake
    from seedbed.corpus.splits import TRAIN, Splitter
    from seedbed.corpus.stages import write_splits

    splitter = Splitter(split, split_by or world.split_by, seed)
    work, counts = context.folder / "work", context.counts
    intake = Intake(work, context.folder / "quarantine.jsonl")
    with TruthFiles(context.folder / TRUTH) as truth:
        runs = intake.read([truth.documents(world.stream(seed))], lambda *_: "world")
    assert not intake.unreadable and not intake.renamed, intake.examples
    if not runs:
        raise InputError("world", "gives no document")
    splits, domains = write_splits(context.folder, runs, splitter)
    shutil.rmtree(work)
    if not splits[TRAIN]["documents"]:
        raise InputError("split", "leaves no document to train on", value=intake.runs.documents)
    kept = {what: sum(row[what] for row in splits.values()) for what in ("documents", "bytes")}
    assert kept == intake.runs.counts
    counts.update(read=kept, quarantined={"documents": 0}, renamed=0, dropped={})
    counts.update(splits=splits, domains=domains, kept=kept, truth=dict(truth.rows))
    write_card(context.folder, context.name, counts, context.parameters)
    context.say(f"{kept['documents']} documents, {kept['bytes'] / 1e6:.1f} MB of text, {truth.rows.total()} true rows")


@generate.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """From the number of documents and what was measured with the world's defaults."""
    component = parameters["world"]
    world, given = component.entry.target, component.parameters
    base = counts_of(given["corpus"]).get("kept") if given.get("corpus") is not None else None
    sizes = [given["documents"], base["documents"] if base else None]
    documents = min([size for size in sizes if size is not None], default=DOCUMENTS)
    num_bytes = documents * (base["bytes"] / base["documents"] if base else world.bytes_per_document)
    return Estimate(
        seconds=1 + documents / world.documents_per_second,
        tokens=num_bytes / _BYTES_PER_TOKEN,
        notes=f"{documents} documents, about {num_bytes / 1e6:.1f} MB",
        counts={"kept": {"documents": documents, "bytes": num_bytes}},
    )


class TruthFiles:
    """Writes rows of truth as they come by; `rows` counts them by file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, Counter[str]()
        self._files: dict[str, IO[str]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> TruthFiles:
        self.folder.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def documents(self, items: Iterable[Document | Truth]) -> Iterator[Document]:
        """The documents among the items; the truth goes to disk."""
        encode = json.JSONEncoder(ensure_ascii=False).encode
        for item in items:
            if isinstance(item, Document):
                yield item
                continue
            if item.file not in self._files:
                path = self.folder / f"{item.file}.jsonl"
                self._files[item.file] = self._stack.enter_context(open(path, "w", encoding="utf8"))
            self._files[item.file].write(encode(item.row) + "\n")
            self.rows[item.file] += 1


class Generated:
    """A generated corpus, opened: its world, and what is true of it. InputError if `generate` has not made it."""

    def __init__(self, corpus: Corpus) -> None:
        manifest = corpus.manifest or {}
        if manifest.get("step") != "generate":
            fix = "name a corpus that the step `generate` has made"
            raise InputError("world", "nothing is known to be true of this corpus", value=str(corpus.path), fix=fix)
        ((self.name, given),) = manifest["parameters"]["world"].items()
        self.corpus = corpus
        self.world: World = worlds.parse({self.name: given}).build(build_artifact=self._base)

    def truth(self, name: str) -> Iterator[Row]:
        """The rows of one truth file."""
        with open(self.corpus.path / TRUTH / f"{name}.jsonl", encoding="utf8") as file:
            yield from map(json.loads, file)

    def _base(self, _: Any) -> Artifact:
        bases = [artifact for artifact in self.corpus.inputs() if isinstance(artifact, Corpus)]
        if not bases:
            raise InputError(
                "world", "the corpus that it was made over is no longer there", value=str(self.corpus.path)
            )
        return bases[0]
