"""WordPiece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from seedbed.core.errors import InputError
from seedbed.vocabulary import algorithms

PREFIX = "##"


@algorithms.register("wordpiece", papers=["029"])
def wordpiece(
    texts: Sequence[str],
    size: int,
    specials: Sequence[str],
    *,
    lowercase: bool = False,
    min_frequency: int = 2,
    limit_alphabet: int = 1000,
) -> Any:
    """WordPiece as in BERT (Devlin et al., 2019): words split at white space and punctuation, then greedily into the
    longest known pieces; pieces within a word begin with "##".

    `lowercase` also strips accents, as BERT's uncased models do. The alphabet is cut at the `limit_alphabet` most
    frequent characters (at most a quarter of `size`); a word with any other character becomes the unknown token.
    White space is not kept: decoding gives words, not the text.

    Deviations: the pieces come from byte-pair merges (the most frequent pair first), as in the `tokenizers`
    library, where Schuster and Nakajima (2012) take the pair that raises the likelihood most. That library numbers
    "##" characters in the order of a hash table, so that two runs differ; here they are given to it in order.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    unknown = next((token for token in specials if "unk" in token.lower()), "<unk>")
    first = list(dict.fromkeys([*specials, unknown]))
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    splitter = pre_tokenizers.BertPreTokenizer()
    alphabet = _alphabet(texts, normalizer, min(limit_alphabet, size // 4))
    inner = [PREFIX + char for char in alphabet if len(splitter.pre_tokenize_str(char + char)) == 1]
    least = len(first) + len(alphabet) + len(inner)
    if size < least + 1:
        raise InputError("size", f"{least} tokens are needed for special tokens and characters", value=size)
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=[*first, *inner],  # in this order: see above
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        continuing_subword_prefix=PREFIX,
        show_progress=False,
    )
    trained = Tokenizer(models.WordPiece(unk_token=unknown))
    trained.normalizer, trained.pre_tokenizer = normalizer, splitter
    trained.train_from_iterator(texts, trainer, length=len(texts))
    tokenizer = Tokenizer(
        models.WordPiece(vocab=trained.get_vocab(), unk_token=unknown, continuing_subword_prefix=PREFIX)
    )
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.decoder = decoders.WordPiece(prefix=PREFIX, cleanup=False)
    return tokenizer


def _alphabet(texts: Sequence[str], normalizer: Any, limit: int) -> list[str]:
    """The most frequent characters after normalization, sorted; ties go to the smaller code point."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    folded: Counter[str] = Counter()
    for char, count in counts.items():
        for part in normalizer.normalize_str(char):
            folded[part] += count
    kept = sorted((char for char in folded if not char.isspace()), key=lambda char: (-folded[char], char))
    return sorted(kept[: max(1, limit)])
