"""The step that turns a corpus into token ids, once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.files import write_json
from seedbed.core.machine import usable_cores
from seedbed.core.step import Estimate, StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.vocabulary.artifact import Tokenizer, Vocabulary

from .artifact import DOCUMENTS_FILE, FACTS_FILE, TOKENS_FILE, Tokens

if TYPE_CHECKING:
    import tokenizers

_BATCH_DOCUMENTS = 1024
_BATCH_BYTES = 4_000_000  # of text in flight; encodings take about a hundred bytes a token
_ROW_GROUP = 65_536
_MB_PER_SECOND = 3.5  # and core
_COUNTED_NAMES = 1000  # sources may be addresses, one a document
_BYTES_PER_TOKEN = 4.0  # where nothing is known
_COLUMNS = ["id", "text", "source", "domain"]


@step("tokenize", gives=Tokens)
def tokenize(context: StepContext, *, corpus: Corpus, tokenizer: Tokenizer) -> None:
    """Encode all splits of a corpus with a tokenizer's own post-processor (special tokens around each document).

    A causal tokenizer that adds no end of its own (Llama's) gets its end token put after each document, so that a
    model learns where texts end. What a document says is text: "[MASK]" or "</s>" in it do not become special
    tokens. Memory is bounded by batches of documents, and by the longest document.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    vocabulary = tokenizer.vocabulary()
    encoder = _Encoder(tokenizer.load(), vocabulary)
    with open(context.folder / TOKENS_FILE, "wb") as file:
        writer = _Writer(file, str(context.folder / DOCUMENTS_FILE), vocabulary)
        for split in corpus.splits():
            for batch in _batches(corpus.documents(split, _COLUMNS)):
                writer.add(split, batch, encoder.encode([str(row["text"]) for row in batch]))
            context.say(f"{split}: {writer.splits.get(split, {}).get('tokens', 0):,} tokens")
        writer.close()
    total = {name: sum(split[name] for split in writer.splits.values()) for name in ("documents", "tokens", "bytes")}
    if not total["tokens"]:
        raise InputError("corpus", "holds no documents with text", value=str(corpus.path))
    described = {"digest": tokenizer.digest, "fingerprint": tokenizer.fingerprint}
    facts = {"dtype": writer.dtype.str, "vocabulary": vocabulary.size, "tokenizer": described, "end": encoder.end}
    write_json(context.folder / FACTS_FILE, {**facts, "tokens": total["tokens"], "splits": writer.splits})
    context.counts.update(
        total,
        dtype=writer.dtype.name,
        vocabulary=vocabulary.size,
        splits={name: {key: split[key] for key in total} for name, split in writer.splits.items()},
        sources=writer.sources,
        domains=writer.domains,
    )


@tokenize.estimate
def _estimate(parameters: dict[str, Any], counts_of: Callable[[Any], dict[str, Any]]) -> Estimate:
    """Tokens from the corpus's bytes and the tokenizer's bytes per token, as far as they are made."""
    num_bytes = counts_of(parameters["corpus"]).get("kept", {}).get("bytes")
    if num_bytes is None:
        return Estimate(notes="unknown until the corpus is there")
    measured = counts_of(parameters["tokenizer"]).get("by_domain", {}).values()
    sizes = [sum(domain[name] for domain in measured) for name in ("bytes", "tokens")]
    ratio = sizes[0] / sizes[1] if measured and sizes[1] else _BYTES_PER_TOKEN
    seconds = num_bytes / 1e6 / (_MB_PER_SECOND * usable_cores())
    tokens = float(round(num_bytes / ratio))
    return Estimate(seconds=seconds, tokens=tokens, notes=f"{ratio:.2f} bytes per token", counts={"tokens": tokens})


class _Encoder:
    """Texts to ids, with the end token where the post-processor leaves it out."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, vocabulary: Vocabulary) -> None:
        self.tokenizer = tokenizer
        self.tokenizer.encode_special_tokens = True  # a special token's name in a text is text
        ids = tokenizer.encode("a").ids
        ends = ids[-1:] == [vocabulary.eos] or (vocabulary.sep is not None and ids[-1:] == [vocabulary.sep])
        self.end = vocabulary.eos if vocabulary.is_causal and not ends else None

    def encode(self, texts: list[str]) -> list[list[int]]:
        encodings = self.tokenizer.encode_batch_fast(texts)  # without offsets, which nobody wants here
        if self.end is None:
            return [encoding.ids for encoding in encodings]
        return [[*encoding.ids, self.end] for encoding in encodings]


class _Writer:
    """Appends documents to tokens.bin and documents.parquet, and counts."""

    def __init__(self, file: BinaryIO, table_path: str, vocabulary: Vocabulary) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.file, self.vocabulary = file, vocabulary
        self.dtype = np.dtype("<u2" if vocabulary.size <= 1 << 16 else "<u4")
        texts, numbers = ("split", "id", "source", "domain"), ("offset", "length", "bytes")
        names = ("split", "offset", "length", "id", "source", "domain", "bytes")
        assert set(names) == {*texts, *numbers}
        self.schema = pa.schema([(name, pa.string() if name in texts else pa.int64()) for name in names])
        self.table = pq.ParquetWriter(table_path, self.schema, compression="zstd")
        self.rows: dict[str, list[Any]] = {name: [] for name in names}
        self.num_documents = self.num_tokens = 0
        self.splits: dict[str, dict[str, int]] = {}
        self.sources: dict[str, dict[str, int]] = {}
        self.domains: dict[str, dict[str, int]] = {}

    def add(self, split: str, rows: list[Mapping[str, Any]], ids: list[list[int]]) -> None:
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        flat = np.fromiter(chain.from_iterable(ids), dtype=np.int64, count=int(lengths.sum()))
        self._check(rows, lengths, flat)
        self.file.write(flat.astype(self.dtype).tobytes())
        if split not in self.splits:
            start = {"first_document": self.num_documents, "first_token": self.num_tokens}
            self.splits[split] = {**start, "documents": 0, "tokens": 0, "bytes": 0}
        for row, length in zip(rows, lengths.tolist(), strict=True):
            num_bytes = len(str(row["text"]).encode("utf8"))
            source, domain = str(row.get("source") or ""), str(row.get("domain") or "")
            values = (split, self.num_tokens, length, str(row["id"]), source, domain, num_bytes)
            for column, value in zip(self.rows.values(), values, strict=True):
                column.append(value)
            self.num_documents += 1
            self.num_tokens += length
            for counts in (self.splits[split], _entry(self.sources, source), _entry(self.domains, domain)):
                counts["documents"] += 1
                counts["tokens"] += length
                counts["bytes"] += num_bytes
        if len(self.rows["id"]) >= _ROW_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self.table.close()

    def _check(self, rows: list[Mapping[str, Any]], lengths: np.ndarray, flat: np.ndarray) -> None:
        """Every id must stand in the vocabulary; a post-processor can put in others."""
        wrong = np.flatnonzero((flat < 0) | (flat >= self.vocabulary.size))
        if len(wrong):
            document = int(np.searchsorted(np.cumsum(lengths), wrong[0], side="right"))
            raise InputError(
                "tokenizer",
                f"gives the id {flat[wrong[0]]} in document '{rows[document]['id']}', outside its own vocabulary",
                allowed=f"0 to {self.vocabulary.size - 1}",
                fix="its tokenizer.json contradicts itself (often the post-processor); save it again",
            )

    def _flush(self) -> None:
        import pyarrow as pa

        if self.rows["id"]:
            self.table.write_table(pa.table(self.rows, schema=self.schema))
            self.rows = {name: [] for name in self.rows}


def _entry(counts: dict[str, dict[str, int]], name: str) -> dict[str, int]:
    if name not in counts and len(counts) >= _COUNTED_NAMES:
        name = "(others)"
    return counts.setdefault(name, {"documents": 0, "tokens": 0, "bytes": 0})


def _batches(documents: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Documents in groups of bounded number and size; a long one may exceed the size alone."""
    batch: list[Mapping[str, Any]] = []
    size = 0
    for row in documents:
        if batch and (len(batch) >= _BATCH_DOCUMENTS or size + len(row["text"]) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(row["text"])
    if batch:
        yield batch
