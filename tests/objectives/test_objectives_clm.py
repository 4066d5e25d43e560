"""Causal language modeling: targets by a plain loop."""

from __future__ import annotations

from train_world import MadeStream, batch_of, vocabulary

from seedbed.objectives import objectives


def clm():
    objective = objectives.create("clm")
    objective.bind(vocabulary())
    return objective


def test_targets_are_next_tokens_within_the_segment() -> None:
    batch = MadeStream(2).next(40)
    examples = clm().corrupt(batch, seed=0, progress=0.5)
    expected = []
    rows, length = batch.tokens_BL.shape
    for row in range(rows):
        for column in range(length - 1):
            segment = batch.segments_BL[row, column]
            if segment >= 0 and batch.segments_BL[row, column + 1] == segment:
                expected.append((row * length + column, batch.tokens_BL[row, column + 1]))
    assert list(zip(examples.where_T, examples.targets_T, strict=True)) == expected
    assert (examples.tokens_BL == batch.tokens_BL).all()


def test_no_document_is_asked_for_the_next_one() -> None:
    examples = clm().corrupt(batch_of([[[7, 8, 9], [10, 11], [12]], [[13, 14]]], length=8), seed=0, progress=0.5)
    assert examples.where_T.tolist() == [0, 1, 3, 8]
    assert examples.targets_T.tolist() == [8, 9, 11, 14]
