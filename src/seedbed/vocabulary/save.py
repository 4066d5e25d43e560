"""Writing a tokenizer's folder as transformers reads it, and the two styles of special tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.files import write_bytes, write_json

from .artifact import CONFIG_FILE, SPECIALS_FILE, TOKENIZER_FILE

if TYPE_CHECKING:
    import tokenizers

Style = Literal["encoder", "decoder"]
UNKNOWN = "<unk>"

SPECIALS: dict[Style, dict[str, str]] = {
    "encoder": {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"},
    "decoder": {"pad": "<pad>", "bos": "<s>", "eos": "</s>"},
}
_FRAMES: dict[Style, tuple[str, str]] = {"encoder": ("[CLS]", "[SEP]"), "decoder": ("<s>", "</s>")}


def finish(tokenizer: tokenizers.Tokenizer, style: Style) -> dict[str, str]:
    """Give a trained tokenizer its special tokens and post-processor; returns the roles' tokens.

    An encoder's text becomes `[CLS] text [SEP]`, a pair `[CLS] a [SEP] b [SEP]` with types 0 and 1; a decoder's
    becomes `<s> text </s>`.
    """
    from tokenizers import AddedToken, processors

    roles = dict(SPECIALS[style])
    if "unk" not in roles and tokenizer.token_to_id(UNKNOWN) is not None:
        roles["unk"] = UNKNOWN
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in roles.values()])
    first, last = _FRAMES[style]
    second = f"$B:1 {last}:1" if style == "encoder" else f"{first}:1 $B:1 {last}:1"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} {second}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (first, last)],
    )
    return roles


def write_folder(folder: Path, tokenizer: tokenizers.Tokenizer, roles: Mapping[str, str]) -> None:
    """Write what `AutoTokenizer.from_pretrained` loads as a PreTrainedTokenizerFast."""
    special = {f"{role}_token": token for role, token in roles.items()}
    configuration: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,  # decoding gives the text back
        "model_input_names": ["input_ids", "attention_mask"],
        **special,
    }
    write_bytes(folder / TOKENIZER_FILE, tokenizer.to_str(pretty=True).encode())
    write_json(folder / CONFIG_FILE, configuration)
    write_json(folder / SPECIALS_FILE, special)
