"""The step that finds words which say something, without a tagger.

Shapes: T tokens, N n-grams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from seedbed.core.checks import check_counts
from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.data.artifact import Tokens
from seedbed.objectives.artifact import LEXICON_FILE, Lexicon, write_table
from seedbed.objectives.ngrams import LONGEST, token_numbers
from seedbed.objectives.statistics.text import Text, open_files, texts, tokenized
from seedbed.vocabulary.artifact import Tokenizer


@step("find_content_words", gives=Lexicon, papers=["380"])
def find_content_words(
    context: StepContext,
    *,
    data: list[Tokens | Corpus],
    tokenizer: Tokenizer,
    common: int = 100,
    longest: int = 3,
    min_count: int = 1,
) -> None:
    """Words that are not among the most frequent ones, and names of several words: what stands in for a tagger's nouns,
    verbs and named entities where a language has no tagger, for the mask `entities`. Linguistic entity masking
    (Fernando and Ranathunga, 2025) has taggers for English, Sinhala and Tamil; to leave out the most frequent words
    in their stead is ours, and adjectives and adverbs come along.

    data: corpora or their tokens, of which the training split counts; give several languages as corpora of their own,
    since `common` counts in each. common: how many of the most frequent words are left out, upper and lower case and
    marks beside a word not told apart. longest: words of a name, all of them with a capital and none of them common.
    min_count: how often a form is there. Words are those of the tokenizer; a form with a mark is a form of its own.
    What has no letter is left out.
    """
    from seedbed.objectives.statistics.counting import count_ngrams

    check_counts(longest=longest, min_count=min_count)
    if common < 0:
        raise InputError("common", "must not be negative", value=common)
    if longest > LONGEST:
        raise InputError("longest", f"must not be above {LONGEST}", value=longest)
    files = open_files(data, tokenizer)  # type: ignore[arg-type]  # `tokenized` has turned every corpus into tokens
    vocabulary, load = tokenizer.vocabulary(), tokenizer.load()
    columns: dict[str, list[Any]] = {name: [] for name in ("pieces", "text", "words", "count", "score")}
    known = set[tuple[int, ...]]()
    for file in files:

        def read(file: Any = file) -> Iterator[tuple[int, Text]]:
            for text in texts(file, vocabulary):
                yield 0, text

        found = count_ngrams(read, file.num_tokens, token_numbers(vocabulary.size), longest, min_count)
        where = zip(found.place_N, found.size_N, strict=True)
        ids_N = [tuple(file.tokens[place : place + size].tolist()) for place, size in where]
        text_N = [load.decode(list(ids)) for ids in ids_N]
        left_out = _most_frequent(text_N, found.words_N, found.count_N, common)
        for index in np.argsort(-found.count_N, kind="stable"):
            n, ids = int(found.words_N[index]), ids_N[index]
            if ids not in known and _says_something(text_N[index], n, left_out):
                known.add(ids)
                count = int(found.count_N[index])
                score = float(np.log(found.places[n] / count))
                row = ([vocabulary.tokens[i] for i in ids], text_N[index], n, count, score)
                for name, value in zip(columns, row, strict=True):
                    columns[name].append(value)
    if not columns["pieces"]:
        raise InputError("data", f"holds no word beside the {common} most frequent ones", fix="a smaller `common`")
    write_table(context.folder / LEXICON_FILE, columns)
    names = sum(n > 1 for n in columns["words"])
    context.counts.update(phrases=len(columns["pieces"]), names=names)
    context.say(f"{len(columns['pieces']) - names:,} words and {names:,} names, such as {columns['text'][:5]}")


find_content_words.prepare(tokenized)


def _bare(word: str) -> str:
    """A word in lower case, without what is no letter or digit at its ends."""
    begin, end = 0, len(word)
    while begin < end and not word[begin].isalnum():
        begin += 1
    while end > begin and not word[end - 1].isalnum():
        end -= 1
    return word[begin:end].lower()


def _most_frequent(text_N: list[str], words_N: np.ndarray, count_N: np.ndarray, common: int) -> set[str]:
    """The bare forms of the most frequent words that have a letter."""
    counts = Counter[str]()
    for text, n, count in zip(text_N, words_N, count_N, strict=True):
        bare = _bare(text.strip())
        if n == 1 and any(map(str.isalpha, bare)):
            counts[bare] += int(count)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return {word for word, _ in ranked[:common]}


def _says_something(text: str, n: int, left_out: set[str]) -> bool:
    """Whether one word has a letter and is not left out; whether several are a name."""
    words = text.split()
    bare = [_bare(word) for word in words]
    if any(word in left_out or not any(map(str.isalpha, word)) for word in bare):
        return False
    if n == 1:
        return len(words) == 1
    inside_a_sentence = all(word[-1].isalnum() for word in words[:-1])
    return len(words) == n and inside_a_sentence and all(word[0].isupper() for word in words)
