"""`tokenizer.json` as data: its vocabulary made larger or smaller, and the folder written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.core.errors import InputError
from seedbed.core.files import read_json, write_json
from seedbed.vocabulary.artifact import CONFIG_FILE, SPECIALS_FILE, TOKENIZER_FILE, Tokenizer

if TYPE_CHECKING:
    import tokenizers

Description = dict[str, Any]
KINDS = ("BPE", "WordPiece", "Unigram")
NEVER = -1000.0  # the score of what stands in Unigram's list and must not be found in text
_STALE = ("added_tokens_decoder", "auto_map")  # ids that were, and code that would build something else


def read(tokenizer: Tokenizer, key: str) -> Description:
    """The description, with every added token in the model's own vocabulary, so that ids stay whatever is added after
    them. Raises InputError for models other than KINDS."""
    description: Description = dict(read_json(tokenizer.path / TOKENIZER_FILE))
    model = description["model"]
    model.setdefault("type", "WordPiece" if model.get("continuing_subword_prefix") == "##" else "BPE")
    if model["type"] not in KINDS:
        raise InputError(key, "its vocabulary cannot be changed piece by piece", value=model["type"], allowed=KINDS)
    if model["type"] == "BPE" and model.get("continuing_subword_prefix"):
        raise InputError(key, "merges with a prefix for what continues a word are not supported", value=model["type"])
    added = {entry["content"]: entry["id"] for entry in description.get("added_tokens") or []}
    if isinstance(model["vocab"], dict):
        model["vocab"] = {**model["vocab"], **added}
        return description
    pieces = [tuple(piece) for piece in model["vocab"]]
    for token, index in sorted(added.items(), key=lambda item: item[1]):
        if index == len(pieces):
            pieces.append((token, NEVER))
        if not (index < len(pieces) and pieces[index][0] == token):
            raise InputError(key, f"the id {index} of '{token}' does not fit its vocabulary", value=str(tokenizer.path))
    model["vocab"] = pieces
    return description


def vocabulary(description: Description) -> dict[str, int]:
    """Tokens and ids."""
    found = description["model"]["vocab"]
    return dict(found) if isinstance(found, dict) else {piece: index for index, (piece, _) in enumerate(found)}


def merges(description: Description) -> list[tuple[str, str]]:
    """BPE's merges in order; older files have them as one string."""
    found = description["model"]["merges"]
    pairs = (pair.split(" ", 1) if isinstance(pair, str) else pair for pair in found)
    return [(left, right) for left, right in pairs]


def extended(
    description: Description, pieces: Mapping[str, float], joined: Sequence[tuple[str, str]] = ()
) -> Description:
    """With new pieces (and their scores, of which only Unigram knows) after all that there are, and merges likewise."""
    model = dict(description["model"])
    if isinstance(model["vocab"], dict):
        first = max(model["vocab"].values()) + 1
        model["vocab"] = {**model["vocab"], **{piece: first + index for index, piece in enumerate(pieces)}}
    else:
        model["vocab"] = [*model["vocab"], *pieces.items()]
    if model["type"] == "BPE":
        model["merges"] = [list(pair) for pair in (*merges(description), *joined)]
    return {**description, "model": model}


def reduced(description: Description, kept: Sequence[int], joined: Sequence[tuple[str, str]] = ()) -> Description:
    """With the tokens of these ids alone, renumbered in their order, and with these merges."""
    place = {index: number for number, index in enumerate(kept)}
    model = dict(description["model"])
    if isinstance(model["vocab"], dict):
        by_place = sorted((place[index], token) for token, index in model["vocab"].items() if index in place)
        model["vocab"] = {token: number for number, token in by_place}
    else:
        model["vocab"] = [model["vocab"][index] for index in kept]
    if model.get("unk_id") is not None:
        model["unk_id"] = place[model["unk_id"]]
    if model["type"] == "BPE":
        model["merges"] = [list(pair) for pair in joined]
    added = [{**entry, "id": place[entry["id"]]} for entry in description.get("added_tokens") or []]
    processor = _renumbered(description.get("post_processor"), place)
    return {**description, "model": model, "added_tokens": added, "post_processor": processor}


def build(description: Description) -> tokenizers.Tokenizer:
    """The tokenizer, without truncation and padding."""
    from tokenizers import Tokenizer as Fast

    fast = Fast.from_str(json.dumps({**description, "truncation": None, "padding": None}))
    assert fast.get_vocab(with_added_tokens=True) == vocabulary(description)
    return fast


def write(source: Tokenizer, description: Description, folder: Path) -> None:
    """A folder like the source's, with this description. What would build the tokenizer anew from other files, or by
    another class, is left out, so that `AutoTokenizer` reads `tokenizer.json`."""
    write_json(folder / TOKENIZER_FILE, description)
    configuration: dict[str, Any] = {}
    if (source.path / CONFIG_FILE).is_file():
        configuration = {k: v for k, v in read_json(source.path / CONFIG_FILE).items() if k not in _STALE}
    configuration["tokenizer_class"] = "PreTrainedTokenizerFast"
    known = source.vocabulary()
    for role in ("pad", "unk", "cls", "sep", "mask", "bos", "eos"):  # roles that only the class knew are written down
        index = getattr(known, role)
        if index is not None:
            configuration.setdefault(f"{role}_token", known.tokens[index])
    write_json(folder / CONFIG_FILE, configuration)
    if (source.path / SPECIALS_FILE).is_file():
        write_json(folder / SPECIALS_FILE, read_json(source.path / SPECIALS_FILE))


def _renumbered(part: Any, place: Mapping[int, int]) -> Any:
    """A post-processor with new ids: templates list them by token, BERT's and RoBERTa's beside `cls` and `sep`."""
    if isinstance(part, list):
        return [_renumbered(item, place) for item in part]
    if not isinstance(part, dict):
        return part
    found = {name: _renumbered(value, place) for name, value in part.items()}
    if part.get("type") in ("BertProcessing", "RobertaProcessing"):
        return {**found, **{name: [part[name][0], place[part[name][1]]] for name in ("cls", "sep")}}
    if isinstance(part.get("ids"), list):
        found["ids"] = [place[index] for index in part["ids"]]
    return found
