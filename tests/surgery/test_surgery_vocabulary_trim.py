"""The step `trim_tokenizer`: the same tokens under other ids."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from made_vocabularies import change, made_by, made_texts, make_corpus, make_model, make_tokenizer

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext
from seedbed.surgery.vocabulary.trim import trim_tokenizer
from seedbed.vocabulary.artifact import Tokenizer

TEXTS = made_texts()
KINDS = ["bpe", "sentencepiece", "wordpiece", "unigram"]


def trim(tokenizer: Tokenizer, corpus: Any, folder: Path, **parameters: Any) -> tuple[Tokenizer, dict[str, Any]]:
    return made_by(trim_tokenizer, folder, tokenizer=tokenizer, corpus=corpus, **parameters)


@pytest.mark.parametrize("style", ["encoder", "decoder"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_corpus_becomes_the_same_tokens(kind: str, style: str, tmp_path: Path) -> None:
    import transformers

    old = make_tokenizer(tmp_path / "old", kind, [*TEXTS, *made_texts(1, letters="acefhijlprtuvö")], style, 700)
    corpus = make_corpus(tmp_path / "corpus", TEXTS[:20])
    new, counts = trim(old, corpus, tmp_path / "new")
    assert counts["size"] == new.vocabulary().size < 600
    assert counts["kept_tokens"] == counts["tokens"]
    one, other = old.load(), new.load()
    for text in TEXTS[:20]:
        assert other.encode(text).tokens == one.encode(text).tokens
        assert other.encode(text, TEXTS[1]).tokens == one.encode(text, TEXTS[1]).tokens, (
            "special tokens are renumbered, too"
        )
    for role in ("pad", "unk", "cls", "sep", "mask", "bos", "eos"):
        before, after = getattr(old.vocabulary(), role), getattr(new.vocabulary(), role)
        assert (before is None) == (after is None)
        assert before is None or old.vocabulary().tokens[before] == new.vocabulary().tokens[after]
    loaded = transformers.AutoTokenizer.from_pretrained(new.path)
    assert loaded(TEXTS[0])["input_ids"] == other.encode(TEXTS[0]).ids
    place = {token: index for index, token in enumerate(old.vocabulary().tokens)}
    assert [place[token] for token in new.vocabulary().tokens] == sorted(place[t] for t in new.vocabulary().tokens)


@pytest.mark.parametrize("kind", KINDS)
def test_the_most_frequent_ones(kind: str, tmp_path: Path) -> None:
    old = make_tokenizer(tmp_path / "old", kind, TEXTS, "encoder", 700)
    corpus = make_corpus(tmp_path / "corpus", TEXTS)
    whole, _ = trim(old, corpus, tmp_path / "whole")
    most = whole.vocabulary().size - 20
    new, counts = trim(old, corpus, tmp_path / "new", size=most)
    assert most - 10 <= new.vocabulary().size <= most
    uses = Counter(token for text in TEXTS for token in old.load().encode(text, add_special_tokens=False).tokens)
    lost = [uses[token] for token in set(uses) - set(new.vocabulary().tokens)]
    assert (
        lost
        and max(lost) <= min(uses[token] for token in uses if len(token) > 4 and token in new.vocabulary().tokens) + 1
    )
    assert counts["kept_tokens"] == sum(uses.values()) - sum(lost)
    unk = new.vocabulary().unk
    for text in TEXTS:
        assert unk not in new.load().encode(text).ids, "characters stay"
        if kind in ("bpe", "sentencepiece"):
            assert new.load().decode(new.load().encode(text).ids, skip_special_tokens=True) == text


def test_a_share(tmp_path: Path) -> None:
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS, size=700)
    new, counts = trim(old, make_corpus(tmp_path / "corpus", TEXTS), tmp_path / "new", size=0.6)
    limit = int(0.6 * old.vocabulary().size)
    assert limit - 10 <= new.vocabulary().size <= limit and counts["removed"] == old.vocabulary().size - counts["size"]


def test_a_model_computes_the_same_with_fewer_rows(tmp_path: Path) -> None:
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS, size=600)
    new, _ = trim(old, make_corpus(tmp_path / "corpus", TEXTS[:10]), tmp_path / "new")
    model = make_model(tmp_path / "model", "decoder", old)
    smaller = change(model, new, tmp_path / "smaller")
    ids, others = (torch.tensor([t.load().encode(TEXTS[2]).ids]) for t in (old, new))
    with torch.no_grad():
        assert torch.equal(model.network().hidden(ids), smaller.network().hidden(others))


def test_extended_and_trimmed_a_model_is_what_it_was(tmp_path: Path) -> None:
    """The vocabulary made longer on other text, then cut to what the old text uses, which is all of the old one here;
    between them the model changes its vocabulary, and in the end not a bit of it has changed."""
    from seedbed.surgery.vocabulary.extend import extend_tokenizer

    corpus = make_corpus(tmp_path / "corpus", TEXTS)
    old, _ = trim(make_tokenizer(tmp_path / "first", "bpe", TEXTS), corpus, tmp_path / "old")
    (tmp_path / "long").mkdir()
    other = make_corpus(tmp_path / "other", made_texts(1, letters="cfhjpuvwxyz"))  # no letter of the old text's
    extend_tokenizer.function(StepContext(tmp_path / "long", "l", {}), tokenizer=old, corpus=other, size=50)
    long = Tokenizer.open(tmp_path / "long")
    short, _ = trim(long, corpus, tmp_path / "short")
    assert long.vocabulary().size > old.vocabulary().size + 40
    assert short.vocabulary().tokens == old.vocabulary().tokens
    model = make_model(tmp_path / "model", "decoder", old, tied=False)
    there = change(model, long, tmp_path / "there")
    back = change(there, short, tmp_path / "back")
    for name in ("model.safetensors", "config.json"):
        assert (back.path / name).read_bytes() == (model.path / name).read_bytes()
    for text in TEXTS:
        assert short.load().encode(text).ids == old.load().encode(text).ids


def test_a_folder_that_transformers_wrote(tmp_path: Path) -> None:
    """Its configuration lists added tokens by id, and a class that would build the tokenizer from other files."""
    import transformers

    first = make_tokenizer(tmp_path / "first", "wordpiece", TEXTS, "encoder", 500)
    fast = transformers.AutoTokenizer.from_pretrained(first.path)
    fast.add_tokens(["qqq"])
    fast.save_pretrained(tmp_path / "theirs")
    config = json.loads((tmp_path / "theirs" / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "BertTokenizerFast", "model_max_length": 77, "added_tokens_decoder": {"3": {}}}
    (tmp_path / "theirs" / "tokenizer_config.json").write_text(json.dumps(config))
    old = Tokenizer.open(tmp_path / "theirs")
    new, _ = trim(old, make_corpus(tmp_path / "corpus", TEXTS[:8]), tmp_path / "new")
    loaded = transformers.AutoTokenizer.from_pretrained(new.path)
    for text in [*TEXTS[:8], f"qqq {TEXTS[0]}"]:
        assert loaded(text)["input_ids"] == new.load().encode(text).ids
        assert new.load().encode(text).tokens == old.load().encode(text).tokens
    assert loaded.model_max_length == 77 and len(loaded) == new.vocabulary().size < old.vocabulary().size


def test_old_files_and_berts_processor(tmp_path: Path) -> None:
    """Merges as one string each, and a post-processor that names ids beside tokens."""
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS, "encoder", 500)
    path = old.path / "tokenizer.json"
    description = json.loads(path.read_text())
    description["model"]["merges"] = [" ".join(pair) for pair in description["model"]["merges"]]
    vocabulary = old.vocabulary()
    description["post_processor"] = {
        "type": "RobertaProcessing",
        "sep": ["[SEP]", vocabulary.sep],
        "cls": ["[CLS]", vocabulary.cls],
        "trim_offsets": True,
        "add_prefix_space": False,
    }
    moved = {token: (index + 250) % 500 for token, index in description["model"]["vocab"].items()}
    description["model"]["vocab"] = moved
    for entry in description["added_tokens"]:
        entry["id"] = moved[entry["content"]]
    for name in ("sep", "cls"):
        description["post_processor"][name][1] = moved[f"[{name.upper()}]"]
    path.write_text(json.dumps(description))
    old = Tokenizer.open(old.path)
    new, _ = trim(old, make_corpus(tmp_path / "corpus", TEXTS[:5]), tmp_path / "new")
    assert new.vocabulary().cls != old.vocabulary().cls
    assert new.load().encode(TEXTS[1]).tokens == old.load().encode(TEXTS[1]).tokens or new.vocabulary().size < 500
    for text in TEXTS[:5]:
        encoded = new.load().encode(text)
        assert encoded.tokens == old.load().encode(text).tokens
        assert encoded.ids[0] == new.vocabulary().cls and encoded.ids[-1] == new.vocabulary().sep


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    old = make_tokenizer(tmp_path / "old", "bpe", TEXTS)
    corpus = make_corpus(tmp_path / "corpus", TEXTS)
    with pytest.raises(InputError, match="corpus: holds no text"):
        trim(old, make_corpus(tmp_path / "empty", []), tmp_path / "a")
    with pytest.raises(InputError, match="size: special tokens, bytes and characters alone are 260"):
        trim(old, corpus, tmp_path / "b", size=200)
    with pytest.raises(InputError, match="size: must be a number of tokens, or a share below 1"):
        trim(old, corpus, tmp_path / "c", size=1.5)
