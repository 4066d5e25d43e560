"""C4's rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.errors import InputError
from seedbed.corpus import curation
from seedbed.corpus.text.characters import Spans, Texts
from seedbed.corpus.text.lines import Edit, without
from seedbed.corpus.text.rules import Measured, Rule, tag
from seedbed.corpus.text.sentences import sentences

if TYPE_CHECKING:
    from daft import DataFrame

_POLICY = ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"]
_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_CITATION_BYTES = re.compile(rb"\[\d*\]|\[edit\]|\[citation needed\]")
_WHY = ["long word", "no end mark", "few words", "javascript", "policy"]


@curation.register("c4", papers=["326"], version=2)
class C4:
    """C4's rules (Raffel et al., 2020, section 2.2, and the code that made it): takes lines out of texts, and drops
    texts. Lines lose the white space around them, and `[1]`, `[edit]`, `[citation needed]`. Then, in this order, a line
    goes (each a column with the number of such lines):

    - `c4_long_word_lines`: a word of more than `max_word` characters (1,000)
    - `c4_unterminated_lines`: it ends with none of `terminal`, or with `...`; `need_terminal: false` switches it off
    - `c4_few_word_lines`: fewer than `min_words` words (5)
    - `c4_javascript_lines`: it has "javascript"
    - `c4_policy_lines`: it has one of `policy`, such as "privacy policy"

    And a text goes, if one of the lines that so far remained has

    - `c4_lorem_ipsum`: "lorem ipsum" (after the first three rules)
    - `c4_curly_bracket`: `{` (after the first four)
    - `c4_bad_words`: one of `bad_words` by itself (the list is the user's: none is shipped)

    or if what remains has fewer than `min_sentences` sentences: `c4_sentences` (3). The authors' code has 5 words and 3
    sentences, datatrove 3 and 5, and `'` among the terminal marks. Sentences are counted by end marks between words
    (`text/sentences.py`), not by a trained splitter. ASCII letters count in either case. The edits name the lines
    that went. Not here: the language (see `language`) and duplicate spans of three sentences. `drop: false` only adds
    the columns and leaves the texts alone.
    """

    def __init__(
        self,
        min_words: int = 5,
        min_sentences: int = 3,
        max_word: int = 1000,
        need_terminal: bool = True,
        terminal: str = '.?!"',
        policy: list[str] = _POLICY,
        bad_words: list[str] = [],  # noqa: B006
        drop: bool = True,
    ) -> None:
        self.min_words, self.min_sentences, self.max_word = min_words, min_sentences, max_word
        self.need_terminal, self.terminal, self.drop = need_terminal, terminal, drop
        for phrase in policy:
            if not phrase.isascii():
                raise InputError("policy", "phrases are in ASCII letters", value=phrase, fix="use bad_words")
        self.policy = [phrase.lower().encode() for phrase in policy]
        pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, bad_words))})(?!\w)"
        self._bad_words = re.compile(pattern, re.IGNORECASE) if bad_words else None

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        return tag(frame, self.rules(), self.measure, drop=self.drop, edits=self.drop)

    def rules(self) -> list[Rule]:
        counts = [Rule(f"c4_{name}") for name in ("long_word", "unterminated", "few_word", "javascript", "policy")]
        bad = [Rule(f"c4_{name}", ">", 0) for name in ("lorem_ipsum", "curly_bracket", "bad_words")]
        lines = [Rule(f"{rule.column}_lines") for rule in counts]
        return [*lines, *bad, Rule("c4_sentences", "<", max(self.min_sentences, 1))]

    def measure(self, texts: Texts) -> Measured:
        lines = texts.lines
        lines = Spans(*texts.trimmed(lines), lines.offsets)
        cited = self._without_citations(texts, lines)
        why_S = np.zeros(len(lines.starts), np.int8)
        first, after = texts.word_range(lines.starts, lines.ends)
        _mark(why_S, 1, self._long_words(texts, first, after))
        if self.need_terminal:
            _mark(why_S, 2, ~self._terminated(texts, lines, cited))
        _mark(why_S, 3, self._few_words(after - first, cited))
        lorem_S = _has(texts, lines, [b"lorem ipsum"]) & (why_S == 0)
        _mark(why_S, 4, _has(texts, lines, [b"javascript"]))
        curly_S = _has(texts, lines, [b"{"]) & (why_S == 0)
        _mark(why_S, 5, _has(texts, lines, self.policy))
        kept, edits = without(texts, lines, why_S, _WHY, cited)
        columns = {
            "c4_lorem_ipsum": lines.totals(lorem_S),
            "c4_curly_bracket": lines.totals(curly_S),
            "c4_bad_words": np.array([self._count_bad_words(text) for text in kept]),
            "c4_sentences": lines.totals(np.where(why_S == 0, sentences(texts, lines), 0)),
        }
        for number, name in enumerate(("long_word", "unterminated", "few_word", "javascript", "policy"), 1):
            columns[f"c4_{name}_lines"] = lines.totals((why_S == number) & (after > first))
        return Measured(columns, kept, edits)

    def _long_words(self, texts: Texts, first: np.ndarray, after: np.ndarray) -> np.ndarray:
        long = np.concatenate([[0], np.cumsum(texts.words.lengths > self.max_word)])
        return long[after] > long[first]

    def _few_words(self, words_S: np.ndarray, cited: dict[int, tuple[str, Edit]]) -> np.ndarray:
        few_S = words_S < self.min_words
        for row, (line, _) in cited.items():  # a citation may stand for a word
            few_S[row] = len(line.split()) < self.min_words
        return few_S

    def _terminated(self, texts: Texts, lines: Spans, cited: dict[int, tuple[str, Edit]]) -> np.ndarray:
        last, codes = np.maximum(lines.ends - 1, 0), texts.codes_C
        dots = (codes[last] == 46) & (codes[last - 1] == 46) & (codes[last - 2] == 46) & (lines.lengths >= 3)
        marks = np.array([ord(mark) for mark in self.terminal], np.uint32)
        ended = np.isin(codes[last], marks) & ~dots & (lines.lengths > 0)
        for row, (line, _) in cited.items():
            ended[row] = line.endswith(tuple(self.terminal)) and not line.endswith("...")
        return ended

    def _without_citations(self, texts: Texts, lines: Spans) -> dict[int, tuple[str, Edit]]:
        """The lines that have citations, by number, without them, and what went."""
        places = [match.start() for match in _CITATION_BYTES.finditer(texts.ascii)]
        found: dict[int, tuple[str, Edit]] = {}
        for row in np.unique(np.searchsorted(lines.starts, places, side="right") - 1).tolist() if places else []:
            text = int(np.searchsorted(texts.starts_D, lines.starts[row], side="right")) - 1
            origin = int(texts.starts_D[text])
            line = texts.texts[text][lines.starts[row] - origin : lines.ends[row] - origin]
            if went := _CITATION.findall(line):
                found[row] = _CITATION.sub("", line), ("citation", " ".join(went))
        return found

    def _count_bad_words(self, text: str) -> int:
        return len(self._bad_words.findall(text)) if self._bad_words else 0


def _mark(why_S: np.ndarray, reason: int, is_S: np.ndarray) -> None:
    """Give this reason to the lines that have none yet."""
    why_S[(why_S == 0) & is_S] = reason


def _has(texts: Texts, lines: Spans, phrases: Sequence[bytes]) -> np.ndarray:
    """Whether a line holds one of the phrases, in lower case."""
    found = np.zeros(len(lines.starts), bool)
    for phrase in phrases:
        places, place = [], texts.ascii.find(phrase)
        while place >= 0:
            places.append(place)
            place = texts.ascii.find(phrase, place + 1)
        found[np.searchsorted(lines.starts, places, side="right") - 1] = bool(places)
    return found
