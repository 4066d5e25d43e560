"""The step that labels texts by word vectors, for another model to learn from.

Shapes: N texts, D dimensions, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.checks import check_counts, check_share
from seedbed.core.directions import unit
from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.labels import LabeledData, Labels, write_records
from seedbed.data.metadata import check_field
from seedbed.vocabulary.artifact import Tokenizer

from .artifact import WordVectors

if TYPE_CHECKING:
    from .table import WordTable
    from .words import Splitter

Record = dict[str, Any]


@step("teach_labels", gives=Labels, papers=["125"])
def teach_labels(
    context: StepContext,
    *,
    vectors: WordVectors,
    texts: Corpus,
    data: LabeledData | None = None,
    related: Corpus | list[Corpus] | None = None,
    field: str = "metadata.label",
    text: str = "text",
    label: str = "label",
    confidence: float = 0.0,
    limit: int = 10_000,
    penalty: float = 1.0,
    tokenizer: Tokenizer | None = None,
) -> None:
    """Labels for texts that have none, by a noisy teacher: a logistic regression on the mean of a text's word vectors.
    A model with few labels of its own then learns from these as well, by a task's fine-tuning (Ghosh, Maji and
    Desarkar, 2021, whose teacher has the vectors of `train_graph_vectors`).

    vectors: any; each word's count with length 1. texts: a corpus whose training split is labeled, whatever its
    metadata say. data: labeled records of the task itself, as the task `sequences` takes them (`text`, `label`: their
    columns); of a step `labels` the training part. related: corpora with the labels of related tasks in the field
    `field` of their metadata, under the same names. The teacher learns from both, of which there must be one, with
    equal weight for each text. confidence: texts whose label it gives a smaller probability are left out, and so are
    those without a known word. limit: at most so many texts, the first ones. penalty: of squared weights, as in
    scikit-learn's logistic regression with C = 1 / penalty. tokenizer: of a language without spaces.

    train.jsonl: the training records of `data`, then the texts with the teacher's labels, and its `probability`;
    test.jsonl, and in the counts the teacher's own `accuracy` there: the test part of `data`, where it has one. Labels
    are hard: the paper's student may have learned from probabilities, which we could not look up.
    """
    from seedbed.evaluate import linear

    from .words import splitter

    check_share("confidence", confidence)
    check_counts(limit=limit)
    if data is None and related is None:
        raise InputError("data", "neither labeled records nor related texts are given", fix="one of them at least")
    own, test = _records(data, text, label)
    examples = [(record[text], str(record[label])) for record in own] + list(_related(related, field))
    names = sorted({name for _, name in examples})
    if len(names) < 2:
        raise InputError("data", "what the teacher learns from has a single label", value=names)
    table, split = vectors.table, splitter(tokenizer, vectors.table.is_lowercased)
    known_ND, covered_N = text_vectors([item for item, _ in examples], table, split)
    truth_N = np.array([names.index(name) for _, name in examples])
    if not covered_N.any():
        raise InputError("vectors", "have none of the labeled texts' words", value=str(vectors.path))
    (train_ND,) = linear.standardize(known_ND[covered_N])
    teacher = linear.fit(train_ND, truth_N[covered_N], len(names), penalty=penalty)

    def chances(items: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        found_ND, covered = text_vectors(items, table, split)
        scores_NC = teacher.scores(linear.standardize(known_ND[covered_N], found_ND)[1])
        shares_NC = np.exp(scores_NC - scores_NC.max(1, keepdims=True))
        return shares_NC / shares_NC.sum(1, keepdims=True), covered

    taught = _taught(texts, {record[text] for record in own}, limit)
    sure = list(_labeled(taught, *chances([row["text"] for row in taught]), names, confidence, text, label))
    write_records(context.folder / "train.jsonl", [*own, *sure])
    context.counts.update(train=len(own) + len(sure), given=len(own), taught=len(sure), unsure=len(taught) - len(sure))
    if test:
        write_records(context.folder / "test.jsonl", test)
        said = chances([record[text] for record in test])[0].argmax(1)
        right = [names[index] == str(record[label]) for index, record in zip(said, test, strict=True)]
        context.counts.update(test=len(test), accuracy=float(np.mean(right)))
    context.say(f"{len(sure)} of {len(taught)} texts are labeled")


def text_vectors(texts: Sequence[str], table: WordTable, split: Splitter) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the words' vectors, each of length 1, for each text (N, D; float32), and which texts have any (N)."""
    unit_WD = unit(table.matrix_WD)
    found_ND = np.zeros((len(texts), unit_WD.shape[1]), dtype=np.float32)
    covered_N = np.zeros(len(texts), dtype=bool)
    for number, text in enumerate(texts):
        rows = table.find(split(text))
        if (rows >= 0).any():
            found_ND[number], covered_N[number] = unit_WD[rows[rows >= 0]].mean(0), True
    return found_ND, covered_N


def _records(data: LabeledData | None, text: str, label: str) -> tuple[list[Record], list[Record]]:
    """The training records and, of an artifact, the test records."""
    from seedbed.evaluate.records import files_of, read_records

    if data is None:
        return [], []
    columns = {text: str, label: object}
    test = files_of(data, "test") if isinstance(data, Labels) else []
    return read_records(files_of(data, "train"), columns), read_records(test, columns)


def _related(related: Corpus | list[Corpus] | None, field: str) -> Iterator[tuple[str, str]]:
    """Texts with a label in their metadata."""
    name = check_field(field, "field")
    for corpus in [related] if isinstance(related, Corpus) else related or []:
        found = 0
        for row in corpus.documents("train", ["text", "metadata"]):
            value = json.loads(row["metadata"] or "{}").get(name)
            if value is not None:
                found += 1
                yield row["text"], str(value)
        if not found:
            raise InputError("field", "no document has this field", value=field)


def _taught(texts: Corpus, known: set[str], limit: int) -> list[Record]:
    """At most `limit` texts that have no label yet."""
    found: list[Record] = []
    for row in texts.documents("train", ["id", "text"]):
        if len(found) == limit:
            break
        if row["text"] not in known:
            found.append(row)
    return found


def _labeled(
    rows: list[Record],
    chances_NC: np.ndarray,
    covered_N: np.ndarray,
    names: list[str],
    confidence: float,
    text: str,
    label: str,
) -> Iterator[Record]:
    for row, chances_C, covered in zip(rows, chances_NC, covered_N, strict=True):
        best = int(chances_C.argmax())
        if covered and chances_C[best] >= confidence:
            probability = round(float(chances_C[best]), 6)
            yield {"id": row["id"], text: row["text"], label: names[best], "probability": probability}
