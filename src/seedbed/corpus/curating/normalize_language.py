"""One spelling for what a script can write in several ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from seedbed.core.errors import InputError
from seedbed.corpus import curation

if TYPE_CHECKING:
    from daft import DataFrame, Series

Rules = list[Literal["indic", "bangla", "thai", "arabic", "persian", "fullwidth", "quotes"]]


@curation.register("normalize_language", version=3, papers=["031", "065", "066"])
class NormalizeLanguage:
    """Rules for scripts and languages, in the order given; a list for all documents, or by language: `{hin: [indic]}`,
    with the column `language` of that step. It stands after `normalize`.

    - `indic` (the Indic NLP library's rules; 031 says only that each language has its own): NFC; letters with a nukta
      as letter and nukta; vowels of two characters as one, and Malayalam's chillus of consonant, virama and joiner;
      joiners without width go beside Indic letters; each script's own danda, and `|` behind a letter, is U+0964; `:`
      within a word is that script's visarga; word joiners and soft hyphens go, hard and zero-width spaces are spaces.
      Unlike there, `:` and `|` elsewhere stay, and Oriya va and Marathi's chandra a are not changed.
    - `bangla` (the normalizer of BanglaBERT, 066): straight quotes; Latin letters without accents; e-kar with aa-kar or
      au mark is o-kar or au-kar, also around a chandrabindu; ba with nukta is ra; the currency sign four is a danda;
      dashes, ellipses and East Asian punctuation as ASCII; NFKC; one blank for several. Not here: ftfy before it, and
      its replacements of addresses, emoji and punctuation, off by default there. Newlines stay.
    - `thai` (065): lower case; leftovers of HTML; brackets without a word in them, and what is not a word at their
      edges; one line; one space for several; a character four times or more in a row once. Not here: repeated words
      and joined emoji, which need Thai word segmentation; spaces as `<_>`, which `unigram: {spaces: apart}` is for.
    - `arabic`: presentation forms as letters, no tatweel. `persian`: that, and ye, kaf and digits as in Persian, no
      non-joiner beside white space or behind another (as hazm has it).
    - `fullwidth`: East Asian full-width letters, digits, punctuation and space as ASCII, half-width kana as full
    - `quotes`: straight ones

    The text that is left without any is dropped.
    """

    def __init__(self, rules: Rules | dict[str, Rules]) -> None:
        self.rules = rules
        if not rules:
            raise InputError("rules", "names none", value=rules)

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft, functions

        string = daft.DataType.string()
        language = daft.lit("")
        if isinstance(self.rules, dict):
            if "language" not in frame.column_names:
                problem = "rules by language want the column `language`"
                raise InputError("rules", problem, value=sorted(self.rules), fix="put the step `language` before it")
            language = daft.col("language").fill_null("")

        @daft.func.batch(return_dtype=string, use_process=False)  # type: ignore[untyped-decorator]
        def clean(texts: Series, languages: Series) -> list[str]:
            return [self.clean(*pair) for pair in zip(texts.to_pylist(), languages.to_pylist(), strict=True)]

        frame = frame.with_column("_language", language).with_column("_before", daft.col("text"))
        frame = frame.with_column("text", clean(daft.col("text"), daft.col("_language")))
        emptied = (daft.col("text") == "") & (daft.col("_before") != "")
        reason = functions.when(emptied, daft.lit("no text")).otherwise(daft.lit(None)).cast(string)
        return frame.with_column("reason", reason).exclude("_language", "_before")

    def clean(self, text: str, language: str = "") -> str:
        """One document's text."""
        from seedbed.corpus.text.script_forms import RULES

        names = self.rules.get(language, []) if isinstance(self.rules, dict) else self.rules
        for name in names:
            text = RULES[name](text)
        return text
