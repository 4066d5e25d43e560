"""Folders as others publish them: small models of transformers' classes, with the tokenizers of these classes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "initializer_range": 0.2,  # large, so that a mistake shows
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def made_texts(seed: int = 0, letters: str = "abdegiklmnorst", number: int = 60) -> list[str]:
    """Sentences of made-up words."""
    dice = random.Random(f"{seed} {letters}")
    words = ["".join(dice.choices(letters, k=dice.randrange(2, 7))) for _ in range(50)]
    return [" ".join(dice.choices(words, k=dice.randrange(6, 24))).capitalize() + "." for _ in range(number)]


def byte_level(texts: list[str], size: int, first: list[str], last: list[str]) -> tuple[dict[str, int], list[Any]]:
    """The vocabulary and merges of a byte-level BPE, with special tokens before and behind the others."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    options: dict[str, Any] = {"vocab_size": size - len(last), "special_tokens": first, "show_progress": False}
    fast.train_from_iterator(texts, trainers.BpeTrainer(initial_alphabet=alphabet, **options))
    model = json.loads(fast.to_str())["model"]
    vocabulary = {**model["vocab"], **{name: len(model["vocab"]) + place for place, name in enumerate(last)}}
    return vocabulary, [tuple(merge) for merge in model["merges"]]


def save_tokenizer(kind: str, folder: Path, texts: list[str], size: int = 330) -> Any:
    """By the class's own tokenizer: RoBERTa's begins with four special tokens and ends with the mask, GPT-2's has one
    special token, at its end, and BERT's are words and pieces behind five special tokens."""
    import transformers

    if kind == "roberta":
        found = byte_level(texts, size, ["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"])
        mask = transformers.AddedToken("<mask>", lstrip=True, special=True)
        made: Any = transformers.RobertaTokenizer(*found, mask_token=mask)
    elif kind == "gpt2":
        made = transformers.GPT2Tokenizer(*byte_level(texts, size, [], ["<|endoftext|>"]))
    else:
        letters = sorted(set("".join(texts).lower()) - {" "})
        words = sorted({word for text in texts for word in text.lower().strip(".").split()})
        pieces = [*letters, *(f"##{letter}" for letter in letters), *(word for word in words if len(word) > 1)]
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        made = transformers.BertTokenizer({token: place for place, token in enumerate([*special, *pieces])})
    made.save_pretrained(folder)
    return made


def save_shuffled(source: Path, folder: Path, seed: int = 0) -> None:
    """A folder's tokenizer with other ids, special tokens' too."""
    description = json.loads((source / "tokenizer.json").read_text())
    vocabulary = description["model"]["vocab"]
    order = list(range(len(vocabulary)))
    random.Random(seed).shuffle(order)
    description["model"]["vocab"] = {token: order[index] for token, index in vocabulary.items()}
    for entry in description["added_tokens"]:
        entry["id"] = order[entry["id"]]
    processor = description["post_processor"]
    for role in {"cls", "sep"} & processor.keys():
        processor[role][1] = order[processor[role][1]]
    for entry in processor.get("special_tokens", {}).values():
        entry["ids"] = [order[index] for index in entry["ids"]]
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(json.dumps(description))
    (folder / "tokenizer_config.json").write_bytes((source / "tokenizer_config.json").read_bytes())


def save_foreign(kind: str, folder: Path, texts: list[str], size: int = 330, **options: Any) -> Any:
    """A model of the class "bert", "roberta" or "gpt2" with random weights, norms and biases too, and its tokenizer in
    the same folder."""
    import torch
    import transformers

    tokenizer = save_tokenizer(kind, folder, texts, size)
    torch.manual_seed(3)
    if kind == "gpt2":
        sizes = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 48, "initializer_range": 0.2}
        ends = {"bos_token_id": len(tokenizer) - 1, "eos_token_id": len(tokenizer) - 1}
        dropouts = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        config: Any = transformers.GPT2Config(**{"vocab_size": len(tokenizer), **sizes, **ends, **dropouts, **options})
        model: Any = transformers.GPT2LMHeadModel(config)
    elif kind == "roberta":
        own = {"max_position_embeddings": 50, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
        model = transformers.RobertaForMaskedLM(
            transformers.RobertaConfig(**{"vocab_size": len(tokenizer), **SIZES, **own, **options})
        )
    else:
        own = {"max_position_embeddings": 48}
        model = transformers.BertForMaskedLM(
            transformers.BertConfig(**{"vocab_size": len(tokenizer), **SIZES, **own, **options})
        )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    model.eval().save_pretrained(folder)
    return model
