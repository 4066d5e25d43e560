"""Gap sentences, Socratic questions and questions across documents, against slow formulas."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_objectives_denoising import pairs_of
from train_world import batch_of, vocabulary

from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.denoising.sentences import Sentences
from seedbed.vocabulary.artifact import Vocabulary

END, MASK, MARK, PERIOD = 3, 4, 5, 6


def words(extra: tuple[str, ...] = ()) -> Vocabulary:
    """Every token is a word, but for a question mark and a period, and some that mean tasks."""
    ids = np.arange(64 + len(extra))
    tokens = [*(f"t{index}" for index in range(64)), *extra]
    tokens[MARK], tokens[PERIOD] = "?", "."
    special_V = (ids < 5) | (ids >= 64)
    return Vocabulary(len(ids), 0, 1, 2, 3, MASK, 2, 3, tokens, special_V, (ids != MARK) & (ids != PERIOD))


def bound(name: str, made: Vocabulary | None = None, **given: Any) -> Any:
    objective = objectives.create(name, **given)
    objective.bind(made or words())
    return objective


def sentences_of(text: list[int]) -> list[list[int]]:
    found: list[list[int]] = [[]]
    for token in text:
        found[-1].append(token)
        if token == PERIOD:
            found.append([])
    return [sentence for sentence in found if sentence]


def f1(one: list[int], other: list[int]) -> float:
    both = sum((Counter(one) & Counter(other)).values())
    return 2 * both / (len(one) + len(other))


def most_important(text: list[int], rate: float) -> list[int]:
    """The numbers of the sentences, the slow way."""
    parts = sentences_of(text)
    rest = [
        [token for other, part in enumerate(parts) if other != number for token in part] for number in range(len(parts))
    ]
    order = sorted(range(len(parts)), key=lambda number: (-f1(parts[number], rest[number]), number))
    return sorted(order[: min(max(round(rate * len(parts)), 1), len(parts) - 1)])


texts = st.lists(
    st.lists(st.sampled_from([PERIOD, 10, 11, 12, 13, 14, 15]), min_size=1, max_size=30), min_size=1, max_size=6
)


@settings(max_examples=60, deadline=None)
@given(texts, st.sampled_from([0.2, 0.3, 0.6]))
def test_gap_sentences(rows: list[list[int]], rate: float) -> None:
    found = pairs_of(
        bound("gap_sentences", rate=rate).corrupt(batch_of([[row] for row in rows], length=32), seed=0, progress=0)
    )
    expected = []
    for text in rows:
        parts, chosen = sentences_of(text), most_important(text, rate)
        if chosen:
            source = [token for n, part in enumerate(parts) for token in ([MASK] if n in chosen else part)]
            expected.append(([*source, END], [*(token for n in chosen for token in parts[n]), END]))
    assert found == expected


def test_overlap_is_that_of_rouge() -> None:
    from seedbed.evaluate.overlap import rouge_1

    text = [10, 11, 11, PERIOD, 12, 11, 13, PERIOD, 10, 14, 15]
    made = Sentences.of(Ragged(np.array(text), np.array([len(text)])), np.arange(20) == PERIOD)
    overlaps = made.overlaps(np.zeros(1, np.int64))
    parts = sentences_of(text)
    for number, overlap in enumerate(overlaps):
        rest = [token for other, part in enumerate(parts) if other != number for token in part]
        as_words = [" ".join(f"w{token}" for token in side) for side in (parts[number], rest)]
        assert 2 * overlap / len(text) == pytest.approx(rouge_1(*as_words))


def asked(sentence: list[int]) -> tuple[list[int], list[int]]:
    """A question and the answer: words are tokens with the marks behind them."""
    starts = [place for place, token in enumerate(sentence) if token not in (PERIOD, MARK) or not place]
    cut = [*starts, len(sentence)][math.ceil(len(starts) / 2)]
    return [*sentence[:cut], MARK], sentence[cut:]


TEXT = [10, 11, 12, 13, PERIOD, 10, 11, 12, PERIOD, 20, 21, PERIOD, 22, 23, PERIOD]


def test_socratic_tasks() -> None:
    chosen = [sentences_of(TEXT)[number] for number in most_important(TEXT, 0.5)]
    assert chosen == [[10, 11, 12, 13, PERIOD], [10, 11, 12, PERIOD]]
    source = [MASK, MASK, 20, 21, PERIOD, 22, 23, PERIOD, END]
    first, second = (asked(sentence)[0] for sentence in chosen)
    assert first == [10, 11, MARK] and second == [10, 11, MARK]
    wanted = {
        "reconstruct": chosen[0] + chosen[1],
        "ask": first + second,
        "ask_and_answer": first + chosen[0] + second + chosen[1],
    }
    for task, target in wanted.items():
        objective = bound("socratic", rate=0.5, weights={task: 1.0}, modes=False)
        assert pairs_of(objective.corrupt(batch_of([[TEXT]]), seed=0, progress=0.0)) == [(source, [*target, END])]
    made = words(("[reconstruct]", "[ask]"))
    objective = bound("socratic", made, rate=0.5, weights={"reconstruct": 1.0, "ask": 3.0})
    assert objective.wanted_tokens() == ["[reconstruct]", "[ask]"]
    found = pairs_of(objective.corrupt(batch_of([[TEXT]] * 400), seed=0, progress=0.0))
    named = {64: "reconstruct", 65: "ask"}
    assert all(pair == ([pair[0][0], *source], [*wanted[named[pair[0][0]]], END]) for pair in found)
    assert np.mean([pair[0][0] == 65 for pair in found]) == pytest.approx(0.75, abs=0.06)
    with pytest.raises(InputError, match="has no such token"):
        bound("socratic")


def test_socratic_sentences_may_stay() -> None:
    objective = bound("socratic", rate=0.5, hide=0.25, weights={"ask": 1.0}, modes=False)
    found = pairs_of(objective.corrupt(batch_of([[TEXT]] * 500), seed=0, progress=0.0))
    assert len({tuple(target) for _, target in found}) == 1
    assert np.mean([source.count(MASK) for source, _ in found]) == pytest.approx(0.5, abs=0.08)


def joined(documents: list[list[list[int]]]) -> Any:
    """Rows of documents that see each other."""
    batch = batch_of(documents, length=40)
    batch.segments_BL = np.minimum(batch.segments_BL, 0)
    return batch


documents = st.lists(
    st.lists(st.sampled_from([PERIOD, *range(10, 16)]), min_size=1, max_size=12), min_size=1, max_size=3
)


@settings(max_examples=60, deadline=None)
@given(st.lists(documents, min_size=1, max_size=4))
def test_cross_document_questions(rows: list[list[list[int]]]) -> None:
    found = pairs_of(bound("cross_document_qa").corrupt(joined(rows), seed=0, progress=0.0))
    expected = []
    for row in rows:
        best: tuple[float, int, int] = (0.0, 0, 0)
        for number, document in enumerate(row):
            others = [token for other, text in enumerate(row) if other != number for token in text]
            for place, sentence in enumerate(sentences_of(document)):
                score = f1(sentence, others)
                best = max(best, (score, -number, -place)) if score > best[0] else best
        score, number, place = best[0], -best[1], -best[2]
        if score == 0:
            continue
        parts = [sentences_of(document) for document in row]
        question, answer = asked(parts[number][place])
        sentence, parts[number][place] = parts[number][place], [MASK]
        read = [token for document in parts for part in document for token in part]
        expected.append(([*question, *read, END], [*answer, *sentence, END]))
    assert found == expected


def test_without_a_question_mark_there_is_none() -> None:
    made = vocabulary(sentinels=8)
    objective = bound("socratic", made, modes=False, weights={"ask": 1.0})
    (pair,) = pairs_of(objective.corrupt(batch_of([[[17, 18, 19, 20, 21, 22]]]), seed=0, progress=0.0))
    assert pair[1] == [17, END], "of the words 17 and 18 to 19 the first half"
