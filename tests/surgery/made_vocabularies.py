"""For the tests of vocabulary surgery: made-up text, tokenizers on it, models with random weights, a corpus."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from seedbed.core.step import Step, StepContext
from seedbed.corpus.artifact import Corpus
from seedbed.models import backbones, save_model
from seedbed.models.artifact import Model
from seedbed.models.transformer import Transformer
from seedbed.surgery.initializer import Change, initializers
from seedbed.surgery.vocabulary.change import change_vocabulary, tables_of
from seedbed.surgery.vocabulary.match import same_tokens
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.methods.wordpiece import wordpiece
from seedbed.vocabulary.save import SPECIALS, finish, special_tokens, write_folder


def made_texts(seed: int = 0, number: int = 60, letters: str = "abdegiklmnorstü") -> list[str]:
    """Sentences of made-up words, with capitals, punctuation and digits."""
    dice = random.Random(f"{seed} {letters}")
    syllables = [a + b for a in letters[: len(letters) // 2] for b in letters[len(letters) // 2 :]]
    words = ["".join(dice.choices(syllables, k=dice.randrange(1, 4))) for _ in range(80)]
    found = []
    for _ in range(number):
        chosen = [words[min(int(dice.paretovariate(0.8)), 80) - 1] for _ in range(dice.randrange(5, 30))]
        found.append(" ".join([chosen[0].capitalize(), *chosen[1:]]) + f", {dice.randrange(100)}.")
    return found


def make_tokenizer(
    folder: Path, algorithm: str, texts: list[str], style: str = "decoder", size: int = 360
) -> Tokenizer:
    """A tokenizer's folder: byte-level "bpe" and "sentencepiece" (BPE with marks for spaces, bytes, and no splitter,
    as Llama 2 has it) by the library's own trainer, "wordpiece" by ours, "unigram" of frequent pieces."""
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
    from tokenizers import Tokenizer as Fast

    folder.mkdir(parents=True)
    unk = SPECIALS[style].get("unk", "<unk>")  # type: ignore[call-overload]
    specials = list(dict.fromkeys([*special_tokens(style), unk]))  # type: ignore[arg-type]
    marks = [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    spaces = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    options: dict[str, Any] = {"vocab_size": size, "special_tokens": specials, "show_progress": False}
    if algorithm == "bpe":
        fast = Fast(models.BPE())
        fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        fast.decoder = decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        fast.train_from_iterator(texts, trainers.BpeTrainer(initial_alphabet=alphabet, **options))
    elif algorithm == "sentencepiece":
        names = [f"<0x{byte:02X}>" for byte in range(256)]
        fast = Fast(models.BPE(unk_token=unk, byte_fallback=True, fuse_unk=True))
        fast.normalizer, fast.decoder = normalizers.Sequence(marks), spaces
        fast.pre_tokenizer = pre_tokenizers.Split(Regex("\u2581*[^\u2581]*"), behavior="isolated")
        options["special_tokens"] = [*specials, *names]
        fast.train_from_iterator(texts, trainers.BpeTrainer(limit_alphabet=60, **options))
        fast.pre_tokenizer = None
        description = json.loads(fast.to_str())
        description["added_tokens"] = [e for e in description["added_tokens"] if e["content"] in specials]
        fast = Fast.from_str(json.dumps(description))
    elif algorithm == "wordpiece":
        fast = wordpiece(texts, size, specials)  # the library's own trainer gives other ids in each process
    else:
        fast = Fast(models.Unigram())
        fast.normalizer, fast.decoder = normalizers.Sequence(marks), spaces
        fast.pre_tokenizer = pre_tokenizers.Split(Regex("\u2581*[^\u2581]*"), behavior="isolated")
        # No trainer: the library's sums in the order of a hash table, and so differs from process to process.
        pieces = [(token, 0.0) for token in specials] + frequent_pieces(texts, size - len(specials))
        fast.model = models.Unigram(pieces, unk_id=specials.index(unk))
    write_folder(folder, fast, finish(fast, style))  # type: ignore[arg-type]
    return Tokenizer.open(folder)


def frequent_pieces(texts: list[str], number: int) -> list[tuple[str, float]]:
    """Every letter and the most frequent longer pieces of words, with scores by which a piece is never cut."""
    words = Counter(word for text in texts for word in ("\u2581" + text.replace(" ", " \u2581")).split(" "))
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for start in range(len(word)):
            for end in range(start + 1, min(start + 6, len(word)) + 1):
                counts[word[start:end]] += count
    ranked = sorted(counts, key=lambda piece: (len(piece) > 1, -counts[piece] * len(piece), piece))[:number]
    return [(piece, -5 - 4 * place / len(ranked)) for place, piece in enumerate(ranked)]


def made_by(step: Step[Any, Any], folder: Path, **parameters: Any) -> tuple[Tokenizer, dict[str, Any]]:
    """The tokenizer that a step writes, without a store, and its counts."""
    folder.mkdir()
    context = StepContext(folder, folder.name, {})
    step.function(context, **parameters)
    return Tokenizer.open(folder), context.counts


def make_model(
    folder: Path,
    backbone: str,
    tokenizer: Tokenizer,
    extra_rows: int = 0,
    primitives: int | None = None,
    **options: Any,
) -> Model:
    """A model of one layer with random weights, biases and norms too; its tables may be coordinates over primitives."""
    given = {"layers": 1, "width": 32, "heads": 2, "kernel": "products", **options}
    vocabulary = tokenizer.vocabulary()
    network = backbones.create(backbone, **given).network(vocabulary.size + extra_rows, 3, pad=vocabulary.pad)
    if primitives is not None:
        network = Transformer(replace(network.architecture, primitives=primitives), seed=3)
    dice = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=dice), alpha=0.1)
    save_model(network, tokenizer.path, folder, {"name": "made"})
    return Model.open(folder)


def change(model: Model, tokenizer: Tokenizer, folder: Path, method: Any = "overlap", seed: int = 0) -> Model:
    """The step, without a store; its counts are an attribute of the model."""
    return change_with(model, tokenizer, folder, initializers.parse(method).build(), seed)


def change_with(model: Model, tokenizer: Tokenizer, folder: Path, method: Any, seed: int = 0) -> Model:
    """The same by an initializer that is made already."""
    folder.mkdir(parents=True)
    context = StepContext(folder, "changed", {"method": f"{method}"})
    change_vocabulary.function(context, model=model, tokenizer=tokenizer, method=method, seed=seed)
    changed = Model.open(folder)
    changed.seen = context.counts  # type: ignore[attr-defined]
    return changed


def make_change(model: Model, tokenizer: Tokenizer, seed: int = 0) -> Change:
    """What an initializer is given."""
    network = model.network()
    return Change(
        model,
        model.tokenizer(),
        tokenizer,
        tables_of(network, network.vocabulary_size),
        same_tokens(model.tokenizer(), tokenizer),
        seed,
    )


def make_corpus(folder: Path, texts: list[str]) -> Corpus:
    """A corpus of one split."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "data").mkdir(parents=True)
    rows = {"id": [f"d{i}" for i in range(len(texts))], "source": [""] * len(texts), "domain": [""] * len(texts)}
    pq.write_table(pa.table({**rows, "text": texts}), folder / "data" / "train-00000.parquet")
    manifest = {"format": 1, "kind": "corpus", "fingerprint": folder.name, "files": {}, "counts": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Corpus.open(folder)


def permuted(tokenizer: Tokenizer, folder: Path, seed: int = 0) -> Tokenizer:
    """The same tokenizer with its ids shuffled (special tokens, too)."""
    from seedbed.vocabulary.artifact import CONFIG_FILE, SPECIALS_FILE

    description = json.loads((tokenizer.path / "tokenizer.json").read_text())
    vocabulary = description["model"]["vocab"]
    order = list(range(len(vocabulary)))
    random.Random(seed).shuffle(order)
    if isinstance(vocabulary, dict):
        description["model"]["vocab"] = {token: order[index] for token, index in vocabulary.items()}
    else:
        moved = [None] * len(vocabulary)
        for index, piece in enumerate(vocabulary):
            moved[order[index]] = piece
        description["model"] |= {"vocab": moved, "unk_id": order[description["model"]["unk_id"]]}
    for entry in description["added_tokens"]:
        entry["id"] = order[entry["id"]]
    for entry in description["post_processor"]["special_tokens"].values():
        entry["ids"] = [order[index] for index in entry["ids"]]
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(json.dumps(description))
    for name in (CONFIG_FILE, SPECIALS_FILE):
        (folder / name).write_bytes((tokenizer.path / name).read_bytes())
    return Tokenizer.open(folder)
