"""In-context pretraining's rows: similarity, graph and path against definitions, rows against the joined text."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.data import samplers
from seedbed.data.artifact import TokenFile
from seedbed.data.sampling.related import LENGTH as SIZE
from seedbed.data.sampling.related import Graph, neighbors, vectors

LENGTH, PAD = 16, 1


def file_of(documents: list[list[int]]) -> TokenFile:
    sizes = np.array([len(document) for document in documents], dtype=np.int64)
    tokens = np.array(list(itertools.chain(*documents)), dtype=np.uint16)
    return TokenFile(tokens, np.cumsum(sizes) - sizes, sizes, sizes, [f"d{i}" for i in range(len(sizes))])


def topics(number: int = 6, each: int = 8, size: int = 20, seed: int = 0) -> tuple[TokenFile, np.ndarray]:
    """Documents with words of their own topic and words of all, in random order."""
    rng = np.random.default_rng(seed)
    topic_N = rng.permutation(np.repeat(np.arange(number), each))
    documents = [
        np.where(rng.random(size) < 0.5, 100 + 20 * topic + rng.integers(0, 20, size), rng.integers(10, 60, size))
        for topic in topic_N
    ]
    return file_of([document.tolist() for document in documents]), topic_N


def stream_of(sources: dict[str, TokenFile], weights: dict[str, float] | None = None, seed: int = 0, **parameters: Any):
    weights = weights or dict.fromkeys(sources, 1.0)
    return samplers.create("in_context", **parameters).stream(sources, weights, LENGTH, PAD, seed)


def test_vectors_are_tf_idf_up_to_hashing() -> None:
    """Against dictionaries of terms: cosines agree to what 1024 columns and rounding leave."""
    file, _ = topics()
    terms = []
    for index in range(file.num_documents):
        tokens = file.document(index).tolist()
        terms.append(Counter([(token,) for token in tokens] + list(itertools.pairwise(tokens))))
    inside = Counter(term for found in terms for term in found)
    weights = [
        {term: (1 + np.log(count)) * np.log(len(terms) / inside[term]) for term, count in found.items()}
        for found in terms
    ]
    norms = [np.sqrt(sum(value**2 for value in found.values())) for found in weights]
    made = vectors(file)
    assert (made == np.round(made)).all() and abs(made).max() <= SIZE
    errors = []
    for one, other in itertools.combinations(range(len(terms)), 2):
        exact = sum(value * weights[other].get(term, 0.0) for term, value in weights[one].items())
        errors.append(float(made[one] @ made[other]) / SIZE**2 - exact / norms[one] / norms[other])
    assert np.sqrt(np.mean(np.square(errors))) < 0.04 and abs(np.mean(errors)) < 0.005


def test_similarities_are_exact_in_any_order_of_additions() -> None:
    file, _ = topics()
    made = vectors(file)
    exact = made.astype(np.int64) @ made.astype(np.int64).T
    assert ((made @ made.T).astype(np.int64) == exact).all()
    assert exact.max() < 1 << 24


@settings(max_examples=30, deadline=None)
@given(number=st.integers(1, 12), nearest=st.integers(1, 5), seed=st.integers(0, 99))
def test_neighbors_by_sorting(number: int, nearest: int, seed: int) -> None:
    made = np.random.default_rng(seed).integers(-3, 4, (number, 1024)).astype(np.float32)
    made[number // 2] = made[0]  # a tie
    near, cosine = neighbors(made, nearest)
    for index in range(number):
        products = {other: int(made[index] @ made[other]) for other in range(number) if other != index}
        wanted = sorted(products, key=lambda other: (-products[other], other))[:nearest]
        assert near[index].tolist() == wanted
        assert cosine[index].tolist() == [products[other] / SIZE**2 for other in wanted]


@settings(max_examples=60, deadline=None)
@given(number=st.integers(1, 14), nearest=st.integers(1, 4), seed=st.integers(0, 99))
def test_the_path_is_the_papers(number: int, nearest: int, seed: int) -> None:
    """Algorithm 1 as it is stated, over sets."""
    rng = np.random.default_rng(seed)
    cosine = np.round(rng.random((number, number)), 1) * 0.9
    cosine = np.triu(cosine, 1) + np.triu(cosine, 1).T
    order = [
        sorted((j for j in range(number) if j != i), key=lambda j, i=i: (-cosine[i, j], j))[:nearest]
        for i in range(number)
    ]
    width = min(nearest, number - 1)
    near = np.array(order, dtype=np.int64).reshape(number, width)
    graph = Graph.of(near, np.take_along_axis(cosine, near, 1), duplicate=0.95)

    def linked(i: int) -> set[int]:
        return {j for j in range(number) if (j in order[i] or i in order[j]) and cosine[i, j] > 0}

    left, path = set(range(number)), []
    degrees = {i: len(linked(i)) for i in left}
    while left:
        here = min(left, key=lambda i: (degrees[i], i))
        path.append(here)
        left.remove(here)
        while linked(here) & left:
            here = min(linked(here) & left, key=lambda j: (-cosine[path[-1], j], j))
            path.append(here)
            left.remove(here)
    assert graph.path() == path


def test_near_duplicates_are_dropped_and_counted() -> None:
    file, _ = topics(number=3, each=4)
    documents = [file.document(index).tolist() for index in range(12)]
    copied = file_of([*documents, documents[2], documents[7], documents[2], [5]])
    stream = stream_of({"a": copied})
    assert sorted(stream._texts[0].documents) == list(range(12))
    for _ in range(2 * 12 * 20 // LENGTH):
        stream.next(1)
    assert stream.counts["a"] == {
        "tokens": 480, "padded": 0, "truncated": 0, "dropped": 122, "documents": 32, "epochs": 2.0,
    }  # fmt: skip


def test_neighbors_on_the_path_share_their_topic() -> None:
    file, topic_N = topics()
    related, random = (stream_of({"a": file}, order=order)._texts[0].documents for order in ("related", "random"))
    shares = [np.mean(topic_N[path[1:]] == topic_N[path[:-1]]) for path in (related, random)]
    assert shares[0] > 0.65 and shares[1] < 0.4, "of six topics"
    assert sorted(related) == sorted(random) == list(range(48))


@pytest.mark.parametrize("order", ["related", "random"])
@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=20).filter(lambda sizes: max(sizes) >= 2))
def test_an_epoch_is_the_joined_text(order: str, lengths: list[int], token_file: Any) -> None:
    """Rows put back in their places are the documents one after the other; each token once."""
    file = token_file(lengths)
    stream = stream_of({"a": file}, order=order)
    text = stream._texts[0]
    wanted = np.concatenate([file.document(index) for index in text.documents])
    rows = {}
    for _ in range(len(text.starts)):
        batch = stream.next(1)
        tokens = batch.tokens_BL[0][batch.segments_BL[0] >= 0].tolist()
        rows[int(np.flatnonzero(wanted == tokens[0])[0])] = tokens
        assert set(batch.segments_BL[0].tolist()) <= {0, -1}
        assert batch.positions_BL[0][: len(tokens)].tolist() == list(range(len(tokens)))
        assert batch.tokens_BL[0][len(tokens) :].tolist() == [PAD] * (LENGTH - len(tokens))
        for row, column, length, _, document, first in batch.pieces_N6.tolist():
            part = file.document(document)[first : first + length]
            assert batch.tokens_BL[row, column : column + length].tolist() == part.tolist()
    assert list(itertools.chain(*(rows[start] for start in sorted(rows)))) == wanted.tolist()
    usable = [size for size in lengths if size >= 2]
    assert len(wanted) == sum(usable)
    assert stream.counts["a"]["dropped"] == sum(lengths) - sum(usable)


@pytest.mark.parametrize("order", ["related", "random"])
def test_exact_resume(order: str) -> None:
    sources = {"a": topics()[0], "b": topics(seed=4)[0]}
    stream = stream_of(sources, {"a": 0.3, "b": 0.7}, order=order)
    for _ in range(7):
        stream.next(3)
    state = json.loads(json.dumps(stream.state_dict()))
    resumed = stream_of(sources, {"a": 1.0, "b": 1.0}, order=order)
    resumed.next(5)
    resumed.load_state_dict(state)
    for _ in range(40):
        one, other = stream.next(3), resumed.next(3)
        assert (one.tokens_BL == other.tokens_BL).all() and (one.pieces_N6 == other.pieces_N6).all()
        assert len({row[3] for row in one.pieces_N6.tolist() if row[0] == 0}) == 1, "a row is of one source"
    assert stream.counts == resumed.counts
    total = sum(counts["tokens"] for counts in stream.counts.values())
    assert abs(stream.counts["a"]["tokens"] - 0.3 * total) <= LENGTH


def test_rows_come_in_another_order_every_epoch_and_seed() -> None:
    file, _ = topics()
    number = 48 * 20 // LENGTH
    stream = stream_of({"a": file})
    first, second = (stream.next(number).tokens_BL for _ in range(2))
    other = stream_of({"a": file}, seed=1).next(number).tokens_BL
    assert not (first == second).all() and not (first == other).all()
    assert sorted(first.tolist()) == sorted(second.tolist()) == sorted(other.tolist()), "one path, cut in one way"


def test_a_state_of_other_settings_is_refused() -> None:
    file, _ = topics()
    state = stream_of({"a": file}).state_dict()
    for parameters in ({"order": "random"}, {"neighbors": 3}, {"duplicate": 0.5}):
        with pytest.raises(InputError, match="checkpoint"):
            stream_of({"a": file}, **parameters).load_state_dict(state)
    for parameters, named in (
        ({"neighbors": 0}, "neighbors"),
        ({"duplicate": 1.5}, "duplicate"),
        ({"order": "x"}, "order"),
    ):
        with pytest.raises(InputError, match=named):
            samplers.create("in_context", **parameters)


def test_documents_of_a_row_see_each_other() -> None:
    """In a network: changing a row's first document changes what is computed for its last."""
    import torch

    from seedbed.models import backbones

    network = backbones.create("decoder", layers=1, width=32, heads=2, max_length=32).network(300, 0, pad=PAD)
    batch = stream_of({"a": topics(size=5)[0]}).next(1)
    assert len(batch.pieces_N6) >= 3
    changed = batch.tokens_BL.copy()
    changed[0, 0] += 1
    with torch.no_grad():
        one, other = (
            network.hidden(
                torch.from_numpy(tokens), torch.from_numpy(batch.segments_BL), torch.from_numpy(batch.positions_BL)
            )
            for tokens in (batch.tokens_BL, changed)
        )
    assert (one[0, -1] - other[0, -1]).abs().max() > 1e-6
