"""Surfaces, what is the same between two vocabularies, and pieces of tokens that a vocabulary lacks."""

from __future__ import annotations

import pytest
from made_vocabularies import made_texts, make_tokenizer

from seedbed.surgery.vocabulary.match import same_tokens
from seedbed.surgery.vocabulary.pieces import Decomposer
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.surfaces import Notation, surfaces

TEXTS = made_texts()
KINDS = ["bpe", "sentencepiece", "wordpiece", "unigram"]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    root = tmp_path_factory.mktemp("surfaces")
    return {
        kind: make_tokenizer(root / kind, kind, TEXTS, "encoder" if kind == "wordpiece" else "decoder")
        for kind in KINDS
    }


@pytest.mark.parametrize("kind", KINDS)
def test_surfaces_make_up_the_text(kind: str, tokenizers: dict[str, Tokenizer]) -> None:
    """Side by side, the surfaces of a text's tokens are the text, but for white space that WordPiece does not keep."""
    tokenizer = tokenizers[kind]
    found = surfaces(tokenizer)
    for text in [*TEXTS[:20], "(a) b-c, d."]:
        if kind in ("wordpiece", "unigram") and text not in TEXTS:
            continue  # characters that they lack
        together = "".join(found[index] for index in tokenizer.load().encode(text, add_special_tokens=False).ids)
        expected = text if kind == "bpe" else f" {text}"
        assert together.encode("utf8", "surrogateescape") == expected.encode()
    special = tokenizer.vocabulary().special_V
    assert [surface == "" for surface in found] == special.tolist()


def test_bytes_that_are_no_text(tokenizers: dict[str, Tokenizer]) -> None:
    found = surfaces(tokenizers["bpe"])
    letter = tokenizers["bpe"].load().get_vocab()["Ã"]
    assert found[letter].encode("utf8", "surrogateescape") == b"\xc3"
    marked = surfaces(tokenizers["sentencepiece"])
    assert marked[tokenizers["sentencepiece"].load().get_vocab()["<0xC3>"]] == found[letter]
    assert Notation("plain", suffix="</w>").surface("a") == "a"


def test_wordpiece_sets_some_characters_apart() -> None:
    how = Notation("wordpiece", "##")
    shown = {"the": " the", "##s": "s", ",": ",", "。": "。", "中": "中", "é": " é", "##": "##", "5": " 5"}
    assert {token: how.surface(token) for token in shown} == shown


@pytest.mark.parametrize("old", KINDS)
@pytest.mark.parametrize("new", KINDS)
def test_same_tokens_have_the_same_surface(old: str, new: str, tokenizers: dict[str, Tokenizer]) -> None:
    before, after = tokenizers[old], tokenizers[new]
    same_N, was, now = same_tokens(before, after), surfaces(before), surfaces(after)
    special_N = after.vocabulary().special_V
    for index, (place, surface) in enumerate(zip(same_N.tolist(), now, strict=True)):
        if not special_N[index]:
            assert (was[place] == surface) if place >= 0 else surface not in was
    assert (same_N[~special_N] >= 0).sum() > 30
    if old == new:
        assert same_N.tolist() == list(range(len(same_N)))


@pytest.mark.parametrize("old", KINDS)
@pytest.mark.parametrize("new", KINDS)
def test_pieces_of_a_token(old: str, new: str, tokenizers: dict[str, Tokenizer]) -> None:
    """Their surfaces, side by side, are the token's; a token of its own is its only piece."""
    decomposer, was = Decomposer(tokenizers[old]), surfaces(tokenizers[old])
    whole = 0
    for surface in filter(None, surfaces(tokenizers[new])):
        pieces = decomposer(surface)
        together = "".join(was[index] for index in pieces)
        if together == surface:
            whole += 1
        else:  # a character that the old one lacks, or white space that WordPiece knows only at words
            assert old in ("wordpiece", "unigram") or new == "wordpiece"
        if surface in was and old == new:
            assert [was[index] for index in pieces] == [surface]
    assert whole > 90


def test_a_piece_goes_on_where_it_stands(tokenizers: dict[str, Tokenizer]) -> None:
    word = next(word for word in TEXTS[0].split()[1:] if len(word) > 3 and word.isalpha())
    for kind, tokenizer in tokenizers.items():
        decomposer, tokens = Decomposer(tokenizer), tokenizer.vocabulary().tokens
        first, inside = decomposer(f" {word}")[0], decomposer(word)[0]
        mark = {"bpe": "Ġ", "sentencepiece": "▁", "unigram": "▁", "wordpiece": ""}[kind]
        assert tokens[first].startswith(mark) and not tokens[first].startswith("##")
        assert tokens[inside].startswith("##") if kind == "wordpiece" else not tokens[inside].startswith(mark)
        assert decomposer("") == []
