"""Every algorithm: same result in any process, special tokens first, text kept; unigram equal to sentencepiece."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.counts import count_words
from seedbed.vocabulary.methods import unigram as unigram_module
from seedbed.vocabulary.save import finish, special_tokens

SIZE = 700
LOSSLESS = ["bpe", "bytes", "characters", "unigram"]
HARD = [
    "def f(x):\n\tif x:\n        return  1\n\n\n    # end   \n",
    "  two spaces first, and last  ",
    "naïve Ω 漢字 \U0001f600 \u200d e\u0301",
    "[MASK] [CLS] <unk> </s> <s> <0x0A> <0xFF>",
    "tab\tand\r\nreturn",
    "x",
    "\n",
    " ",
]


class Trained(dict):
    """Tokenizers by name and style, that a failing test does not print."""

    def __repr__(self):
        return "trained"


@pytest.fixture(scope="module")
def trained(texts):
    made = Trained()
    for name in algorithms.names():
        for style in ("encoder", "decoder"):
            specials = special_tokens(style)
            tokenizer = algorithms.create(name, texts, SIZE, specials)()
            finish(tokenizer, style)
            tokenizer.encode_special_tokens = True
            made[name, style] = tokenizer
    return made


@pytest.mark.parametrize("style", ["encoder", "decoder"])
@pytest.mark.parametrize("name", algorithms.names())
def test_contract(name, style, trained):
    tokenizer = trained[name, style]
    specials = special_tokens(style)
    assert [tokenizer.token_to_id(token) for token in specials] == list(range(len(specials)))
    ids = sorted(tokenizer.get_vocab().values())
    assert ids == list(range(len(ids))), "ids without gaps"
    if name not in ("bytes", "characters"):
        assert len(ids) == SIZE
    first, last = ("[CLS]", "[SEP]") if style == "encoder" else ("<s>", "</s>")
    encoded = tokenizer.encode("baka strei")
    assert encoded.tokens[0] == first and encoded.tokens[-1] == last
    pair = tokenizer.encode("baka", "strei")
    assert pair.tokens.count(last) == 2
    assert (0 in pair.type_ids) and (1 in pair.type_ids)
    bare = tokenizer.encode("baka [MASK] </s> <s> <unk>", add_special_tokens=False)
    written = set(specials) | {"<unk>"}
    assert not written & {token for token in bare.tokens if token not in ("[UNK]", "<unk>")} or name == "wordpiece"
    assert "[MASK]" not in bare.tokens and "</s>" not in bare.tokens
    assert tokenizer.encode("", add_special_tokens=False).ids == []


@pytest.mark.parametrize("style", ["encoder", "decoder"])
@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless(name, style, trained, texts):
    tokenizer = trained[name, style]
    for text in HARD + texts[::7]:
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


@pytest.mark.parametrize("name", LOSSLESS)
@settings(max_examples=150, deadline=None)
@given(text=st.text(st.characters(exclude_characters="\u2581", exclude_categories=["Cs"])))
def test_any_text_comes_back(name, text, trained):
    tokenizer = trained[name, "decoder"]
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


@pytest.mark.parametrize("name", ["wordpiece", "bpe", "unigram", "characters"])
def test_another_process_gives_the_same(name, trained, tmp_path):
    """Hash tables have another seed in each process."""
    script = (
        "import sys, json; sys.path.insert(0, sys.argv[1])\n"
        "from conftest import prose, code\n"
        "from seedbed.vocabulary import algorithms\n"
        "from seedbed.vocabulary.save import finish, special_tokens\n"
        f"t = algorithms.create({name!r}, prose(0, 400) + code(), {SIZE}, special_tokens('encoder'))()\n"
        "finish(t, 'encoder'); print(t.to_str(), end='')\n"
    )
    here = str(Path(__file__).parent)
    output = subprocess.run([sys.executable, "-c", script, here], capture_output=True, text=True, check=True).stdout
    trained[name, "encoder"].encode_special_tokens = False
    try:
        assert output == trained[name, "encoder"].to_str()
    finally:
        trained[name, "encoder"].encode_special_tokens = True


def test_unigram_cuts_as_sentencepiece(texts, monkeypatch):
    import sentencepiece

    kept = {}
    original = unigram_module.convert

    def spy(model, specials, spaces):
        kept["model"] = model
        return original(model, specials, spaces)

    monkeypatch.setattr(unigram_module, "convert", spy)
    tokenizer = algorithms.create("unigram", texts, SIZE, ["<pad>", "<s>", "</s>"])()
    reference = sentencepiece.SentencePieceProcessor(model_proto=kept["model"])
    tokens = 0
    for text in HARD + texts:
        expected = reference.encode(" " + text, out_type=str)  # the space that the tokenizer puts there itself
        assert tokenizer.encode(text).tokens == expected
        tokens += len(expected)
    assert tokens > 5000
    shift = tokenizer.get_vocab_size() - reference.vocab_size()
    ids = tokenizer.encode(texts[0]).ids
    assert ids == [index + shift for index in reference.encode(" " + texts[0])]


def test_spaces_may_be_tokens_by_themselves(texts):
    """065: of Thai, where they part phrases."""
    specials = ["<pad>", "<s>", "</s>"]
    before, apart, dropped = (
        algorithms.create("unigram", texts, SIZE, specials, spaces=spaces)()
        for spaces in ("before", "apart", "dropped")
    )
    mark = unigram_module.SPACE
    assert sum(mark in token for token in before.get_vocab()) > 50
    assert [token for token in apart.get_vocab() if mark in token] == [mark]
    for text in [" two  spaces ", "x", " ", "", *HARD, *texts]:
        if mark in text:
            continue
        tokens = apart.encode(text).tokens
        assert tokens.count(mark) == text.count(" ")
        assert apart.decode(apart.encode(text).ids) == text
        assert dropped.encode(text).ids == dropped.encode(text.replace(" ", "")).ids
        assert dropped.decode(dropped.encode(text).ids) == text.replace(" ", "")
    # A word's pieces are the same wherever it stands.
    assert apart.encode("wonder wonder").tokens == [
        *apart.encode("wonder").tokens,
        mark,
        *apart.encode("wonder").tokens,
    ]


def test_unigram_learns_from_long_lines(texts):
    """Sentencepiece leaves out lines above its limit; here they are cut."""
    prose = [text for text in texts if text.count("\n") == 1]
    line = " ".join(text.strip() for text in prose)
    assert len(line) > 50_000
    sizes = [
        len(algorithms.create("unigram", given, 500, ["<pad>", "<s>", "</s>"])().encode(line).ids)
        for given in ([line], prose)
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    assert sizes[0] < len(line) / 3


def test_wordpiece_lowercase_and_unknown(texts):
    specials = special_tokens("encoder")
    tokenizer = algorithms.create("wordpiece", texts, SIZE, specials, lowercase=True)()
    assert tokenizer.encode("BAKA").tokens == tokenizer.encode("baka").tokens
    assert tokenizer.encode("漢").tokens == ["[UNK]"]
    assert not any(token != token.lower() for token in tokenizer.get_vocab() if token not in specials)


def test_digits():
    texts = ["123 456 123 456 12345"] * 10
    together = algorithms.create("bpe", texts, 300, ["<pad>"])()
    single = algorithms.create("bpe", texts, 300, ["<pad>"], split_digits=True)()
    assert len(together.encode("123").ids) == 1
    assert len(single.encode("123").ids) == 3


@pytest.mark.parametrize("name", algorithms.names())
def test_too_small_a_size_is_an_error(name, texts):
    with pytest.raises(InputError) as caught:
        algorithms.create(name, texts, 6, special_tokens("encoder"))()
    assert "size" in str(caught.value)


@pytest.mark.parametrize("name", algorithms.names())
def test_little_text_gives_a_smaller_vocabulary(name):
    tokenizer = algorithms.create(name, ["baka baka strei strei"], 5000, ["<pad>", "<s>", "</s>"])()
    assert tokenizer.get_vocab_size() < 500
    assert tokenizer.encode("baka").ids


def from_text(name, texts, specials, letters=()):
    """The `tokenizers` library, trained on the text itself. It numbers WordPiece's characters by a hash table, which
    decides between pairs that are equally frequent; so it is given them in order, as special tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    if name == "bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=SIZE,
            min_frequency=2,
            special_tokens=specials,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    else:
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(
            vocab_size=SIZE,
            min_frequency=2,
            special_tokens=[*specials, *letters],
            limit_alphabet=len([letter for letter in letters if len(letter) == 1]),
            show_progress=False,
        )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def test_counts_give_what_the_library_learns_from_text(trained, texts):
    for name, style in (("bpe", "decoder"), ("wordpiece", "encoder")):
        specials, own = special_tokens(style), trained[name, style]
        order = sorted(own.get_vocab(), key=own.get_vocab().get)
        letters = [token for token in order if len(token.removeprefix("##")) == 1]
        reference = from_text(name, texts, specials, letters)
        assert reference.get_vocab() == own.get_vocab()
        for text in texts[::9] if name == "bpe" else []:
            assert reference.encode(text).ids == own.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("name", algorithms.names())
@pytest.mark.parametrize(
    "letters", ["ACGT", "ACDEFGHIKLMNPQRSTVWY", "กขคงจฉชซดตถทนบปผพฟมยรลวสหอ", "的一是不了人我在有他这中大来上"]
)
def test_text_without_spaces(name, letters):
    rng = np.random.default_rng(3)
    motifs = ["".join(rng.choice(list(letters), 5)) for _ in range(12)]
    texts = ["".join(rng.choice(motifs, 600)) for _ in range(4)]
    specials = special_tokens("encoder")
    tokenizer = algorithms.create(name, texts, 500, specials)()
    encoded = tokenizer.encode(texts[0])
    assert "[UNK]" not in encoded.tokens
    decoded = tokenizer.decode(encoded.ids)
    assert decoded.replace(" ", "") == texts[0] if name == "wordpiece" else decoded == texts[0]
    if name not in ("bytes", "characters") and (name, letters[0]) != ("wordpiece", "的"):  # BERT cuts at each of these
        assert len(encoded.ids) < len(texts[0]) / 2, "motifs are found"


def test_a_long_run_is_cut_where_its_words_were_counted():
    run = "ab" * 130
    tokenizer = algorithms.create("bpe", [f"x {run} y"] * 4, 400, ["<pad>"])()
    cut = [text for text, _ in tokenizer.pre_tokenizer.pre_tokenize_str(f"x {run} y")]
    assert cut == ["x", "Ġ" + run[:100], run[100:200], run[200:], "Ġy"]
    assert list(count_words([f"x {run} y"]).counts) == ["x", " " + run[:100], run[100:200], run[200:], " y"]


def test_words_with_marks_stay_whole():
    texts = ["हिन्दी में लिखा हुआ पाठ"] * 5
    cut = {
        words: algorithms.create("bpe", texts, 600, ["<pad>"], words=words)().pre_tokenizer.pre_tokenize_str(texts[0])
        for words in ("gpt2", "marks")
    }
    assert len(cut["marks"]) == 5 < len(cut["gpt2"])


def test_an_alphabet_without_bytes():
    specials = special_tokens("encoder")
    tokenizer = algorithms.create("characters", ["MKVLA", "MALK"], 30, specials, byte_fallback=False)()
    assert tokenizer.get_vocab_size() == len(specials) + 5
    assert tokenizer.encode("MKX").tokens == ["M", "K", "[UNK]"]
    small = algorithms.create("characters", ["aaabbc"], 8, specials, byte_fallback=False)()
    assert set(small.get_vocab()) - set(specials) == {"a", "b", "c"}
