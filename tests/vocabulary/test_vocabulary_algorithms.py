"""Every algorithm: same result in any process, special tokens first, text kept; unigram equal to sentencepiece."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.core.errors import InputError
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.methods import unigram as unigram_module
from seedbed.vocabulary.save import SPECIALS, finish

SIZE = 700
LOSSLESS = ["bpe", "bytes", "unigram"]
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
            specials = list(SPECIALS[style].values())
            tokenizer = algorithms.create(name, texts, SIZE, specials)()
            finish(tokenizer, style)
            tokenizer.encode_special_tokens = True
            made[name, style] = tokenizer
    return made


@pytest.mark.parametrize("style", ["encoder", "decoder"])
@pytest.mark.parametrize("name", algorithms.names())
def test_contract(name, style, trained):
    tokenizer = trained[name, style]
    specials = list(SPECIALS[style].values())
    assert [tokenizer.token_to_id(token) for token in specials] == list(range(len(specials)))
    ids = sorted(tokenizer.get_vocab().values())
    assert ids == list(range(len(ids))), "ids without gaps"
    assert len(ids) == (SIZE if name != "bytes" else 256 + len(specials))
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


@pytest.mark.parametrize("name", ["wordpiece", "bpe", "unigram"])
def test_another_process_gives_the_same(name, trained, tmp_path):
    """Hash tables have another seed in each process."""
    script = (
        "import sys, json; sys.path.insert(0, sys.argv[1])\n"
        "from conftest import prose, code\n"
        "from seedbed.vocabulary import algorithms\n"
        "from seedbed.vocabulary.save import finish, SPECIALS\n"
        f"t = algorithms.create({name!r}, prose(0, 400) + code(), {SIZE}, list(SPECIALS['encoder'].values()))()\n"
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

    def spy(model, specials):
        kept["model"] = model
        return original(model, specials)

    monkeypatch.setattr(unigram_module, "convert", spy)
    tokenizer = algorithms.create("unigram", texts, SIZE, ["<pad>", "<s>", "</s>"])()
    reference = sentencepiece.SentencePieceProcessor(model_proto=kept["model"])
    tokens = 0
    for text in HARD + texts:
        expected = reference.encode(text, out_type=str)
        assert tokenizer.encode(text).tokens == expected
        tokens += len(expected)
    assert tokens > 5000
    shift = tokenizer.get_vocab_size() - reference.vocab_size()
    ids = tokenizer.encode(texts[0]).ids
    assert ids == [index + shift for index in reference.encode(texts[0])]


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
    specials = list(SPECIALS["encoder"].values())
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
        algorithms.create(name, texts, 6, list(SPECIALS["encoder"].values()))()
    assert "size" in str(caught.value)


@pytest.mark.parametrize("name", algorithms.names())
def test_little_text_gives_a_smaller_vocabulary(name):
    tokenizer = algorithms.create(name, ["baka baka strei strei"], 5000, ["<pad>", "<s>", "</s>"])()
    assert tokenizer.get_vocab_size() < 500
    assert tokenizer.encode("baka").ids
