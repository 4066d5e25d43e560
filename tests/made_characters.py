"""A vocabulary of characters, and tables of what they look and sound like."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from seedbed.core.source import Source
from seedbed.vocabulary.artifact import Tokenizer
from seedbed.vocabulary.save import SPECIALS, finish, write_folder


def character_tokenizer(folder: Path, tokens: list[str]) -> Tokenizer:
    """Five special tokens, and these: each a word of its own where white space stands between them."""
    from tokenizers import Tokenizer as Fast
    from tokenizers import models, pre_tokenizers

    folder.mkdir(parents=True)
    names = [*SPECIALS["encoder"].values(), *tokens]
    fast = Fast(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))
    fast.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    write_folder(folder, fast, finish(fast, "encoder"))
    return Tokenizer.open(folder)


def characters(number: int) -> list[str]:
    return [chr(0x4E00 + index) for index in range(number)]


def looks_and_sounds(tokens: list[str], rows: int = 3, columns: int = 4, seed: int = 0) -> dict[str, dict[str, str]]:
    """A bitmap and a syllable for each."""
    dice = random.Random(seed)
    glyphs = {one: "/".join("".join(dice.choices(".#", k=columns)) for _ in range(rows)) for one in tokens}
    sounds = {}
    for one in tokens:
        sounds[one] = dice.choice(["b", "zh", ""]) + dice.choice(["a", "ang", "uo"]) + str(dice.randrange(1, 5))
    return {"glyph": glyphs, "sound": sounds}


def written(path: Path, channel: str, values: dict[str, str]) -> Source:
    """A table as a file, in the format that its name asks for."""
    if path.suffix == ".jsonl":
        lines = [json.dumps({"token": token, channel: value}) for token, value in values.items()]
    else:
        lines = [f"{token}\t{value}" for token, value in values.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return Source(path)


def tables(folder: Path, tokens: list[str], **options: Any) -> dict[str, Source]:
    """The parameters `glyphs` and `sounds`."""
    made = looks_and_sounds(tokens, **options)
    return {f"{name}s": written(folder / f"{name}s.tsv", name, values) for name, values in made.items()}
