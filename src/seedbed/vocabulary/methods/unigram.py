"""The unigram language model, trained by sentencepiece."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from seedbed.core.errors import InputError
from seedbed.vocabulary import algorithms
from seedbed.vocabulary.counts import WordCounts, count_words

SPACE = "\u2581"
_CHUNK = 1 << 14  # characters; sentencepiece leaves out longer lines without a word
# Results depend on this number (each thread sums its share of the expectations), so it is not the machine's.
_THREADS = 16
# Special tokens and bytes ("<0x0A>") stand in the list that text is matched with, and the same characters in a text
# must not become them: with this score they are never the best path, as their characters have pieces of their own.
_NEVER = -1000.0
_BYTE_NAMES = "<0x>123456789ABCDEF"
_KEPT = ("\n", "\t")
_APART, _ALL_APART = re.compile("[\n\t]"), re.compile("[\n\t ]")


Spaces = Literal["before", "apart", "dropped"]


@algorithms.register("unigram", papers=["065"], version=2)
def unigram(
    texts: Iterable[str] | WordCounts,
    size: int,
    specials: Sequence[str],
    *,
    character_coverage: float = 0.9995,
    split_digits: bool = False,
    max_piece_length: int = 16,
    spaces: Spaces = "before",
) -> Any:
    """Unigram tokenization (Kudo, 2018) by sentencepiece's trainer, converted to the `tokenizers` library, which
    then cuts text into the same pieces as sentencepiece would.

    Nothing is normalized, runs of spaces may be pieces, newline and tab are tokens, and a character that the
    vocabulary lacks becomes its bytes; so every text comes back exactly, but for U+2581, which sentencepiece uses
    as its mark for a space. `character_coverage` is the share of characters that get a piece.

    `spaces: apart` makes each space a token, which no piece contains: for Thai and others that set spaces between
    phrases, not words (Lowphansirikul et al., 2021, who write them as `<_>` before they train). Left with `before` they
    go with what follows, so that a word has other pieces after a space than within a phrase. `dropped` takes them out
    of every text, to see what they are worth; such text does not come back.

    The trainer is given words and how often they occur, which its expectations and its pruning know how to use; only
    the first list of candidates is made from words as if each came twice. On 2.4 MB of textbooks and 4,096 pieces that
    gave 3.323 bytes a token on held-out text, and training from the text 3.322.
    """
    model = _train(
        _lines(count_words(texts), spaces),
        vocab_size=size - len(set(specials) | {_unknown(specials)}) + 1,
        required_chars="".join(sorted(set("".join([*specials, _unknown(specials), _BYTE_NAMES, SPACE])))),
        character_coverage=character_coverage,
        split_digits=split_digits,
        max_sentencepiece_length=max_piece_length,
    )
    return convert(model, specials, spaces)


def convert(model: bytes, specials: Sequence[str], spaces: Spaces = "before") -> Any:
    """A sentencepiece unigram model (trained as above) as a `tokenizers.Tokenizer`, special tokens first."""
    from sentencepiece import SentencePieceProcessor
    from tokenizers import Tokenizer, models

    processor = SentencePieceProcessor(model_proto=model)
    unknown = _unknown(specials)
    first = list(dict.fromkeys([*specials, unknown]))
    pieces = [(token, _NEVER) for token in first]
    for index in range(processor.vocab_size()):
        if not processor.is_unknown(index):
            score = _NEVER if processor.is_byte(index) else float(processor.get_score(index))
            pieces.append((processor.id_to_piece(index), score))
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=first.index(unknown), byte_fallback=True))
    _cut_spaces(tokenizer, spaces)
    return tokenizer


def _cut_spaces(tokenizer: Any, spaces: Spaces) -> None:
    """The steps before and after the pieces."""
    from tokenizers import Regex, decoders, normalizers, pre_tokenizers

    mark = normalizers.Replace(" ", "" if spaces == "dropped" else SPACE)
    # Always one space in front, even before a space: the decoder takes exactly one away.
    in_front = [normalizers.Prepend(SPACE)] if spaces == "before" else []
    tokenizer.normalizer = normalizers.Sequence([*in_front, mark])
    # No piece has a space after another character, so cutting there changes nothing and keeps the lattice short.
    pattern = f"{SPACE}*[^{SPACE}]*" if spaces == "before" else f"{SPACE}|[^{SPACE}]+"
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    taken = [decoders.Strip(" ", 1, 0)] if spaces == "before" else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *taken]
    )


def _train(lines: Iterator[str], **options: Any) -> bytes:
    from sentencepiece import SentencePieceTrainer

    written = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=lines,
            input_format="tsv",
            model_writer=written,
            model_type="unigram",
            byte_fallback=True,
            normalization_rule_name="identity",
            add_dummy_prefix=False,  # words come with the space before them
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            user_defined_symbols=list(_KEPT),
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            hard_vocab_limit=False,  # too little text gives fewer pieces, which the step reports
            max_sentence_length=4 * _CHUNK + 32,
            num_threads=_THREADS,
            minloglevel=2,
            **options,
        )
    except (RuntimeError, OSError) as error:
        reason = str(error).rsplit("] ", 1)[-1]
        raise InputError("algorithm.unigram", f"sentencepiece: {reason}", fix="a larger size, or more text") from None
    return written.getvalue()


def _lines(counts: WordCounts, spaces: Spaces) -> Iterator[str]:
    """Words with the spaces before them, a tab, and counts; newlines and tabs are tokens by themselves."""
    apart = _APART if spaces == "before" else _ALL_APART
    for word, count in counts.pieces(lambda word: filter(None, apart.split(word)), last=True).items():
        yield f"{word[:_CHUNK]}\t{count}"


def _unknown(specials: Sequence[str]) -> str:
    return next((token for token in specials if "unk" in token.lower()), "<unk>")
