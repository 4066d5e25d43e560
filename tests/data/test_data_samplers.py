"""What every sampler promises, and what each promises on its own."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.data import samplers

CONFIGURATIONS = [
    ("packed", {}),
    ("packed", {"fit": "best"}),
    ("packed", {"fit": "best", "open_rows": 3}),
    ("bucketed", {"window": 16}),
    ("bucketed", {"window": 64, "overflow": "truncate"}),
    ("in_context", {}),
    ("in_context", {"order": "random"}),
]
JOINED = {"in_context"}  # samplers whose rows are one segment
LENGTH, PAD = 16, 1
lengths_lists = st.lists(st.integers(0, 60), min_size=1, max_size=40).filter(lambda sizes: max(sizes) >= 2)


def make(name, parameters, sources, weights=None, *, length=LENGTH, seed=0):
    weights = weights or dict.fromkeys(sources, 1.0)
    return samplers.create(name, **parameters).stream(sources, weights, length, PAD, seed)


def test_every_sampler_is_tested():
    elsewhere = {"poisson", "pairs", "parallel", "grouped"}  # they have files of their own
    assert {name for name, _ in CONFIGURATIONS} | elsewhere == set(samplers.names())


def same(a, b):
    for name in ("tokens_BL", "segments_BL", "positions_BL", "rows_B", "pieces_N6"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert a.sources == b.sources


def pieces_of(batch):
    """(source, document, tokens) of each piece, by walking over every place."""
    for row, column, length, source, document, _ in batch.pieces_N6.tolist():
        yield batch.sources[source], document, batch.tokens_BL[row, column : column + length].tolist()


def check_batch(batch, sources, joined=False):
    """Isolation and bookkeeping, place by place."""
    covered = np.zeros(batch.tokens_BL.shape, dtype=int)
    segment_of_row = Counter()
    for row, column, length, source, document, first in batch.pieces_N6.tolist():
        file = sources[batch.sources[source]]
        stretch = slice(column, column + length)
        covered[row, stretch] += 1
        assert (batch.segments_BL[row, stretch] == segment_of_row[row]).all(), "a segment a piece, numbered in order"
        segment_of_row[row] += not joined
        start = column if joined else 0
        assert batch.positions_BL[row, stretch].tolist() == list(range(start, start + length))
        whole, part = file.document(document).tolist(), batch.tokens_BL[row, stretch].tolist()
        assert whole[first : first + length] == part, "the stretch of the document that it names"
        assert length >= 2 or joined
    assert ((covered == 1) == (batch.segments_BL >= 0)).all() and covered.max() == 1
    padding = batch.segments_BL < 0
    assert (batch.tokens_BL[padding] == PAD).all() and (batch.positions_BL[padding] == 0).all()


def test_best_fit_lets_no_document_wait(token_file):
    """A row that nothing fills is not held back for ever by fuller ones."""
    lengths = [23, 23, 52, 13, 14, 36, 46, 55]  # the 13 leaves a room of 3, which no rest of the others fits
    stream = make("packed", {"fit": "best"}, {"a": token_file(lengths)})
    first = {}
    for row in range(200):
        for _, document, _ in pieces_of(stream.next(1)):
            first.setdefault(document, row)
    assert set(first) == set(range(len(lengths)))  # it was row 507 while the fullest rows went first


@pytest.mark.parametrize(("name", "parameters"), CONFIGURATIONS)
class TestContract:
    @settings(max_examples=40, deadline=None)
    @given(lengths=lengths_lists, rows=st.integers(1, 9), seed=st.integers(0, 99))
    def test_one_epoch_has_every_token_once(self, *, name, parameters, lengths, rows, seed, token_file):
        file = token_file(lengths)
        stream = make(name, parameters, {"a": file}, seed=seed)
        tokens = Counter()
        wanted = Counter(t for i in range(len(lengths)) for t in file.document(i).tolist() if lengths[i] >= 2)
        if parameters.get("overflow") == "truncate":
            wanted = Counter(
                t for i in range(len(lengths)) for t in file.document(i)[:LENGTH].tolist() if lengths[i] >= 2
            )
        drawn = 0
        while set(tokens) < set(wanted):
            batch = stream.next(rows)
            check_batch(batch, {"a": file}, name in JOINED)
            for _, _, part in pieces_of(batch):
                tokens.update(part)
            drawn += 1
            assert drawn < 700  # 40 documents of 4 rows, behind 32 rows that are open
        # When the last token comes, nothing has come more often than epochs overlap in open rows or windows.
        assert set(tokens) == set(wanted)
        counts = stream.counts["a"]
        assert counts["tokens"] == sum(tokens.values())
        assert counts["padded"] == drawn * rows * LENGTH - counts["tokens"] or name == "bucketed"

    @settings(max_examples=40, deadline=None)
    @given(
        lengths=lengths_lists,
        other=lengths_lists,
        before=st.integers(0, 12),
        seed=st.integers(0, 9),
        rows=st.integers(1, 5),
    )
    def test_exact_resume(self, *, name, parameters, lengths, other, before, seed, rows, token_file):
        sources = {"a": token_file(lengths), "b": token_file(other, first=5000)}
        weights = {"a": 0.3, "b": 0.7}
        stream = make(name, parameters, sources, weights, seed=seed)
        for _ in range(before):
            stream.next(rows)
        state = json.loads(json.dumps(stream.state_dict()))
        resumed = make(name, parameters, sources, {"a": 1.0, "b": 1.0}, seed=seed)
        resumed.next(rows + 1)  # has been elsewhere
        resumed.load_state_dict(state)
        for _ in range(6):
            same(stream.next(rows), resumed.next(rows))
        assert stream.counts == resumed.counts and stream.weights == resumed.weights
        assert json.dumps(stream.state_dict()) == json.dumps(resumed.state_dict())

    def test_rows_are_numbered_through(self, name, parameters, token_file):
        stream = make(name, parameters, {"a": token_file([5, 20, 40, 3] * 5)})
        numbers = np.concatenate([stream.next(k).rows_B for k in (3, 1, 4)])
        assert numbers.tolist() == list(range(8))

    def test_order_depends_on_seed_and_epoch_alone(self, name, parameters, token_file):
        sources = {"b": token_file([5] * 100), "a": token_file([7] * 90, first=3000)}
        reordered = dict(reversed(sources.items()))
        draws = [
            make(name, parameters, given, {"a": 1.0, "b": 2.0}, seed=seed).next(30)
            for given, seed in ((sources, 1), (reordered, 1), (sources, 2))
        ]
        same(draws[0], draws[1])
        assert not np.array_equal(draws[0].tokens_BL, draws[2].tokens_BL)

    def test_epochs_have_other_orders(self, name, parameters, token_file):
        stream = make(
            name, {**parameters, **({"window": 1} if name == "bucketed" else {})}, {"a": token_file([8] * 50)}
        )
        documents = []
        while len(documents) < 100:
            documents += [document for _, document, part in pieces_of(stream.next(1)) if part]
        first, second = documents[:50], documents[50:100]
        if parameters.get("fit") != "best":
            assert sorted(first) == sorted(second) == list(range(50))
        assert first != second and first != sorted(first)

    @settings(max_examples=25, deadline=None)
    @given(weight=st.floats(0.05, 0.95), seed=st.integers(0, 9))
    def test_mixture_is_exact_within_what_is_open(self, name, parameters, weight, seed, token_file):
        sources = {"a": token_file([3, 9, 14, 30] * 20), "b": token_file([6, 2, 11, 40, 8] * 20, first=9000)}
        stream = make(name, parameters, sources, {"a": weight, "b": 1 - weight}, seed=seed)
        for _ in range(60):
            stream.next(4)
        counts = stream.counts
        total = sum(entry["tokens"] for entry in counts.values())
        held_back = LENGTH * (1 + {"packed": parameters.get("open_rows", 32), "bucketed": 64, "in_context": 1}[name])
        if parameters == {}:
            held_back = 2 * LENGTH
        assert abs(counts["a"]["tokens"] - weight * total) <= held_back

    def test_a_source_without_weight_is_not_drawn(self, name, parameters, token_file):
        sources = {"a": token_file([5] * 30), "b": token_file([6] * 30, first=3000)}
        stream = make(name, parameters, sources, {"a": 0.0, "b": 3.0})
        for _ in range(20):
            assert {source for source, _, _ in pieces_of(stream.next(4))} == {"b"}
        assert stream.counts["a"]["tokens"] == 0

    def test_weights_may_change(self, name, parameters, token_file):
        sources = {"a": token_file([5] * 300), "b": token_file([6] * 300, first=3000)}
        stream = make(name, parameters, sources, {"a": 1.0, "b": 0.0})
        for _ in range(60):
            stream.next(4)
        before = stream.counts
        stream.weights["a"], stream.weights["b"] = 1.0, 1.0
        for _ in range(120):
            stream.next(4)
        gained = {source: stream.counts[source]["tokens"] - before[source]["tokens"] for source in "ab"}
        share = gained["b"] / sum(gained.values())
        assert 0.40 < share <= 0.51, "half from now on, without catching up"

    def test_documents_of_one_token_are_dropped_and_counted(self, name, parameters, token_file):
        stream = make(name, parameters, {"a": token_file([1, 8, 1, 8, 1, 0])})
        while stream.counts["a"]["documents"] < 60:
            stream.next(3)
        counts = stream.counts["a"]
        ahead = 66  # chunks that a window holds are drawn and not yet given out
        assert 1.5 * counts["tokens"] / 8 - 3 <= counts["dropped"] <= 1.5 * (counts["tokens"] / 8 + ahead) + 3
        assert counts["epochs"] == pytest.approx((counts["tokens"] + counts["dropped"]) / 19, abs=1e-5)

    def test_one_document(self, name, parameters, token_file):
        stream = make(name, parameters, {"a": token_file([37])})
        for _ in range(5):
            check_batch(stream.next(3), {"a": token_file([37])}, name in JOINED)

    def test_errors(self, name, parameters, token_file):
        file = token_file([5, 6])
        wrong = [
            ({"a": file}, {"a": 1.0, "c": 1.0}, "unknown source 'c'"),
            ({"a": file, "b": file}, {"a": 1.0}, "has no weight"),
            ({"a": file}, {"a": -1.0}, "not negative"),
            ({"a": file}, {"a": float("nan")}, "not negative"),
            ({"a": file}, {"a": 0.0}, "all weights are zero"),
            ({"a": token_file([1, 1])}, {"a": 1.0}, "no document of 2 tokens"),
            ({}, {}, "no source"),
        ]
        for sources, weights, message in wrong:
            with pytest.raises(InputError, match=message):
                samplers.create(name, **parameters).stream(sources, weights, LENGTH, PAD, 0)
        with pytest.raises(InputError, match="length"):
            make(name, parameters, {"a": file}, length=3)
        stream = make(name, parameters, {"a": file})
        stream.weights["a"] = -1.0
        with pytest.raises(InputError, match="not negative"):
            stream.next(1)

    def test_a_state_of_other_data_is_refused(self, name, parameters, token_file):
        state = make(name, parameters, {"a": token_file([5, 6, 40])}).state_dict()
        for sources, length, seed in (
            ({"b": token_file([5, 6, 40])}, LENGTH, 0),
            ({"a": token_file([5, 6])}, LENGTH, 0),
            ({"a": token_file([5, 6, 40])}, 32, 0),
            ({"a": token_file([5, 6, 40])}, LENGTH, 1),
        ):
            with pytest.raises(InputError, match=r"checkpoint"):
                make(name, parameters, sources, length=length, seed=seed).load_state_dict(state)

    def test_types(self, name, parameters, token_file):
        batch = make(name, parameters, {"a": token_file([5, 20] * 9)}).next(4)
        for array in (batch.tokens_BL, batch.segments_BL, batch.positions_BL, batch.rows_B, batch.pieces_N6):
            assert array.dtype == np.int64
        assert batch.tokens_BL.flags.c_contiguous
        part = batch.select(slice(1, 3))
        assert part.rows_B.tolist() == [1, 2] and set(part.pieces_N6[:, 0]) == {0, 1}

    def test_state_of_another_configuration_is_refused(self, name, parameters, token_file):
        state = make(name, parameters, {"a": token_file([5, 6, 40])}).state_dict()
        other = {
            "packed": {"fit": "split" if parameters.get("fit") == "best" else "best"},
            "bucketed": {"window": 5},
            "in_context": {"neighbors": 3},
        }[name]
        with pytest.raises(InputError, match="checkpoint"):
            make(name, other, {"a": token_file([5, 6, 40])}).load_state_dict(state)


@pytest.mark.parametrize("fit", ["split", "best"])
@settings(max_examples=40, deadline=None)
@given(lengths=lengths_lists, groups=st.lists(st.integers(1, 7), min_size=1, max_size=10))
def test_packed_rows_do_not_depend_on_grouping(fit, lengths, groups, token_file):
    sources = {"a": token_file(lengths), "b": token_file([4, 9, 30], first=5000)}
    whole = make("packed", {"fit": fit}, sources).next(sum(groups))
    stream = make("packed", {"fit": fit}, sources)
    parts = [stream.next(number) for number in groups]
    for name in ("tokens_BL", "segments_BL", "positions_BL", "rows_B"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))


@pytest.mark.parametrize("fit", ["split", "best"])
@settings(max_examples=60, deadline=None)
@given(lengths=lengths_lists, epochs=st.integers(1, 3))
def test_packed_conserves_tokens_exactly(fit, lengths, epochs, token_file):
    """Row after row, each token's count is the number of epochs, but for the rows that are still open."""
    file = token_file(lengths)
    stream = make("packed", {"fit": fit, "open_rows": 4}, {"a": file})
    usable = sum(size for size in lengths if size >= 2)
    tokens, given_out = Counter(), 0
    while given_out < epochs * usable:
        for _, _, part in pieces_of(stream.next(1)):
            tokens.update(part)
            given_out += len(part)
    packer = stream._packer
    for source, document, start, size in [piece for row in [*packer.ready, *packer.open] for piece in row]:
        assert source == 0
        tokens.update(file.document(document)[start : start + size].tolist())
    cursor = stream._mixer.cursors[0]
    for _ in range(cursor.index, cursor.chunks.number):  # the rest of the epoch that has begun
        document, start, size = cursor.next()
        if size >= 2:
            tokens.update(file.document(document)[start : start + size].tolist())
    assert set(tokens.values()) == {cursor.epoch + 1}
    assert len(tokens) == usable


def test_split_packing_pads_next_to_nothing(token_file):
    rng = np.random.default_rng(0)
    stream = make("packed", {}, {"a": token_file(rng.integers(2, 60, 500))}, length=128)
    for _ in range(20):
        assert stream.next(8).num_tokens >= 8 * 126
    counts = stream.counts["a"]
    assert counts["padded"] < 0.01 * counts["tokens"]


def test_best_fit_never_cuts_what_fits(token_file):
    rng = np.random.default_rng(1)
    file = token_file(rng.integers(2, 100, 400))
    stream = make("packed", {"fit": "best"}, {"a": file}, length=128)
    padded = 0
    for _ in range(20):
        batch = stream.next(8)
        for _, document, part in pieces_of(batch):
            assert len(part) == file.lengths[document]
        padded += 8 * 128 - batch.num_tokens
    assert padded < 0.05 * 20 * 8 * 128


def test_full_chunks_of_long_documents_are_plain_rows(token_file):
    stream = make("packed", {}, {"a": token_file([LENGTH * 5] * 4)})
    batch = stream.next(20)
    assert batch.is_plain and len(batch.pieces_N6) == 20


def test_bucketed_rows_are_of_similar_length(token_file):
    rng = np.random.default_rng(2)
    file = token_file(rng.integers(2, 128, 4000))
    stream = make("bucketed", {"window": 512}, {"a": file}, length=128)
    seen, places, widths = Counter(), 0, set()
    for _ in range(4000 // 16 - 32):
        batch = stream.next(16)
        assert batch.tokens_BL.shape[1] % 8 == 0
        longest = batch.pieces_N6[:, 2].max()
        assert batch.tokens_BL.shape[1] - longest < 8
        seen.update(batch.pieces_N6[:, 4].tolist())
        places += batch.tokens_BL.size
        widths.add(batch.tokens_BL.shape[1])
    assert max(seen.values()) == 1, "no document twice in an epoch"
    counts = stream.counts["a"]
    assert counts["padded"] == places - counts["tokens"]
    assert counts["tokens"] / places > 0.88, "against 0.51 for rows in random order"
    assert len(widths) > 10


def test_truncation_is_counted(token_file):
    file = token_file([50, 10])
    stream = make("bucketed", {"window": 2, "overflow": "truncate"}, {"a": file})
    stream.next(2)
    assert stream.counts["a"] == {
        "tokens": 26, "padded": 6, "truncated": 34, "dropped": 0, "documents": 2, "epochs": 1.0,
    }  # fmt: skip
    stream = make("bucketed", {"window": 5}, {"a": file})
    stream.next(5)
    assert stream.counts["a"]["truncated"] == 0 and stream.counts["a"]["tokens"] == 60


def test_parameters_are_checked():
    with pytest.raises(InputError, match="open_rows"):
        samplers.create("packed", open_rows=0)
    with pytest.raises(InputError, match="window"):
        samplers.create("bucketed", window=0)
    with pytest.raises(InputError, match="fit"):
        samplers.create("packed", fit="worst")
