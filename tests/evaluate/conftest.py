"""Tiny models, tokenizers and corpora of generated text for the evaluation's tests."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seedbed.corpus.artifact import Corpus
from seedbed.models.artifact import Model

NOUNS = ["gull", "owl", "crow", "wren", "finch", "stork", "heron", "robin"]
VERBS = ["sees", "feeds", "follows", "wakes", "hears"]
PLACES = ["roof", "river", "wall", "field", "bridge"]


def sentence(draw: random.Random) -> str:
    return f"the {draw.choice(NOUNS)} {draw.choice(VERBS)} the {draw.choice(NOUNS)} by the {draw.choice(PLACES)} ."


def write_corpus(folder: Path, splits: dict[str, list[str]]) -> Corpus:
    (folder / "data").mkdir(parents=True)
    for split, texts in splits.items():
        table = pa.table(
            {
                "id": [f"{split}-{index}" for index in range(len(texts))],
                "text": texts,
                "source": ["made"] * len(texts),
                "domain": [""] * len(texts),
                "license": [""] * len(texts),
                "metadata": ["{}"] * len(texts),
            }
        )
        pq.write_table(table, folder / "data" / f"{split}-00000.parquet")
    return Corpus(folder)


@pytest.fixture(scope="session")
def make_corpus() -> Callable[[Path, dict[str, list[str]]], Corpus]:
    """`write_corpus`, for tests that need texts of their own."""
    return write_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Sentences about birds: eight to a document."""
    draw = random.Random(0)
    splits = {
        split: [" ".join(sentence(draw) for _ in range(8)) for _ in range(num)]
        for split, num in (("train", 60), ("test", 12))
    }
    return write_corpus(tmp_path_factory.mktemp("corpus"), splits)


PYTHON = '''\
import json


def {verb}_{noun}(values, limit={number}):
    """{Verb} the {noun} by its {place}.

    And nothing else.
    """
    found = []
    for value in values:
        if len(value.{place}) > limit:  # {noun}
            found.append(json.dumps(value))
    return found
'''


@pytest.fixture(scope="session")
def python_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    draw = random.Random(1)

    def source() -> str:
        verb, noun, place = draw.choice(VERBS), draw.choice(NOUNS), draw.choice(PLACES)
        return PYTHON.format(verb=verb, Verb=verb.title(), noun=noun, place=place, number=draw.randrange(99))

    splits = {"train": [source() for _ in range(60)], "test": [source() for _ in range(16)] + ["def broken(:"]}
    return write_corpus(tmp_path_factory.mktemp("python"), splits)


def _tokenizer(folder: Path, texts: list[str], causal: bool) -> None:
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, processors, trainers

    from seedbed.vocabulary.methods.wordpiece import wordpiece

    if causal:
        tokenizer = tokenizers.Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        special = ["<s>", "</s>", "<pad>"]
        trainer = trainers.BpeTrainer(
            vocab_size=340,
            special_tokens=special,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        tokenizer.train_from_iterator(texts, trainer)
        template, roles = "<s> $A </s>", {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    else:
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        tokenizer = wordpiece(texts, 200, special)  # the library's own training differs from process to process
        template = "[CLS] $A [SEP]"
        roles = {f"{token[1:-1].lower()}_token": token for token in special}
    ends = [(token, tokenizer.token_to_id(token)) for token in template.split() if token != "$A"]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ends)
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, **roles})
    )
    (folder / "special_tokens_map.json").write_text(json.dumps(roles))


@pytest.fixture(scope="session")
def make_model(
    tmp_path_factory: pytest.TempPathFactory, corpus: Corpus, python_corpus: Corpus
) -> Callable[[str], Model]:
    """Tiny untrained models, saved as folders: "encoder" or "decoder"."""
    from seedbed.models import backbones
    from seedbed.models.save import save_model

    made: dict[str, Model] = {}

    def make(kind: str) -> Model:
        if kind not in made:
            root = tmp_path_factory.mktemp(kind)
            texts = [document["text"] for part in (corpus, python_corpus) for document in part.documents("train")]
            _tokenizer(root / "tokenizer", texts, causal=kind == "decoder")
            size = 340 if kind == "decoder" else 200
            backbone = backbones.create(kind, layers=2, width=32, heads=2, max_length=64)
            save_model(
                backbone.network(size, 7, pad=2 if kind == "decoder" else 0), root / "tokenizer", root / "model", {}
            )
            made[kind] = Model.open(root / "model")
        return made[kind]

    return make


@pytest.fixture(scope="session")
def encoder(make_model: Callable[[str], Model]) -> Model:
    return make_model("encoder")


@pytest.fixture(scope="session")
def decoder(make_model: Callable[[str], Model]) -> Model:
    return make_model("decoder")
