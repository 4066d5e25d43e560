"""Tokens: all documents of a corpus as one flat array on disk, and a table of where each begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError, unknown_key
from seedbed.core.files import read_json
from seedbed.data.metadata import Metadata

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Tokenizer

TOKENS_FILE = "tokens.bin"
DOCUMENTS_FILE = "documents.parquet"
FACTS_FILE = "tokens.json"


@dataclass(eq=False)
class TokenFile:
    """The tokens of one split. Document d is `tokens[offsets[d] : offsets[d] + lengths[d]]`."""

    tokens: np.ndarray  # uint16 or uint32, memory-mapped
    offsets: np.ndarray  # int64
    lengths: np.ndarray  # int64, in tokens
    bytes: np.ndarray  # int64, of the document's text in UTF-8
    ids: Sequence[str]
    domains: Sequence[str] = ()
    tokenizer: str = ""  # the digest of the tokenizer; "" if it is not known
    vocabulary: int = 0  # ids are below this number; 0 if it is not known
    metadata: Sequence[dict[str, Any]] = ()  # of each document, as its corpus has them

    def __post_init__(self) -> None:
        self.offsets, self.lengths, self.bytes = (
            np.asarray(array, dtype=np.int64) for array in (self.offsets, self.lengths, self.bytes)
        )
        assert len(self.offsets) == len(self.lengths) == len(self.bytes) == len(self.ids)

    @property
    def num_documents(self) -> int:
        return len(self.lengths)

    @cached_property
    def num_tokens(self) -> int:
        return int(self.lengths.sum())

    @cached_property
    def num_bytes(self) -> int:
        return int(self.bytes.sum())

    def document(self, index: int) -> np.ndarray:
        """The tokens of one document, special tokens included."""
        start = int(self.offsets[index])
        return self.tokens[start : start + int(self.lengths[index])]


class _Open:
    """`Tokens.open(path)` opens the artifact, as with every kind; `tokens.open(split)` maps one of its splits."""

    def __get__(self, tokens: Tokens | None, owner: type[Tokens]) -> Callable[..., Any]:
        return partial(Artifact.open.__func__, owner) if tokens is None else tokens.split  # type: ignore[attr-defined]


class Tokens(Artifact):
    """`tokens.bin`: uint16 (uint32 for vocabularies above 65,536), little-endian, documents one after the other,
    special tokens included, no header. `documents.parquet`: `split, offset, length, id, source, domain, bytes`
    (offset and length in tokens; the documents of a split stand together). `tokens.json`: the type of the
    numbers, the size of the vocabulary, which tokenizer, where each split begins.
    """

    kind: ClassVar[str] = "tokens"
    open = _Open()  # type: ignore[assignment]

    @cached_property
    def facts(self) -> dict[str, Any]:
        return dict(read_json(self.path / FACTS_FILE))

    @property
    def tokenizer_digest(self) -> str:
        """`Tokenizer.digest` of the tokenizer that made the tokens."""
        return str(self.facts["tokenizer"]["digest"])

    def splits(self) -> list[str]:
        return list(self.facts["splits"])

    def split(self, name: str = "train") -> TokenFile:
        """Map one split. Raises InputError if there is none of that name, or the file is cut off."""
        if name not in self.facts["splits"]:
            raise unknown_key(str(self.path), name, self.facts["splits"], "split")
        place = self.facts["splits"][name]
        first, number = place["first_document"], place["documents"]
        table = self._table(["offset", "length", "bytes"]).slice(first, number)
        # `to_numpy` imports pandas where that is installed, half a second of each start
        offset_D, length_D, bytes_D = (np.from_dlpack(column.combine_chunks()) for column in table.columns)
        start, length = place["first_token"], place["tokens"]
        return TokenFile(
            self._map()[start : start + length],
            offset_D - start,
            length_D,
            bytes_D,
            _Column(self, "id", first, number),
            _Column(self, "domain", first, number),
            self.tokenizer_digest,
            self.facts["vocabulary"],
            Metadata(self, name),
        )

    def _map(self) -> np.ndarray:
        path = self.path / TOKENS_FILE
        dtype = np.dtype(self.facts["dtype"])
        wanted = self.facts["tokens"] * dtype.itemsize
        if not path.is_file() or path.stat().st_size != wanted:
            raise InputError(str(path), f"does not have its {wanted} bytes", fix="run the step again with --rebuild")
        return np.memmap(path, dtype=dtype, mode="r") if wanted else np.empty(0, dtype=dtype)

    def _table(self, columns: list[str]) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetFile(self.path / DOCUMENTS_FILE).read(columns)


class _Column(Sequence[str]):
    """A column of strings that is read when it is first asked for: ids are wanted for messages only."""

    def __init__(self, tokens: Tokens, name: str, first: int, number: int) -> None:
        self._tokens, self._name, self._first, self._number = tokens, name, first, number

    @cached_property
    def _array(self) -> Any:
        table = self._tokens._table([self._name])
        return table[self._name].slice(self._first, self._number)

    def __len__(self) -> int:
        return self._number

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [text or "" for text in self._array.to_pylist()[index]]
        if not -self._number <= index < self._number:
            raise IndexError(index)
        return str(self._array[int(index) % self._number].as_py() or "")


def check_tokenizer(
    tokens: Tokens | TokenFile, tokenizer: Tokenizer, *, allow: bool = False, key: str = "data"
) -> None:
    """Refuse tokens that another tokenizer made; `allow` is the caller's override, a parameter `allow_tokenizer`.

    What is compared is the contents of tokenizer.json, so a model's copy of the tokenizer passes.
    """
    made_by = tokens.tokenizer_digest if isinstance(tokens, Tokens) else tokens.tokenizer
    if allow or not made_by or made_by == tokenizer.digest:
        return
    raise InputError(
        key,
        f"the tokens were made by another tokenizer ({made_by[:12]}) than {tokenizer.path} ({tokenizer.digest[:12]})",
        value=str(tokens.path) if isinstance(tokens, Tokens) else None,
        fix="tokenize the corpus with this tokenizer (name the corpus in place of the tokens), "
        "or set allow_tokenizer: true if the ids mean the same",
    )
