"""Which token of a tokenizer pads, masks, begins, ends.

Folders say it in their configuration; older ones leave it to defaults of transformers' classes, so a role that no
file mentions is looked for in the post-processor and among the usual names.
"""

from __future__ import annotations

from typing import Any

from seedbed.core.errors import InputError

ROLES = ("pad", "unk", "cls", "sep", "mask", "bos", "eos")

_USUAL = {
    "pad": ("[PAD]", "<pad>", "<|padding|>", "<|pad|>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]",),
    "sep": ("[SEP]",),
    "mask": ("[MASK]", "<mask>"),
    "bos": ("<s>", "<bos>", "<|begin_of_text|>"),
    "eos": ("</s>", "<eos>", "<|endoftext|>", "<|end_of_text|>"),
}
_PROCESSORS = ("BertProcessing", "RobertaProcessing")


def special_ids(
    description: dict[str, Any], configuration: dict[str, Any], ids: dict[str, int], place: str
) -> dict[str, int | None]:
    """The id of each role, None where there is none. Raises InputError if the configuration names a token that the
    vocabulary lacks."""
    processor = description.get("post_processor") or {}
    special = {entry["content"] for entry in description.get("added_tokens") or [] if entry.get("special")}
    found: dict[str, int | None] = {}
    for role in ROLES:
        name = f"{role}_token"
        if name in configuration:
            token = configuration[name]
            token = token.get("content") if isinstance(token, dict) else token
            if token is not None and token not in ids:
                raise InputError(
                    f"{place}: {name}", "stands in the configuration but not in the vocabulary", value=token
                )
            found[role] = None if token is None else ids[token]
        elif role in ("cls", "sep") and processor.get("type") in _PROCESSORS:
            found[role] = int(processor[role][1])
        else:
            found[role] = next((ids[token] for token in _USUAL[role] if token in special and token in ids), None)
    return found
