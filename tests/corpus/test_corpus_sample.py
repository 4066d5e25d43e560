"""The sample: its size, that samples are nested, and that nothing but ids and the seed decides."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.curating.sample import Sample

TEXTS = {f"d{number}": "é" * (1 + number % 7) for number in range(400)}


def kept(method: Sample, helpers: Any, texts: dict[str, str] = TEXTS, partitions: int = 1) -> set[str]:
    return set(texts) - set(helpers.dropped(method, texts, partitions))


def test_as_many_as_asked_for(helpers: Any) -> None:
    assert len(kept(Sample(documents=37), helpers)) == 37
    assert len(kept(Sample(share=0.25), helpers)) == 100
    found = [len(TEXTS[id].encode()) for id in kept(Sample(bytes=500), helpers)]
    assert 500 <= sum(found) < 500 + 14  # the longest text has 14 bytes


def test_as_few_documents_as_reach_the_bytes(helpers: Any) -> None:
    """One document fewer would be too little: its own sample by number of documents falls short."""
    found = kept(Sample(bytes=500), helpers)
    fewer = kept(Sample(documents=len(found) - 1), helpers)
    assert fewer < found and sum(len(TEXTS[id].encode()) for id in fewer) < 500


def test_samples_are_nested_whatever_they_are_measured_in(helpers: Any) -> None:
    methods = [Sample(documents=20), Sample(share=0.2), Sample(bytes=1500), Sample(documents=300)]
    samples = [kept(method, helpers) for method in methods]
    for small, large in itertools.pairwise(samples):
        assert small < large
    assert not kept(Sample(documents=20, seed=1), helpers) <= samples[1]


def test_ids_alone_decide(helpers: Any) -> None:
    """Whatever the order, the parts and the texts."""
    found = kept(Sample(share=0.3), helpers)
    assert kept(Sample(share=0.3), helpers, dict.fromkeys(reversed(TEXTS), "x"), partitions=3) == found


def test_a_share_of_a_sample(helpers: Any) -> None:
    """As large as it says, although the numbers of a sample's documents are the small ones."""
    some = {id: TEXTS[id] for id in kept(Sample(share=0.5), helpers)}
    assert len(kept(Sample(share=0.5), helpers, some)) == 100
    assert len(kept(Sample(share=0.001), helpers, some)) == 0


def test_where_there_is_less_all_stay(helpers: Any) -> None:
    for method in (Sample(documents=1000), Sample(bytes=10**9), Sample(share=1.0)):
        assert kept(method, helpers) == set(TEXTS)


def test_the_reason_says_what_was_asked_for(helpers: Any) -> None:
    assert set(helpers.dropped(Sample(bytes=500), TEXTS).values()) == {"not in the sample (bytes: 500)"}
    assert set(helpers.dropped(Sample(share=0.5), TEXTS).values()) == {"not in the sample (share: 0.5)"}


@pytest.mark.parametrize("given", [{}, {"share": 0.5, "bytes": 3}, {"share": 0.0}, {"share": 1.5}, {"documents": 0}])
def test_what_is_no_size_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"exactly one measure|(share|documents): is above 0"):
        curation.parse({"sample": given}).build()
