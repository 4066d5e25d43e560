"""Count models against slow formulas, and that they are distributions."""

from collections import Counter

import numpy as np
import pytest

from seedbed.evaluate.ngrams import KneserNey, Neighbors, _discount

SIZE = 7


def documents(seed: int = 0, num: int = 12) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.choice(SIZE - 1, random.integers(1, 20), p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.05]) for _ in range(num)]


def slow_kneser_ney(train: list[list[int]], history: list[int], token: int, order: int) -> float:
    """Chen and Goodman (1999), equation 25, with dictionaries and one token at a time."""
    grams: list[Counter] = [Counter() for _ in range(order)]
    for document in train:
        padded = [SIZE] * (order - 1) + document
        for place in range(order - 1, len(padded)):
            grams[order - 1][tuple(padded[place - order + 1 : place + 1])] += 1
    for n in range(order - 1, 0, -1):  # an n-gram's count is the number of distinct tokens to its left
        for gram in grams[n]:
            grams[n - 1][gram[1:]] += 1
    probability = 1 / SIZE
    padded = [SIZE] * (order - 1) + history
    for n in range(order):
        context = tuple(padded[len(padded) - n :]) if n else ()
        followers = {gram[-1]: count for gram, count in grams[n].items() if gram[:-1] == context}
        discount = _discount(np.array(list(grams[n].values())))
        total = sum(followers.values())
        if total:
            back = discount * len(followers) / total
            probability = max(followers.get(token, 0) - discount, 0) / total + back * probability
    return probability


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_ney_equals_the_slow_formula(order: int) -> None:
    train, test = documents(0), documents(1, 3)
    model = KneserNey(train, SIZE, order)
    for document in [*test, np.array([SIZE - 1, 0, SIZE - 1, SIZE - 1])]:
        wanted = [
            slow_kneser_ney([d.tolist() for d in train], document[:t].tolist(), int(document[t]), order)
            for t in range(len(document))
        ]
        assert model.probabilities(document) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_ney_sums_to_one(order: int) -> None:
    model = KneserNey(documents(), SIZE, order)
    for history in ([], [0], [1, 2], [5, 6, 6], [6, 0]):
        total = sum(model.probabilities(np.array([*history, token]))[-1] for token in range(SIZE))
        assert total == pytest.approx(1)


def test_longer_contexts_help_where_the_text_repeats() -> None:
    train = [np.array([0, 1, 2, 3, 4, 5] * 20)]
    nats = [-np.log(KneserNey(train, SIZE, order).probabilities(train[0])).mean() for order in (1, 2, 3)]
    assert nats[0] > 1.5 and nats[1] < 0.3 and nats[2] < 0.3


def test_no_training_text_is_the_uniform_distribution() -> None:
    model = KneserNey([np.zeros(0, dtype=np.int64)], SIZE, 2)
    assert model.probabilities(np.array([1, 2])) == pytest.approx([1 / SIZE, 1 / SIZE])


def slow_neighbors(train: list[list[int]], left: int, right: int) -> np.ndarray:
    """The formula of the docstring, with dictionaries."""
    triples = Counter()
    for document in train:
        padded = [SIZE, *document, SIZE]
        for place in range(1, len(padded) - 1):
            triples[tuple(padded[place - 1 : place + 2])] += 1

    def smooth(chosen: dict[int, int], below: np.ndarray) -> np.ndarray:
        if not chosen:
            return below
        total, distinct = sum(chosen.values()), len(chosen)
        return np.array([(chosen.get(w, 0) + distinct * below[w]) / (total + distinct) for w in range(SIZE)])

    def counts(test) -> dict[int, int]:
        found: Counter = Counter()
        for (a, w, b), count in triples.items():
            if test(a, b):
                found[w] += count
        return found

    unigram = smooth(counts(lambda a, b: True), np.full(SIZE, 1 / SIZE))
    one = smooth(counts(lambda a, b: a == left), unigram)
    other = smooth(counts(lambda a, b: b == right), unigram)
    return smooth(counts(lambda a, b: (a, b) == (left, right)), (one + other) / 2)


def test_neighbors_equal_the_slow_formula_and_sum_to_one() -> None:
    train = documents(3)
    model = Neighbors(train, SIZE)
    for left in (0, 1, 4, 6, SIZE):
        for right in (0, 2, 6, SIZE):
            found = model.distribution(left, right)
            assert found.sum() == pytest.approx(1)
            assert found == pytest.approx(slow_neighbors([d.tolist() for d in train], left, right))


def test_a_masked_neighbor_is_not_used() -> None:
    model = Neighbors([np.array([0, 1, 2] * 10), np.array([3, 1, 4] * 2)], SIZE)
    assert model.distribution(None, None) is model.unigram_V
    assert model.distribution(0, None).argmax() == 1 and model.distribution(None, 4).argmax() == 1
    assert model.distribution(0, None).sum() == pytest.approx(1)
