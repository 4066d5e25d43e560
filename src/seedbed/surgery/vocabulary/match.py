"""Which old token a new one is: by special role, and by surface.

Shapes: V tokens of the old vocabulary, N of the new one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.files import read_json
from seedbed.vocabulary.artifact import TOKENIZER_FILE
from seedbed.vocabulary.roles import ROLES
from seedbed.vocabulary.surfaces import notation, surfaces

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Tokenizer

# What begins or ends a text for a decoder does so for an encoder.
_LIKE = {"cls": "bos", "bos": "cls", "sep": "eos", "eos": "sep"}
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")


def same_tokens(old: Tokenizer, new: Tokenizer) -> np.ndarray:
    """(N) int64: the old id of each new token, -1 where there is none.

    Special tokens are the same if they have the same role (where the old tokenizer lacks the role: if one begins texts
    as the other, or ends them), or, without a role, the same name. Other tokens are the same if they have the same
    surface; where several old ones have it (a character, and its byte), the one that is written alike.
    """
    before, after = old.vocabulary(), new.vocabulary()
    same_N = np.full(after.size, -1, dtype=np.int64)
    special = {token: index for index, token in enumerate(before.tokens) if token and before.special_V[index]}
    plain = {token: index for index, token in enumerate(before.tokens) if token and not before.special_V[index]}
    known = by_surface(old)
    alike = _kind(old) == _kind(new)
    for index, (token, surface) in enumerate(zip(after.tokens, surfaces(new), strict=True)):
        if after.special_V[index]:
            same_N[index] = special.get(token, -1) if token else -1
        elif token:
            same_N[index] = plain[token] if alike and token in plain else known.get(surface, -1)
    for role in reversed(ROLES):  # of two roles of one token the first counts
        place = getattr(after, role)
        found = getattr(before, role)
        found = getattr(before, _LIKE[role]) if found is None and role in _LIKE else found
        if place is not None and found is not None:
            same_N[place] = found
    return same_N


def by_surface(tokenizer: Tokenizer) -> dict[str, int]:
    """The ids of ordinary tokens by their surface; of a character and its byte, the character."""
    found: dict[str, int] = {}
    vocabulary = tokenizer.vocabulary()
    for index, (token, surface) in enumerate(zip(vocabulary.tokens, surfaces(tokenizer), strict=True)):
        if surface and (not _BYTE.fullmatch(token) or surface not in found):
            found[surface] = index
    return found


def check_special(tokenizer: Tokenizer, key: str) -> None:
    """Raises InputError where special tokens clash: ids that the vocabulary gives to another token, and a mask that is
    something else as well."""
    description, fast, vocabulary = _described(tokenizer), tokenizer.load(), tokenizer.vocabulary()
    for entry in description.get("added_tokens") or []:
        actual = fast.token_to_id(entry["content"])
        if actual != entry["id"]:
            taken = next((token for token, i in description_vocabulary(description).items() if i == entry["id"]), None)
            raise InputError(
                f"{key}: {entry['content']}",
                f"special tokens clash: its id is {entry['id']}"
                + (f", which is that of '{taken}'" if taken else f", but the vocabulary makes it {actual}"),
                value=str(tokenizer.path),
                fix="give it an id of its own in tokenizer.json",
            )
    for role in ROLES:
        if role != "mask" and vocabulary.mask is not None and vocabulary.mask == getattr(vocabulary, role):
            raise InputError(
                f"{key}: {vocabulary.tokens[vocabulary.mask]}",
                f"special tokens clash: it is mask_token and {role}_token at once",
                value=str(tokenizer.path),
                fix="a mask token of its own",
            )


def description_vocabulary(description: dict[str, Any]) -> dict[str, int]:
    """The model's own tokens and ids in a `tokenizer.json`, added tokens aside."""
    found = description["model"]["vocab"]
    return dict(found) if isinstance(found, dict) else {piece: index for index, (piece, _) in enumerate(found)}


def _described(tokenizer: Tokenizer) -> dict[str, Any]:
    return dict(read_json(tokenizer.path / TOKENIZER_FILE))


def _kind(tokenizer: Tokenizer) -> str:
    return notation(_described(tokenizer)).kind
