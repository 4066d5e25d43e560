"""A tokenizer: a Hugging Face folder with `tokenizer.json`, made here or anywhere else.

Shape: V the size of the vocabulary.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from seedbed.core.artifact import MANIFEST, Artifact
from seedbed.core.errors import InputError
from seedbed.core.files import read_json
from seedbed.core.fingerprint import digest, files_digest

from .roles import special_ids
from .words import word_starts

if TYPE_CHECKING:
    import tokenizers

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
SPECIALS_FILE = "special_tokens_map.json"
SENTINELS = [f"<extra_id_{number}>" for number in range(100)]  # T5's tokens that stand for spans
FILES = (TOKENIZER_FILE, CONFIG_FILE, SPECIALS_FILE)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """What objectives and networks know of a tokenizer. Ids are None where the tokenizer has no such token."""

    size: int  # the largest id and one
    pad: int | None
    unk: int | None
    cls: int | None
    sep: int | None
    mask: int | None
    bos: int | None
    eos: int | None
    tokens: list[str]  # by id; "" where no token has the id
    special_V: np.ndarray  # bool: control tokens, and ids without a token
    word_start_V: np.ndarray  # bool: the token begins a word; see `words.word_starts`

    @property
    def sentinels(self) -> tuple[int, ...]:
        """The tokens that stand for spans, in order, as far as it has them."""
        places = {token: index for index, token in enumerate(self.tokens)}
        return tuple(places[token] for token in itertools.takewhile(places.__contains__, SENTINELS))

    @property
    def is_causal(self) -> bool:
        """Made for a decoder: it knows an end of text, and neither masks nor classifies."""
        return self.eos is not None and self.mask is None and self.cls is None


class Tokenizer(Artifact):
    """`tokenizer.json` (the `tokenizers` library), `tokenizer_config.json` and `special_tokens_map.json`.

    Foreign folders that hold `tokenizer.json` are accepted, a model's among them; what its special tokens are is
    read from the configuration files, else from the post-processor and the usual names.
    """

    kind: ClassVar[str] = "tokenizer"

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a tokenizer's or a model's folder; InputError if it holds no tokenizer."""
        artifact = cls(path)
        if artifact.manifest is not None and artifact.manifest["kind"] == "model":
            if not (artifact.path / TOKENIZER_FILE).is_file():
                raise InputError(str(path), f"the model's folder has no {TOKENIZER_FILE}")
            return artifact
        return super().open(path)

    @classmethod
    def foreign_problem(cls, folder: Path) -> str | None:
        if (folder / TOKENIZER_FILE).is_file():
            return None
        slow = [
            name for name in ("vocab.txt", "vocab.json", "tokenizer.model", "spiece.model") if (folder / name).exists()
        ]
        if slow:
            return (
                f"has {slow[0]} but no {TOKENIZER_FILE}; convert it once with "
                "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) of transformers"
            )
        return f"holds no tokenizer: neither {MANIFEST} nor {TOKENIZER_FILE}"

    @cached_property
    def fingerprint(self) -> str:
        """Of an artifact of the store, the step's; of a foreign folder, the hash of the tokenizer's own files."""
        if self.manifest is not None and self.manifest["kind"] == self.kind:
            return str(self.manifest["fingerprint"])
        return files_digest([self.path / name for name in FILES if (self.path / name).is_file()], self.path)

    @cached_property
    def digest(self) -> str:
        """The hash of what decides which ids a text becomes; a copy in a model's folder has the same one."""
        return digest({key: value for key, value in self._description.items() if key not in ("truncation", "padding")})

    def load(self) -> tokenizers.Tokenizer:
        """The tokenizer, without truncation and padding; a new object, so that a caller may change its settings."""
        from tokenizers import Tokenizer as Fast

        try:
            tokenizer = Fast.from_file(str(self.path / TOKENIZER_FILE))
        except Exception as error:  # the library raises bare Exception
            raise InputError(str(self.path / TOKENIZER_FILE), f"is not a tokenizer: {error}") from None
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @property
    def known(self) -> dict[str, Any]:
        """With the `size`."""
        counts = self.counts
        return counts if "size" in counts else {**counts, "size": self.vocabulary().size}

    def vocabulary(self) -> Vocabulary:
        """Size, special tokens and word starts."""
        return self._vocabulary

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        ids = self.load().get_vocab(with_added_tokens=True)
        if not ids:
            raise InputError(str(self.path / TOKENIZER_FILE), "has an empty vocabulary")
        size = max(ids.values()) + 1
        tokens = [""] * size
        for token, index in ids.items():
            tokens[index] = token
        roles = special_ids(self._description, self._configuration, ids, str(self.path))
        special_V = np.ones(size, dtype=bool)
        special_V[list(ids.values())] = False
        added = self._description.get("added_tokens") or []
        special_V[[entry["id"] for entry in added if entry.get("special")]] = True
        special_V[[index for index in roles.values() if index is not None]] = True
        word_start_V = word_starts(self._description, tokens) | special_V
        special_V.flags.writeable = word_start_V.flags.writeable = False
        return Vocabulary(size=size, **roles, tokens=tokens, special_V=special_V, word_start_V=word_start_V)

    @cached_property
    def _description(self) -> dict[str, Any]:
        found = _read(self.path / TOKENIZER_FILE)
        if not isinstance(found.get("model"), dict):
            raise InputError(str(self.path / TOKENIZER_FILE), "is not a tokenizer: it has no model")
        return found

    @property
    def _configuration(self) -> dict[str, Any]:
        """Both configuration files; what tokenizer_config.json says wins."""
        paths = [self.path / SPECIALS_FILE, self.path / CONFIG_FILE]
        found: dict[str, Any] = {}
        for path in paths:
            if path.is_file():
                found.update(_read(path))
        return found


def _read(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
    except FileNotFoundError:
        raise InputError(str(path), "is missing") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(str(path), "is not a JSON object")
    return found
