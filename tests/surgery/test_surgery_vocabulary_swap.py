"""Frequent-token swap (075) as docs/vocabulary-surgery.md makes it of two steps: `trim_tokenizer` on the old language's
text, then `extend_tokenizer` on the new one's, and `change_vocabulary`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from made_vocabularies import change, made_by, made_texts, make_corpus, make_model, make_tokenizer

from seedbed.surgery.vocabulary.extend import extend_tokenizer
from seedbed.surgery.vocabulary.match import same_tokens
from seedbed.surgery.vocabulary.trim import trim_tokenizer
from seedbed.vocabulary.artifact import Tokenizer

OLD = made_texts()
NEW = made_texts(1, number=120, letters="acefhijlprtuvö")


@pytest.mark.parametrize("kind", ["bpe", "sentencepiece", "wordpiece", "unigram"])
def test_the_rarest_tokens_become_the_new_languages_most_frequent(kind: str, tmp_path: Path) -> None:
    style = "encoder" if kind == "wordpiece" else "decoder"
    first = make_tokenizer(tmp_path / "first", kind, OLD, style, 600)
    source, target = make_corpus(tmp_path / "source", OLD), make_corpus(tmp_path / "target", NEW)
    old, _ = made_by(trim_tokenizer, tmp_path / "old", tokenizer=first, corpus=source)
    size, number = old.vocabulary().size, 40
    fewer, trimmed = made_by(trim_tokenizer, tmp_path / "fewer", tokenizer=old, corpus=source, size=size - number)
    swapped, extended = made_by(extend_tokenizer, tmp_path / "swapped", tokenizer=fewer, corpus=target, size=number)
    assert number <= trimmed["removed"] <= number + 5 and number - 5 <= extended["added"] <= number
    assert size - 10 <= swapped.vocabulary().size <= size

    one, other = old.load(), swapped.load()
    uses = Counter(token for text in OLD for token in one.encode(text, add_special_tokens=False).tokens)
    gone = set(old.vocabulary().tokens) - set(fewer.vocabulary().tokens)
    stayed = {token for token in fewer.vocabulary().tokens if uses[token] and len(token) > 4}
    assert gone and max(uses[token] for token in gone) <= min(uses[token] for token in stayed) + 1
    assert sum(len(other.encode(text).ids) for text in NEW) < 0.9 * sum(len(one.encode(text).ids) for text in NEW) or (
        style == "encoder"  # which has no token for a letter that it does not know
    )

    def unknown(tokenizer: Tokenizer, texts: list[str]) -> int:
        unk = tokenizer.vocabulary().unk
        return sum(tokenizer.load().encode(text).ids.count(unk) for text in texts if unk is not None)

    assert unknown(swapped, OLD) == 0 and unknown(swapped, NEW) <= unknown(old, NEW) / 10
    if kind in ("bpe", "sentencepiece"):
        assert all(other.decode(other.encode(text).ids, skip_special_tokens=True) == text for text in [*OLD, *NEW])


def test_the_rows_of_what_stays_are_bit_by_bit_the_old_ones(tmp_path: Path) -> None:
    old = make_tokenizer(tmp_path / "old", "bpe", OLD, size=600)
    source, target = make_corpus(tmp_path / "source", OLD), make_corpus(tmp_path / "target", NEW)
    fewer, _ = made_by(trim_tokenizer, tmp_path / "fewer", tokenizer=old, corpus=source, size=0.8)
    swapped, _ = made_by(extend_tokenizer, tmp_path / "swapped", tokenizer=fewer, corpus=target, size=100)
    model = make_model(tmp_path / "model", "decoder", old)
    changed = change(model, swapped, tmp_path / "changed")
    same_N = same_tokens(old, swapped)
    kept = len(fewer.vocabulary().tokens)
    assert (same_N[:kept] >= 0).all(), "what stays keeps its row, and so does what the new language brings back"
    assert (same_N[kept:] < 0).sum() > 50
    rows_VD, others_ND = (m.network().embedding.weight.detach() for m in (model, changed))
    has_N = torch.from_numpy(same_N >= 0)
    assert torch.equal(others_ND[has_N], rows_VD[torch.from_numpy(same_N)[has_N]])
    one, other = old.load(), swapped.load()
    texts = [text for text in OLD if one.encode(text).tokens == other.encode(text).tokens]
    assert len(texts) > 3, "of frequent tokens alone"
    for text in texts:
        ids, moved = torch.tensor([one.encode(text).ids]), torch.tensor([other.encode(text).ids])
        assert torch.equal(model.network().hidden(ids), changed.network().hidden(moved))
