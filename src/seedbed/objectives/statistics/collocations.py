"""The step that finds phrases whose words belong together.

Shapes: T tokens, N n-grams, n words each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seedbed.core.checks import check_counts
from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step
from seedbed.corpus.artifact import Corpus
from seedbed.data.artifact import Tokens
from seedbed.objectives.artifact import LEXICON_FILE, Lexicon, write_table
from seedbed.objectives.ngrams import LONGEST, Words, token_numbers
from seedbed.objectives.statistics.text import Text, open_files, texts, tokenized
from seedbed.vocabulary.artifact import Tokenizer

if TYPE_CHECKING:
    from seedbed.data.artifact import TokenFile
    from seedbed.objectives.statistics.counting import Ngrams
    from seedbed.vocabulary.artifact import Vocabulary


@step("find_collocations", gives=Lexicon, papers=["360"])
def find_collocations(
    context: StepContext,
    *,
    data: list[Tokens | Corpus],
    tokenizer: Tokenizer,
    measure: Literal["pmi", "frequent_pmi", "t_test"] = "pmi",
    longest: int = 5,
    min_count: int = 10,
    size: int = 10_000,
) -> None:
    """The phrases of 2 to `longest` words that are most of a unit, for the mask `ngrams`.

    data: corpora or their tokens, of which the training split counts. A phrase occurs `min_count` times or more, each
    within a document. measure: `pmi` (Levine et al., 2021, equation 3), `frequent_pmi` (what the lists that its
    authors have released are made by), or `t_test` (as in ERNIE-Gram, Xiao et al., 2021; the form of the test is ours).
    Each length has a list of its own: half of `size` are of two words, a quarter of three, and so on, and the last two
    lengths have equal parts, as in PMI-Masking, which takes 800,000. Phrases that are no more frequent than by chance
    are left out, so there may be fewer. Words are those of the tokenizer: punctuation is a word by itself, or part of
    the word before.

    Memory: 4 bytes for each of four times the tokens, at most 256 MB, and 40 bytes for each n-gram that occurs often;
    two passes over the tokens.
    """
    from seedbed.objectives.statistics.counting import count_ngrams

    check_counts(longest=longest, min_count=min_count, size=size)
    if not 2 <= longest <= LONGEST:
        raise InputError("longest", f"must lie between 2 and {LONGEST}", value=longest)
    files = open_files(data, tokenizer)  # type: ignore[arg-type]  # `tokenized` has turned every corpus into tokens
    vocabulary = tokenizer.vocabulary()

    def read() -> Iterator[tuple[int, Text]]:
        for number, file in enumerate(files):
            for text in texts(file, vocabulary):
                yield number, text

    num_tokens = sum(file.num_tokens for file in files)
    number_V = token_numbers(vocabulary.size)
    found = count_ngrams(read, num_tokens, number_V, longest, min_count)
    load = tokenizer.load()
    columns: dict[str, list[Any]] = {name: [] for name in ("pieces", "text", "words", "count", "score")}
    for n in range(2, longest + 1):
        share = 2.0 ** -(n - 1 if n < longest else n - 2)
        for index, score, ids in _best(found, files, vocabulary, number_V, n, measure, round(size * share)):
            row = ([vocabulary.tokens[i] for i in ids], load.decode(ids), n, int(found.count_N[index]), score)
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    if not columns["pieces"]:
        raise InputError("data", f"holds no phrase {min_count} times that is more frequent than by chance")
    write_table(context.folder / LEXICON_FILE, columns)
    context.counts.update(phrases=len(columns["pieces"]), tokens=num_tokens)
    context.say(f"{len(columns['pieces']):,} phrases, such as {columns['text'][:5]}")


find_collocations.prepare(tokenized)


def _best(
    found: Ngrams,
    files: list[TokenFile],
    vocabulary: Vocabulary,
    number_V: np.ndarray,
    n: int,
    measure: str,
    limit: int,
) -> Iterator[tuple[int, float, list[int]]]:
    """The best n-grams of n words: index, score, ids."""
    from seedbed.objectives.statistics.association import scores

    index_N = np.flatnonzero(found.words_N == n)
    if not len(index_N):
        return
    where = zip(found.file_N[index_N], found.place_N[index_N], found.size_N[index_N], strict=True)
    ids = [files[file].tokens[place : place + size].astype(np.int64) for file, place, size in where]
    tokens_T = np.concatenate(ids)
    breaks_T = np.zeros(len(tokens_T), dtype=bool)
    breaks_T[np.cumsum(found.size_N[index_N]) - found.size_N[index_N]] = True
    words = Words.of(tokens_T, breaks_T | vocabulary.word_start_V[tokens_T], breaks_T, number_V)
    score_N = scores(measure, words.number_W.reshape(-1, n), found)
    more_N = score_N > (-np.inf if measure == "frequent_pmi" else 0)
    order = np.lexsort((found.number_N[index_N], -found.count_N[index_N], -score_N))
    for chosen in order[more_N[order]][:limit]:
        yield int(index_N[chosen]), float(score_N[chosen]), ids[chosen].tolist()
