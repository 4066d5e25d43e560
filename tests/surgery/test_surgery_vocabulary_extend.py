"""The step `extend_tokenizer`: what it may change, and what it may not."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from made_vocabularies import change, made_by, made_texts, make_corpus, make_model, make_tokenizer

from seedbed.core.errors import InputError
from seedbed.surgery.vocabulary.extend import extend_tokenizer
from seedbed.vocabulary.artifact import Tokenizer

TEXTS = made_texts()
OTHER = made_texts(1, number=120, letters="acefhijlprtuvöż")
KINDS = ["bpe", "sentencepiece", "wordpiece", "unigram"]


def extend(tokenizer: Tokenizer, corpus: Any, folder: Path, **parameters: Any) -> tuple[Tokenizer, dict[str, Any]]:
    return made_by(extend_tokenizer, folder, tokenizer=tokenizer, corpus=corpus, **parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_old_tokens_and_texts_keep_their_ids(kind: str, tmp_path: Path) -> None:
    style = "encoder" if kind == "wordpiece" else "decoder"
    old = make_tokenizer(tmp_path / "old", kind, TEXTS, style)
    corpus = make_corpus(tmp_path / "corpus", OTHER)
    new, counts = extend(old, corpus, tmp_path / "new", size=60)
    before, after = old.vocabulary(), new.vocabulary()
    assert after.tokens[: before.size] == before.tokens
    assert after.size - before.size == counts["added"]
    assert 55 <= counts["added"] <= 60, "a piece that nothing uses in the end is not added"
    assert counts["size"] == after.size and len(set(after.tokens)) == after.size
    one, other = old.load(), new.load()
    kept = better = 0
    for text in [*TEXTS, *OTHER, *made_texts(2), *made_texts(3, letters="abcefhij")]:
        ids, longer = one.encode(text).ids, other.encode(text).ids
        if max(longer) < before.size:
            assert ids == longer
            kept += 1
        better += len(longer) < len(ids) or before.unk in ids
        if kind in ("bpe", "sentencepiece"):
            assert other.decode(longer) == one.decode(ids) == text
    assert kept > 40 and better > 100
    words = Counter(token for text in OTHER for token in other.encode(text).ids)
    taken = sum(index in words for index in range(before.size, after.size))
    # merges are learned on the way to longer ones: the other two kinds add only what is found in text
    assert taken == counts["added"] or (kind in ("bpe", "sentencepiece") and taken > 30)


@pytest.mark.parametrize("kind", ["bpe", "unigram", "wordpiece"])
def test_transformers_loads_it(kind: str, tmp_path: Path) -> None:
    import transformers

    old = make_tokenizer(tmp_path / "old", kind, TEXTS, "encoder")
    new, _ = extend(old, make_corpus(tmp_path / "corpus", OTHER), tmp_path / "new", size=50)
    loaded = transformers.AutoTokenizer.from_pretrained(new.path)
    assert len(loaded) == new.vocabulary().size
    assert loaded(OTHER[0], TEXTS[0])["input_ids"] == new.load().encode(OTHER[0], TEXTS[0]).ids
    assert loaded.mask_token_id == old.vocabulary().mask == new.vocabulary().mask


def test_merges_are_those_of_a_slow_count(tmp_path: Path) -> None:
    """Merge by merge: count all pairs of the old tokenizer's pieces, take the most frequent one that makes a new
    token, apply it everywhere."""
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS)
    fast, known = old.load(), old.load().get_vocab()
    new, _ = extend(old, make_corpus(tmp_path / "corpus", OTHER[:40]), tmp_path / "new", size=12)
    words: Counter[tuple[str, ...]] = Counter()
    for text in OTHER[:40]:
        for word, _ in fast.pre_tokenizer.pre_tokenize_str(text):
            words[tuple(token.value for token in fast.model.tokenize(word))] += 1
    expected = []
    while len(expected) < 12:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += count
        top = max(count for pair, count in pairs.items() if "".join(pair) not in known)
        best = [pair for pair, count in pairs.items() if count == top and "".join(pair) not in known]
        learned = new.vocabulary().tokens[360 + len(expected)]
        (pair,) = [pair for pair in best if "".join(pair) == learned]  # of equal ones any is right
        expected.append(learned)
        merged: Counter[tuple[str, ...]] = Counter()
        for word, count in words.items():
            symbols, place = list(word), 0
            while place < len(symbols) - 1:
                if tuple(symbols[place : place + 2]) == pair:
                    symbols[place : place + 2] = [learned]
                place += 1
            merged[tuple(symbols)] += count
        words = merged
    assert new.vocabulary().tokens[360:] == expected


def test_scores_are_shares_of_the_best_paths(tmp_path: Path) -> None:
    old = make_tokenizer(tmp_path / "old", "unigram", TEXTS)
    new, counts = extend(old, make_corpus(tmp_path / "corpus", OTHER), tmp_path / "new", size=60)
    pieces = json.loads((new.path / "tokenizer.json").read_text())["model"]["vocab"]
    before = json.loads((old.path / "tokenizer.json").read_text())["model"]["vocab"]
    assert pieces[: len(before)] == before
    uses = Counter(index for text in OTHER for index in new.load().encode(text, add_special_tokens=False).ids)
    assert uses.total() == counts["tokens_after"] < 0.8 * counts["tokens_before"]
    for index, (piece, score) in enumerate(pieces[len(before) :], len(before)):
        assert score == pytest.approx(math.log(uses[index] / uses.total()), abs=0.35), piece  # of a round earlier


def test_new_letters_come_first(tmp_path: Path) -> None:
    old = make_tokenizer(tmp_path / "old", "wordpiece", TEXTS, "encoder")
    assert "[UNK]" in old.load().encode("ża").tokens and "ż" not in old.load().get_vocab()
    new, _ = extend(old, make_corpus(tmp_path / "corpus", OTHER), tmp_path / "new", size=60, min_frequency=1)
    for text in OTHER:
        assert "[UNK]" not in new.load().encode(text).tokens
    few, counts = extend(old, make_corpus(tmp_path / "one", ["ża ża ća"]), tmp_path / "few", size=60)
    assert counts["added"] == len(few.vocabulary().tokens) - old.vocabulary().size < 60
    assert "ż" in few.load().get_vocab() and "ć" not in few.load().get_vocab(), "seen once"


def test_a_model_goes_there_and_back(tmp_path: Path) -> None:
    """Extended, then changed back for the old tokenizer: not a bit differs."""
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS)
    new, _ = extend(old, make_corpus(tmp_path / "corpus", OTHER), tmp_path / "new", size=40)
    model = make_model(tmp_path / "model", "decoder", old, tied=False)
    longer = change(model, new, tmp_path / "longer")
    back = change(longer, old, tmp_path / "back")
    assert longer.seen["same"] == old.vocabulary().size - 4  # type: ignore[attr-defined]
    assert (back.path / "model.safetensors").read_bytes() == (model.path / "model.safetensors").read_bytes()


def test_added_tokens_after_the_vocabulary_keep_their_ids(tmp_path: Path) -> None:
    """As Llama 3's: special tokens stand behind the model's own vocabulary, and new pieces behind them."""
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS)
    fast = old.load()
    fast.add_special_tokens(["<|tool|>"])
    (old.path / "tokenizer.json").write_text(fast.to_str())
    old = Tokenizer.open(old.path)
    new, _ = extend(old, make_corpus(tmp_path / "corpus", OTHER), tmp_path / "new", size=20)
    assert new.load().token_to_id("<|tool|>") == 360 and new.vocabulary().size == 381
    assert new.load().encode(f"{OTHER[0]}<|tool|>").ids[-2] == 360


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS)
    with pytest.raises(InputError, match="corpus: holds no text"):
        extend(old, make_corpus(tmp_path / "empty", []), tmp_path / "a")
    with pytest.raises(InputError, match="size: must be at least 1"):
        extend(old, make_corpus(tmp_path / "c", OTHER), tmp_path / "b", size=0)
    description = json.loads((old.path / "tokenizer.json").read_text())
    description["model"] = {"type": "WordLevel", "vocab": description["model"]["vocab"], "unk_token": "<unk>"}
    (old.path / "tokenizer.json").write_text(json.dumps(description))
    with pytest.raises(InputError, match="cannot be changed piece by piece"):
        extend(Tokenizer.open(old.path), make_corpus(tmp_path / "d", OTHER), tmp_path / "e")
