"""The step: a folder that transformers loads, statistics, errors."""

from __future__ import annotations

import json
import re
import tracemalloc

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, steps
from seedbed.recipe.execute import workspace
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.counts import count_words
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


@pytest.mark.parametrize("algorithm", ["bpe", "unigram"])
def test_sentinels_and_tokens_of_ones_own(tmp_path, corpus, algorithm):
    """T5's hundred sentinels and a mode's token are special: no text yields them, and transformers knows them."""
    from transformers import AutoTokenizer

    artifact, _, _ = run(tmp_path / "t", corpus, algorithm, size=600, style="seq2seq", special=["[R]"])
    vocabulary, own = artifact.vocabulary(), artifact.load()
    assert [vocabulary.tokens[index] for index in vocabulary.sentinels] == [f"<extra_id_{n}>" for n in range(100)]
    assert vocabulary.special_V[list(vocabulary.sentinels)].all() and vocabulary.special_V.sum() == 104
    assert (vocabulary.pad, vocabulary.eos, vocabulary.bos) == (0, 1, None)
    text = "a <extra_id_3> [R]"
    own.encode_special_tokens = True  # as `tokenize` does
    assert not {*own.encode(text, add_special_tokens=False).ids} & {*vocabulary.sentinels}
    assert own.encode("a").tokens[-1] == own.encode("a", "b").tokens[-1] == "</s>"
    loaded = AutoTokenizer.from_pretrained(str(tmp_path / "t"))
    assert {*loaded.all_special_ids} == {*np.flatnonzero(vocabulary.special_V).tolist()}
    with pytest.raises(InputError, match=r"special.0: is a special token already"):
        run(tmp_path / "w", corpus, algorithm, style="seq2seq", special=["<extra_id_3>"])


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


@pytest.fixture
def languages(tmp_path, make_corpus):
    """Two languages of other letters, one with twenty times the text."""
    rng = np.random.default_rng(5)

    def words(letters):
        return ["".join(rng.choice(list(letters), rng.integers(3, 9))) for _ in range(300)]

    def rows(name, lexicon, number):
        texts = [" ".join(rng.choice(lexicon, 20)) for _ in range(number)]
        return [{"id": f"{name}{i}", "text": text, "domain": name} for i, text in enumerate(texts)]

    latin, greek = words("aeioubdklmnprst"), words("αεηιουβδκλμνπρσ")
    train = rows("large", latin, 1000) + rows("small", greek, 50)
    return make_corpus(tmp_path / "two", {"train": train, "test": rows("large", latin, 50) + rows("small", greek, 50)})


@pytest.mark.parametrize("algorithm", ["bpe", "wordpiece", "unigram"])
def test_a_budget_for_each_language(tmp_path, languages, algorithm):
    """The small language's text is cut as by a tokenizer of its own; together they have no more than both."""
    both, counts, _ = run(tmp_path / "both", languages, algorithm, size={"large": 500, "small": 400})
    joint, joint_counts, _ = run(tmp_path / "joint", languages, algorithm, size=counts["size"])
    assert counts["size"] <= 900 and counts["wanted_size"] == 900
    assert [both.load().id_to_token(index) for index in range(5)] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    bytes_per_token = {
        name: c["by_domain"]["small"]["bytes_per_token"] for name, c in (("b", counts), ("j", joint_counts))
    }
    assert bytes_per_token["b"] > bytes_per_token["j"]
    assert joint.vocabulary().size == counts["size"]
    for row in languages.documents("test"):
        encoded = both.load().encode(row["text"])
        assert "[UNK]" not in encoded.tokens
        assert both.load().decode(encoded.ids) == row["text"]


def test_budgets_of_bpe_cut_each_language_as_its_own_tokenizer(tmp_path, languages):
    """The letters of the two have no byte pair in common, so no merge of one touches the other."""
    both, _, _ = run(tmp_path / "both", languages, "bpe", size={"large": 500, "small": 400}, style="decoder")
    for name, size in (("large", 500), ("small", 400)):
        texts = [row["text"] for row in languages.documents("train") if row["domain"] == name]
        own = algorithms.create("bpe", texts, size, ["<pad>", "<s>", "</s>"])()
        for text in texts[::50]:
            assert both.load().encode(text, add_special_tokens=False).tokens == own.encode(text).tokens


def test_weights_and_groups(tmp_path, languages):
    sizes = {}
    for number, weights in enumerate(({"large": 1, "small": 1}, {"large": 1, "small": 0})):
        _, counts, _ = run(tmp_path / f"t{number}", languages, "bpe", size=400, weights=weights, sample_mb=0.02)
        sizes[number] = counts["by_domain"]["small"]["bytes_per_token"]
    assert sizes[0] > 1.5 * sizes[1]
    _, counts, _ = run(tmp_path / "s", languages, "bpe", size=400, by="source")
    assert list(counts["by_domain"]) == ["all"]


def test_a_string_that_is_never_cut(tmp_path, make_corpus):
    """Nor part of another token."""
    texts = [f"กขคง{i % 7}<_>จฉชซกข<_>คง" for i in range(200)]
    corpus = make_corpus(tmp_path / "c", {"train": [{"id": str(i), "text": text} for i, text in enumerate(texts)]})
    for algorithm in ("bpe", "unigram", "wordpiece", "characters", "bytes"):
        artifact, _, _ = run(tmp_path / algorithm, corpus, algorithm, size=320, tokens=["<_>"])
        tokenizer = artifact.load()
        assert tokenizer.encode(texts[0]).tokens.count("<_>") == 2
        assert not [
            token for token in artifact.vocabulary().tokens if "_" in token and token not in ("<_>", "_", "##_")
        ]
        assert not artifact.vocabulary().special_V[tokenizer.token_to_id("<_>")]


def test_memory_is_bounded(texts):
    whole = count_words(texts)
    assert whole.dropped == 0
    assert sum(whole.counts.values()) == sum(len(re.findall(r"\s*\S{1,100}|\s+", text)) for text in texts)
    small = count_words(texts, capacity=2000)
    assert sum(map(len, small.counts)) <= 2000 + max(map(len, texts))
    assert small.dropped == sum(whole.counts.values()) - sum(small.counts.values()) > 0
    frequent = [word for word, _ in whole.counts.most_common(10)]
    assert all(small.counts[word] > 0.9 * whole.counts[word] for word in frequent)
    run = count_words(["ACGT" * 5000 + str(i) for i in range(50)], capacity=4000)
    assert sum(map(len, run.counts)) <= 4000 + 20_002


def test_ten_times_the_text_takes_about_the_same_memory():
    """Of words with ever new ones among them, and a capacity that they exceed."""
    _peak_of_training(100)  # what is imported at first use
    few, many = (_peak_of_training(lines) for lines in (2_000, 20_000))
    assert many < 1.3 * few


def _peak_of_training(lines: int) -> int:
    dice = np.random.default_rng(0)
    texts = (" ".join(f"w{number:x}" for number in dice.zipf(1.3, 12)) for _ in range(lines))
    tracemalloc.start()
    algorithms.create("bpe", count_words(texts, capacity=30_000), 600, ["<pad>", "<s>", "</s>"])()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_errors(tmp_path, corpus, make_corpus):
    empty = make_corpus(tmp_path / "e", {"train": []})
    with pytest.raises(InputError, match="no text"):
        run(tmp_path / "t1", empty)
    blank = make_corpus(tmp_path / "b", {"train": [{"id": "1", "text": " \n"}]})
    with pytest.raises(InputError, match="no text"):
        run(tmp_path / "t2", blank)
    wrong = [
        ({"size": 0}, "size: must be positive"),
        ({"size": {"code": 500, "prose": 0}}, "size.prose: must be positive"),
        ({"size": {"code": 500}}, "a budget for each group"),
        ({"size": {}}, "names no group"),
        ({"size": 6}, "tokens are needed"),
        ({"sample_mb": 0.0}, "sample_mb"),
        ({"alpha": 2.0}, "alpha"),
        ({"alpha": 0.5, "weights": {"code": 1, "prose": 1}}, "in the place of alpha"),
        ({"weights": {"code": 1}}, "says nothing of the group 'prose'"),
        ({"tokens": ["[MASK]"]}, "is a special token already"),
        ({"tokens": ["<_>", "<_>"]}, "named twice"),
        ({"tokens": [" "]}, "is empty"),
        ({"by": "language"}, "unknown column 'language'"),
    ]
    for number, (parameters, message) in enumerate(wrong):
        with pytest.raises(InputError, match=message):
            run(tmp_path / f"w{number}", corpus, **parameters)
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
