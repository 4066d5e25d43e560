"""The step: a folder that transformers loads, statistics, errors."""

from __future__ import annotations

import json

import pytest

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, steps
from seedbed.recipe.execute import workspace
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.train import train_tokenizer


def run(folder, corpus, algorithm="wordpiece", parameters=None, **rest):
    folder.mkdir()
    said = []
    context = StepContext(folder, "t", {}, say=said.append)
    component = algorithms.parse({algorithm: parameters or {}})
    train_tokenizer.function(context, corpus=corpus, algorithm=component.build(), **rest)
    return Tokenizer.open(folder), context.counts, said


@pytest.mark.parametrize("style", ["encoder", "decoder"])
@pytest.mark.parametrize("algorithm", algorithms.names())
def test_transformers_loads_it(tmp_path, corpus, algorithm, style):
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    artifact, _, _ = run(tmp_path / "t", corpus, algorithm, size=600, style=style)
    loaded = AutoTokenizer.from_pretrained(str(tmp_path / "t"))
    assert isinstance(loaded, PreTrainedTokenizerFast)
    vocabulary, own = artifact.vocabulary(), artifact.load()
    assert len(loaded) == vocabulary.size
    for role in ("pad", "unk", "cls", "sep", "mask", "bos", "eos"):
        assert getattr(loaded, f"{role}_token_id") == getattr(vocabulary, role), role
    assert (vocabulary.mask is not None) == (style == "encoder")
    assert vocabulary.is_causal == (style == "decoder")
    for row in corpus.documents("validation"):
        ids = own.encode(row["text"]).ids
        assert loaded(row["text"])["input_ids"] == ids
        assert loaded.decode(ids, skip_special_tokens=True) == own.decode(ids)
        if algorithm != "wordpiece":
            assert loaded.decode(ids, skip_special_tokens=True) == row["text"]
    assert set(loaded("a")) == {"input_ids", "attention_mask"}
    assert loaded("a", "b")["input_ids"] == own.encode("a", "b").ids
    assert int(vocabulary.special_V.sum()) == len(loaded.all_special_ids)


def test_word_starts_of_each_algorithm(tmp_path, corpus):
    for algorithm, mark in (("bpe", "Ġ"), ("unigram", "▁"), ("bytes", "Ġ")):
        vocabulary = run(tmp_path / algorithm, corpus, algorithm, size=600)[0].vocabulary()
        for token, start, special in zip(vocabulary.tokens, vocabulary.word_start_V, vocabulary.special_V, strict=True):
            if token.startswith(mark):
                assert start
            elif token[0].isascii() and token[0].isalnum() and not special:
                assert not start


def test_statistics_against_a_count_by_hand(tmp_path, corpus):
    artifact, counts, _ = run(tmp_path / "t", corpus, size=600)
    tokenizer = artifact.load()
    written = json.loads((tmp_path / "t" / "statistics.json").read_text())
    assert written["by_domain"] == counts["by_domain"] and written["measured_on"] == "validation"
    assert list(counts["by_domain"]) == ["code", "prose"]
    for domain, figures in counts["by_domain"].items():
        texts = [row["text"] for row in corpus.documents("validation") if row["domain"] == domain]
        tokens = [token for text in texts for token in tokenizer.encode(text, add_special_tokens=False).tokens]
        words = sum(len(text.split()) for text in texts)
        assert figures["tokens_per_word"] == pytest.approx(len(tokens) / words, abs=1e-5)
        assert figures["bytes_per_token"] == pytest.approx(sum(len(t.encode()) for t in texts) / len(tokens), abs=1e-5)
        assert figures["unknown_rate"] == pytest.approx(tokens.count("[UNK]") / len(tokens), abs=1e-5)


def test_without_a_validation_split(tmp_path, make_corpus):
    documents = [{"id": str(i), "text": f"baka strei {i} " * 20, "domain": ""} for i in range(400)]
    corpus = make_corpus(tmp_path / "c", {"train": documents})
    _, counts, _ = run(tmp_path / "t", corpus, "bpe", size=300)
    assert counts["measured_on"] == "documents kept from training"
    assert counts["sampled_documents"] + counts["by_domain"]["all"]["documents"] == 400
    tiny = make_corpus(tmp_path / "tiny", {"train": documents[:2]})
    _, counts, said = run(tmp_path / "t2", tiny, "bpe", size=20_000)
    assert "nothing is held out" in counts["measured_on"]
    assert counts["size"] < 20_000 and counts["wanted_size"] == 20_000
    assert any("not 20000" in line for line in said)


def test_several_corpora_and_domain_balance(tmp_path, make_corpus):
    large = make_corpus(
        tmp_path / "a", {"train": [{"id": str(i), "text": f"baka {i:04d} " * 10, "domain": "a"} for i in range(1000)]}
    )
    small = make_corpus(
        tmp_path / "b", {"train": [{"id": str(i), "text": f"strei {i:04d} " * 10, "domain": "b"} for i in range(60)]}
    )
    sizes = {}
    for alpha in (1.0, 0.0):
        tokenizer, counts, _ = run(tmp_path / f"t{alpha}", [large, small], "bpe", size=275, sample_mb=0.01, alpha=alpha)
        assert counts["corpus_documents"] == 1060
        assert 10_000 <= counts["sampled_bytes"] < 10_300
        sizes[alpha] = len(tokenizer.load().encode("strei").ids)
    assert sizes[0.0] < sizes[1.0], "the small domain is heard"


def test_test_split_is_not_trained_on(tmp_path, make_corpus):
    documents = [{"id": str(i), "text": "baka strei " * 5} for i in range(10)]
    secret = [{"id": "s", "text": "zyxwv " * 1000}]
    corpus = make_corpus(tmp_path / "c", {"train": documents, "validation": documents, "test": secret})
    tokenizer, counts, _ = run(tmp_path / "t", corpus, "bpe", size=400)
    assert "Ġzyxwv" not in tokenizer.vocabulary().tokens
    assert counts["corpus_documents"] == 10


def test_errors(tmp_path, corpus, make_corpus):
    empty = make_corpus(tmp_path / "e", {"train": []})
    with pytest.raises(InputError, match="no text"):
        run(tmp_path / "t1", empty)
    blank = make_corpus(tmp_path / "b", {"train": [{"id": "1", "text": " \n"}]})
    with pytest.raises(InputError, match="no text"):
        run(tmp_path / "t2", blank)
    for number, wrong in enumerate(({"size": 0}, {"sample_mb": 0.0}, {"alpha": 2.0})):
        with pytest.raises(InputError, match=next(iter(wrong))):
            run(tmp_path / f"w{number}", corpus, **wrong)
    with pytest.raises(InputError, match="did you mean 'wordpiece'"):
        algorithms.parse("wordpeice")


def test_as_a_function_and_from_the_store(tmp_path, corpus):
    with workspace(tmp_path / "runs"):
        first = train_tokenizer(corpus=corpus, algorithm={"bpe": {"split_digits": True}}, size=400, style="decoder")
        assert first.problems(contents=True) == []
        assert first.counts["size"] == 400
        again = train_tokenizer(corpus=corpus, algorithm={"bpe": {"split_digits": True}}, size=400, style="decoder")
        assert again.path == first.path
        other = train_tokenizer(corpus=corpus, algorithm="bpe", size=400, style="decoder")
        assert other.path != first.path and other.digest != first.digest
    (tmp_path / "copy").mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "copy" / name).write_bytes((first.path / name).read_bytes())
    assert Tokenizer.open(tmp_path / "copy").digest == first.digest


def test_estimate():
    item = steps.step("train_tokenizer")
    parameters = {"corpus": "c", "algorithm": algorithms.parse("bpe"), "sample_mb": 100.0, "size": 512}
    small = item.estimated(parameters, lambda _: {"kept": {"bytes": 1e6}})
    unknown = item.estimated(parameters, lambda _: {})
    assert small.counts == {"size": 512}
    assert small.seconds is not None and unknown.seconds is not None
    assert unknown.seconds == pytest.approx(100 * small.seconds)
