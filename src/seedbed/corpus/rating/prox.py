"""A programmer: what writes the programs by which the curation step `prox` refines documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.corpus import scorers
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.input.examples import Example, Texts, examples_of, sampled

if TYPE_CHECKING:
    from seedbed.corpus.refining.programmer import Annotated, Programmer


@scorers.register("prox", papers=["365"])
class Prox:
    """Writes a program for each document that says what is to be done with it (ProX, Zhou et al., 2024): `drop_doc()`,
    or which lines go and which strings become others. `prox` in `curate` runs the programs; as a scorer it only shows
    them.

    It learns from `documents` examples, and is measured on at most as many others. They are either pairs, `noisy` and
    `clean`, two corpora with the same ids (a document that only the first one has is to be dropped), or `data`, records
    with `text` and either `program` (written by somebody, such as a large language model) or `clean` (null: to be
    dropped). From a pair follows the program that makes the one text the other; a clean text of less than `keep_above`
    of the noisy one's characters means that the document goes. What `least` documents normalize is learned.

    The counts, on the examples held back: `lines` (precision, recall and F1 of the lines that go), `documents` (of the
    documents that go), `exact` (the share of documents that became what they should), `lexicon` (strings learned).

    Unlike the paper: a tagger of lines and a lexicon in the place of a language model
    (`corpus/refining/programmer.py`); one network for both stages; a chunk has 384 lines, not 1,500 tokens; the
    annotations come from pairs or files, not from a language model that rates documents and writes programs when
    prompted.
    """

    def __init__(
        self,
        noisy: Corpus | None = None,
        clean: Corpus | None = None,
        data: Texts | None = None,
        documents: int = 200,
        keep_above: float = 0.3,
        least: int = 2,
        width: int = 64,
        layers: int = 2,
        epochs: int = 20,
        lr: float = 2e-3,
        seed: int = 0,
    ) -> None:
        if (noisy is None) != (clean is None) or (noisy is None) == (data is None):
            given = [
                name for name, value in {"noisy": noisy, "clean": clean, "data": data}.items() if value is not None
            ]
            raise InputError("", "wants examples: either noisy and clean, or data", value=given)
        for name, value in (("documents", documents), ("least", least), ("layers", layers), ("epochs", epochs)):
            if value < 1:
                raise InputError(name, "must be at least 1", value=value)
        if width % 16 or width < 16:
            raise InputError("width", "must be a multiple of 16", value=width)
        if not 0 <= keep_above < 1:
            raise InputError("keep_above", "is a share, at least 0 and below 1", value=keep_above)
        self.noisy, self.clean, self.data, self.documents = noisy, clean, data, documents
        self.keep_above, self.least, self.seed = keep_above, least, seed
        self.width, self.layers, self.epochs, self.lr = width, layers, epochs, lr

    def fit(self, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
        from seedbed.corpus.refining.programmer import Programmer, learn

        examples = self._examples()
        if len(examples) < 2:
            raise InputError("documents", "too few examples to learn from some and measure with others")
        size = min(self.documents, -(-len(examples) * 2 // 3))
        sizes = {"width": self.width, "layers": self.layers, "epochs": self.epochs, "least": self.least}
        learn(examples[:size], lr=self.lr, seed=self.seed, **sizes).write(folder)
        programmer = Programmer.read(folder)
        counts = {
            "examples": {"train": size, "held_back": len(examples) - size},
            **measured(programmer, examples[size:]),
        }
        say(f"{size} examples; of {len(examples) - size} others: F1 of lines {counts['lines']['f1']:.4f}")
        return counts

    @staticmethod
    def load(folder: Path) -> Programs:
        from seedbed.corpus.refining.programmer import Programmer

        return Programs(Programmer.read(folder))

    def _examples(self) -> list[Annotated]:
        """Those to learn from first; both parts are drawn by their texts' hashes."""
        from seedbed.corpus.refining.programmer import Annotated

        if self.data is not None:
            found = sampled(examples_of(self.data, ["text"], key="data"), 2 * self.documents, self.seed)
            pairs = [(example, self._told(example)) for example in found]
        else:
            assert self.noisy is not None and self.clean is not None
            found = sampled(examples_of(self.noisy, ["text"], key="noisy"), 2 * self.documents, self.seed)
            known = _texts(self.clean, {example.id for example in found})
            pairs = [(example, known.get(example.id)) for example in found]
            if not known:
                raise InputError("clean", "has none of the ids of the noisy corpus", value=str(self.clean.path))
        order = sorted(pairs, key=lambda pair: key(self.seed, "prox", pair[0].text))
        return [Annotated(example.id, example.text, self._program(example, told)) for example, told in order]

    def _told(self, example: Example) -> str | None:
        if example.fields.get("program") is None and "clean" not in example.fields:
            fields = ["program", "clean"]
            raise InputError("data", f"the record {example.id} says nothing of what is to be done", allowed=fields)
        clean = example.fields.get("clean")
        return None if clean is None else str(clean)

    def _program(self, example: Example, clean: str | None) -> Any:
        from seedbed.corpus.refining.annotate import annotate
        from seedbed.corpus.refining.programs import parse

        written = None if self.data is None else example.fields.get("program")
        if written is None:
            return annotate(example.text, clean, self.keep_above)
        program = parse(str(written))
        if program.errors:
            raise InputError("data", f"the program of {example.id} has what is no statement", value=program.errors[0])
        return program


class Programs:
    """A trained one: the column `program`."""

    columns: Mapping[str, type] = {"program": str}

    def __init__(self, programmer: Programmer) -> None:
        self.programmer = programmer

    def score(self, texts: Sequence[str]) -> Mapping[str, Sequence[str | None]]:
        return {"program": [str(self.programmer.program(text)) if text.strip() else None for text in texts]}


def measured(programmer: Programmer, examples: Sequence[Annotated]) -> dict[str, Any]:
    """How its programs agree with those of examples that it has not learned from."""
    from seedbed.corpus.neural.fitting import found
    from seedbed.corpus.refining.annotate import removed_lines
    from seedbed.corpus.refining.execute import execute

    lines: list[tuple[bool, bool]] = []
    drops: list[tuple[bool, bool]] = []
    exact = 0
    for example in examples:
        said = programmer.program(example.text)
        drops.append((example.program.drop, said.drop))
        wanted, got = execute(example.text, example.program), execute(example.text, said)
        exact += (wanted.text, wanted.reason is None) == (got.text, got.reason is None)
        if not example.program.drop:
            true, named = removed_lines(example.program), removed_lines(said)
            lines += [(line in true, line in named) for line in range(example.text.count("\n") + 1)]
    counts = [found(*np.array(pairs or [(False, False)], bool).T) for pairs in (lines, drops)]
    size = len(programmer.lexicon.targets)
    return {"lines": counts[0], "documents": counts[1], "exact": exact / max(len(examples), 1), "lexicon": size}


def _texts(corpus: Corpus, ids: set[str]) -> dict[str, str]:
    """The texts of some documents, whatever split they are in."""
    rows = (row for split in corpus.splits() for row in corpus.documents(split, ["id", "text"]))
    return {row["id"]: row["text"] for row in rows if row["id"] in ids}
