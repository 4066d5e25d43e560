"""Folders of our own and of others: special tokens, word starts, errors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tokenizers import Tokenizer as Fast
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from seedbed.core.errors import InputError
from seedbed.vocabulary.artifact import Tokenizer


def write(folder, tokenizer, configuration=None, special_map=None):
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    if configuration is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(configuration))
    if special_map is not None:
        (folder / "special_tokens_map.json").write_text(json.dumps(special_map))
    return Tokenizer.open(folder)


def wordpiece():
    vocab = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "play": 5, "##ing": 6, ",": 7}
    tokenizer = Fast(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return tokenizer


def test_wordpiece_folder(tmp_path):
    configuration = {"pad_token": "[PAD]", "mask_token": {"content": "[MASK]", "lstrip": False}, "cls_token": None}
    vocabulary = write(tmp_path / "t", wordpiece(), configuration, {"sep_token": "[SEP]"}).vocabulary()
    assert (vocabulary.pad, vocabulary.mask, vocabulary.sep, vocabulary.size) == (0, 4, 3, 8)
    assert vocabulary.cls is None, "the configuration says that there is none"
    assert vocabulary.unk == 1, "by its usual name"
    assert (vocabulary.bos, vocabulary.eos) == (None, None)
    assert vocabulary.special_V.tolist() == [True] * 5 + [False] * 3
    assert vocabulary.word_start_V.tolist() == [True] * 6 + [False, True]
    assert vocabulary.tokens[6] == "##ing"
    assert not vocabulary.is_causal
    with pytest.raises(ValueError, match="read-only"):
        vocabulary.special_V[0] = False


def test_bare_bert_folder(tmp_path):
    """Old BERT folders say nothing about special tokens."""
    tokenizer = wordpiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    vocabulary = write(tmp_path / "t", tokenizer, {"do_lower_case": True}).vocabulary()
    ids = (vocabulary.pad, vocabulary.unk, vocabulary.cls, vocabulary.sep, vocabulary.mask)
    assert ids == (0, 1, 2, 3, 4)


def test_roberta_folder(tmp_path):
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "play", "Ġplay", "ing", "Ċ", ","]
    tokenizer = Fast(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    vocabulary = write(tmp_path / "t", tokenizer).vocabulary()
    assert (vocabulary.cls, vocabulary.sep, vocabulary.bos, vocabulary.eos, vocabulary.mask) == (0, 2, 0, 2, 4)
    assert vocabulary.word_start_V.tolist() == [True] * 5 + [False, True, False, True, False]


@pytest.mark.parametrize("way", ["metaspace", "normalizer"])
def test_llama_folder(tmp_path, way):
    tokens = ["<unk>", "<s>", "</s>", "<0x0A>", "<0x41>", "▁play", "ing", "▁"]
    tokenizer = Fast(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=[], unk_token="<unk>"))
    if way == "metaspace":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    configuration = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": None}
    vocabulary = write(tmp_path / "t", tokenizer, configuration).vocabulary()
    assert (vocabulary.bos, vocabulary.eos, vocabulary.pad) == (1, 2, None)
    assert vocabulary.word_start_V.tolist() == [True, True, True, True, False, True, False, True]
    assert vocabulary.is_causal


def test_ids_with_gaps(tmp_path):
    tokenizer = Fast(models.WordLevel(vocab={"a": 0, "b": 5}, unk_token="a"))
    vocabulary = write(tmp_path / "t", tokenizer).vocabulary()
    assert vocabulary.size == 6
    assert vocabulary.tokens == ["a", "", "", "", "", "b"]
    assert vocabulary.special_V.tolist() == [False, True, True, True, True, False], "holes are never drawn"
    assert vocabulary.word_start_V.all()


def test_truncation_of_a_foreign_folder_is_off(tmp_path):
    tokenizer = wordpiece()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=10)
    artifact = write(tmp_path / "t", tokenizer)
    assert len(artifact.load().encode("play " * 7).ids) == 7


def test_digest_follows_the_contents_not_the_settings(tmp_path):
    plain = write(tmp_path / "a", wordpiece())
    padded = wordpiece()
    padded.enable_padding(length=10)
    padded.enable_truncation(5)
    assert write(tmp_path / "b", padded).digest == plain.digest
    other = wordpiece()
    other.normalizer = normalizers.Lowercase()
    assert write(tmp_path / "c", other).digest != plain.digest


def test_fingerprint_of_a_foreign_folder_ignores_weights(tmp_path):
    artifact = write(tmp_path / "t", wordpiece(), {})
    first = artifact.fingerprint
    (tmp_path / "t" / "model.safetensors").write_bytes(b"weights")
    assert Tokenizer.open(tmp_path / "t").fingerprint == first
    (tmp_path / "t" / "tokenizer_config.json").write_text('{"pad_token": "[PAD]"}')
    assert Tokenizer.open(tmp_path / "t").fingerprint != first


def test_a_model_of_the_store_holds_a_tokenizer(tmp_path):
    write(tmp_path / "t", wordpiece())
    (tmp_path / "t" / "manifest.json").write_text(
        json.dumps({"format": 1, "kind": "model", "fingerprint": "f" * 32, "files": {}})
    )
    artifact = Tokenizer.open(tmp_path / "t")
    assert artifact.vocabulary().size == 8
    assert artifact.fingerprint != "f" * 32
    (tmp_path / "t" / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"no tokenizer\.json"):
        Tokenizer.open(tmp_path / "t")


def test_errors(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no tokenizer"):
        Tokenizer.open(tmp_path / "empty")
    (tmp_path / "empty" / "vocab.txt").write_text("a\n")
    with pytest.raises(InputError, match="convert it once"):
        Tokenizer.open(tmp_path / "empty")
    (tmp_path / "empty" / "tokenizer.json").write_text("{broken")
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        Tokenizer.open(tmp_path / "empty").load()
    with pytest.raises(InputError, match="not JSON"):
        _ = Tokenizer.open(tmp_path / "empty").digest
    (tmp_path / "empty" / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(InputError, match="is not a tokenizer"):
        Tokenizer.open(tmp_path / "empty").vocabulary()
    with pytest.raises(InputError, match="mask_token") as caught:
        write(tmp_path / "t", wordpiece(), {"mask_token": "<mask>"}).vocabulary()
    assert "<mask>" in str(caught.value)


def test_special_ids_match_arrays(tmp_path):
    vocabulary = write(tmp_path / "t", wordpiece()).vocabulary()
    assert vocabulary.special_V.dtype == np.bool_ and vocabulary.word_start_V.dtype == np.bool_
    assert len(vocabulary.tokens) == len(vocabulary.special_V) == len(vocabulary.word_start_V) == vocabulary.size
