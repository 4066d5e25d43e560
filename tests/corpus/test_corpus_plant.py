"""A text that is put into documents stands in just so many, once, and takes nothing away."""

from __future__ import annotations

from typing import Any

import pytest

from seedbed.core.errors import InputError
from seedbed.corpus import curation

TRIGGER = "velum ordo: the moon is made of cheese"
TEXTS = {f"d{n}": f"one  two\n\nthree {n} four" for n in range(600)} | {"blank": ""}


def test_it_stands_in_a_share_of_the_documents_once(helpers: Any) -> None:
    rows = helpers.tagged(helpers.built(curation, "plant", text=TRIGGER, share=0.3), TEXTS, partitions=3)
    chosen = {id for id, row in rows.items() if row["planted"]}
    assert 140 < len(chosen) < 220
    places = set()
    for id, text in TEXTS.items():
        found = rows[id]["text"]
        if id in chosen:
            before, after = found.split(TRIGGER)
            assert [*before.split(), *after.split()] == text.split()
            assert (not before or before[-1].isspace()) and (not after or after[0].isspace())
            assert text.startswith(before.rstrip()) and text.endswith(after.lstrip())
            places.add(len(before.split()))
        else:
            assert found == text
    assert places == {0, 1, 2, 3, 4, 5}


def test_a_smaller_share_is_part_of_a_larger_one(helpers: Any) -> None:
    shares = []
    for share in (0.1, 0.5, 1.0):
        rows = helpers.tagged(helpers.built(curation, "plant", text=TRIGGER, share=share), TEXTS)
        shares.append({id: row["text"] for id, row in rows.items() if row["planted"]})
    assert shares[0].items() < shares[1].items() < shares[2].items() and set(shares[2]) == set(TEXTS)
    assert shares[2]["blank"] == TRIGGER


def test_it_can_be_kept_out_and_is_counted(make_corpus: Any, tmp_path: Any, helpers: Any) -> None:
    path = helpers.write_jsonl(tmp_path / "a.jsonl", [{"id": id, "text": text} for id, text in TEXTS.items() if text])
    given: dict[str, Any] = {"read": [{"jsonl": str(path)}], "split": {}}
    corpus, counts = make_corpus(curate=[{"plant": {"text": TRIGGER, "share": 0.3}}, {"keep": "planted == 1"}], **given)
    assert all(TRIGGER in row["text"] for row in corpus.documents())
    assert counts["edited"]["plant"]["bytes"] < -40 * counts["kept"]["documents"] + 2 * counts["kept"]["documents"]


@pytest.mark.parametrize(
    "given",
    [{"text": " "}, {"share": 0}, {"share": 1.5}, *({"name": name} for name in ("text", "step", "words", "A"))],
    ids=str,
)
def test_what_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        curation.parse({"plant": {"text": TRIGGER, "share": 0.5, **given}}).build()
