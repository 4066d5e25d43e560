"""Spans and their F1: cases worked by hand, and seqeval where it is installed."""

import random

import pytest

from seedbed.evaluate.spans import chunks, is_iob, span_counts

CASES = [
    ("B-X I-X O B-Y", [("X", 0, 1), ("Y", 3, 3)]),
    ("I-X I-X O", [("X", 0, 1)]),  # no B: begins at the first I
    ("B-X B-X I-X", [("X", 0, 0), ("X", 1, 2)]),
    ("B-X I-Y I-Y", [("X", 0, 0), ("Y", 1, 2)]),  # another type ends and begins
    ("O O O", []),
    ("B-X I-X", [("X", 0, 1)]),  # up to the end
    ("S-X B-Y I-Y E-Y E-Y", [("X", 0, 0), ("Y", 1, 3), ("Y", 4, 4)]),
    ("E-X I-X", [("X", 0, 0), ("X", 1, 1)]),
    ("B-A-B I-A-B", [("A-B", 0, 1)]),  # a type with a hyphen
    ("B I B O I", [("", 0, 1), ("", 2, 2), ("", 4, 4)]),  # one type without a name
]


@pytest.mark.parametrize(("tags", "wanted"), CASES)
def test_spans_by_hand(tags: str, wanted: list[tuple[str, int, int]]) -> None:
    assert chunks(tags.split()) == wanted


def test_f1_by_hand() -> None:
    """Two spans; one found exactly, one with a wrong end, one type confused: 1 right of 3 said, 1 of 2 there."""
    truth = ["B-X", "I-X", "O", "B-Y", "I-Y", "O", "O"]
    said = ["B-X", "I-X", "O", "B-Y", "O", "B-X", "O"]
    assert span_counts(truth, said) == (1, 3, 2)
    assert span_counts(truth, truth) == (2, 2, 2)
    assert span_counts(["B-X", "I-X"], ["B-Y", "I-Y"]) == (0, 1, 1)


def test_tag_sets() -> None:
    assert is_iob({"O", "B-X", "I-X"}) and is_iob({"B-X"})
    assert not is_iob({"O"}) and not is_iob({"NN", "B-X"})
    assert is_iob({"B", "I", "O"}) and not is_iob({"B", "I"}) and not is_iob({"B", "O", "X"})


def test_equals_seqeval_on_random_tags() -> None:
    from seqeval.metrics import sequence_labeling as seqeval

    draw = random.Random(0)
    tags = ["O"] + [f"{mark}-{kind}" for mark in "BIES" for kind in ("X", "Y")]
    sentences = [[draw.choice(tags) for _ in range(draw.randrange(1, 9))] for _ in range(500)]
    said = [[draw.choice(tags) if draw.random() < 0.4 else tag for tag in sentence] for sentence in sentences]
    for sentence in sentences:
        assert chunks(sentence) == seqeval.get_entities(sentence)
    right, found, there = (sum(part) for part in zip(*map(span_counts, sentences, said), strict=True))
    assert 2 * right / (found + there) == pytest.approx(seqeval.f1_score(sentences, said))
