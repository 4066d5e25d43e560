"""Peak memory and CPU seconds of training a vocabulary, beside the libraries trained on the text itself.

    python benchmarks/vocabulary_memory.py --data a.jsonl.xz b.jsonl.xz --out benchmarks/results/vocabulary-memory.json

Each measurement is a process of its own; memory is its peak less what it had after its imports. Texts are read one
after the other by all. `prose` is the files' text; `letters` is made up, four letters in lines of 10,000 without a
space, half of them from a few hundred motifs, as a stand-in for genomes.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SPECIALS = ["<pad>", "<s>", "</s>"]
WAYS = ("seedbed bpe", "tokenizers bpe", "seedbed unigram", "sentencepiece unigram")


def prose(files: list[str], megabytes: float) -> Iterator[str]:
    left = megabytes * 1e6
    for path in files:
        with lzma.open(path, "rt", encoding="utf8") as file:
            for line in file:
                text = json.loads(line)["text"]
                left -= len(text.encode())
                if left < 0:
                    return
                yield text
    sys.exit(f"the files hold {megabytes - left / 1e6:.1f} MB, not {megabytes}")


def letters(megabytes: float) -> Iterator[str]:
    rng = np.random.default_rng(0)
    bases = np.frombuffer(b"ACGT", dtype=np.uint8)
    motifs = [bases[rng.integers(0, 4, 20)].tobytes().decode() for _ in range(300)]
    for _ in range(int(megabytes * 100)):
        parts = [motifs[i] + bases[rng.integers(0, 4, 20)].tobytes().decode() for i in rng.integers(0, 300, 250)]
        yield "".join(parts)


def train(way: str, texts: Iterator[str], size: int) -> int:
    """The size of the vocabulary that came out."""
    from seedbed.vocabulary import algorithms

    if way.startswith("seedbed"):
        return int(algorithms.create(way.split()[1], texts, size, SPECIALS)().get_vocab_size())
    if way == "tokenizers bpe":
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        tokenizer.train_from_iterator(
            texts,
            trainers.BpeTrainer(
                vocab_size=size,
                min_frequency=2,
                special_tokens=SPECIALS,
                initial_alphabet=alphabet,
                show_progress=False,
            ),
        )
        return int(tokenizer.get_vocab_size())
    from sentencepiece import SentencePieceTrainer

    lines = (
        line[start : start + 10_000]
        for text in texts
        for line in text.splitlines()
        for start in range(0, len(line), 10_000)
    )
    SentencePieceTrainer.train(
        sentence_iterator=lines,
        model_writer=io.BytesIO(),
        model_type="unigram",
        vocab_size=size,
        max_sentence_length=50_000,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return size


def measure(way: str, kind: str, megabytes: float, size: int, files: list[str]) -> dict[str, Any]:
    """In this process."""
    import sentencepiece  # noqa: F401
    import tokenizers  # noqa: F401

    import seedbed.vocabulary.methods.bpe
    import seedbed.vocabulary.methods.unigram  # noqa: F401

    texts = prose(files, megabytes) if kind == "prose" else letters(megabytes)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    found = train(way, texts, size)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    seconds = time.process_time() - start
    return {
        "way": way,
        "text": kind,
        "mb": megabytes,
        "size": found,
        "peak_mb": round(peak / 1e3),
        "cpu_s": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True, help="JSON Lines (.xz) with `text`")
    parser.add_argument("--mb", nargs=2, type=float, default=[3.0, 30.0])
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--only", nargs="*", choices=WAYS, default=list(WAYS))
    parser.add_argument("--kinds", nargs="*", choices=["prose", "letters"], default=["prose", "letters"])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        way, kind, megabytes = given.one
        print(json.dumps(measure(way, kind, float(megabytes), given.size, given.data)))
        return
    rows = []
    for way in given.only:
        for kind in given.kinds:
            for megabytes in given.mb:
                command = [sys.executable, __file__, "--size", str(given.size), "--data", *given.data]
                done = subprocess.run(
                    [*command, "--one", way, kind, str(megabytes)], stdout=subprocess.PIPE, text=True, check=True
                )
                rows.append(json.loads(done.stdout))
                print(rows[-1], flush=True)
    if given.out:
        given.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
