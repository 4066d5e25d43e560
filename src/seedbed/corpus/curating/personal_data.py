"""Personal data: found, and masked or counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from seedbed.core.errors import InputError, unknown_key
from seedbed.corpus import curation
from seedbed.corpus.text.personal import KINDS

if TYPE_CHECKING:
    from daft import DataFrame, Series

# As Dolma and OLMo write them; the last three are ours. None of them has anything in it that a rule would find.
MASKS = {
    "email": "|||EMAIL_ADDRESS|||",
    "phone": "|||PHONE_NUMBER|||",
    "ip": "|||IP_ADDRESS|||",
    "iban": "|||ACCOUNT_NUMBER|||",
    "card": "|||CARD_NUMBER|||",
    "ssn": "|||SOCIAL_SECURITY_NUMBER|||",
}


@curation.register("personal_data", papers=["326"])
class PersonalData:
    """Masks e-mail addresses, telephone numbers, IP addresses, account and card numbers; or only counts them.

    As Dolma does it (Soldaini et al., 2024, web subset): a document with at most `most` of them stays with a mask in
    the place of each (`|||EMAIL_ADDRESS|||`, ...), one with more goes. With `action: tag` all stay as they are.
    Either way the columns `pii_email`, `pii_phone` ... count what was found, so that `keep` can decide. The rules for
    each of `kinds` stand in `seedbed.corpus.text.personal`, with where they differ from Dolma's.

    The record of edits has the kind and the length of what was masked, never the thing itself. (A document that goes
    stands in `dropped/` as it was.) Masks are texts of several tokens unless a tokenizer is given them as its own.
    """

    def __init__(self, action: Literal["mask", "tag"] = "mask", most: int = 5, kinds: list[str] | None = None) -> None:
        if most < 0:
            raise InputError("most", "must not be negative", value=most)
        for kind in kinds or ():
            if kind not in KINDS:
                raise unknown_key("kinds", kind, KINDS, "kind of personal data")
        self.action, self.most = action, most
        self.kinds = [kind for kind in KINDS if kinds is None or kind in kinds]

    def __call__(self, frame: DataFrame, /) -> DataFrame:
        from seedbed.corpus.engine import daft

        text, whole = daft.DataType.string(), daft.DataType.int64()
        counts = {f"pii_{kind}": whole for kind in self.kinds}
        fields = {"text": text, "reason": text, "edits": text, **counts}

        @daft.func.batch(return_dtype=daft.DataType.struct(fields), use_process=False)  # type: ignore[untyped-decorator]
        def looked_at(texts: Series) -> list[dict[str, Any]]:
            from seedbed.corpus.text.personal import candidates

            column = texts.to_arrow()
            nothing = dict.fromkeys(counts, 0) | dict.fromkeys(("text", "reason", "edits"))
            rows: list[dict[str, Any]] = [nothing] * len(column)
            for place in candidates(column):
                rows[place] = self._row(column[place].as_py())
            return rows

        frame = frame.with_column("_pii", looked_at(daft.col("text")))
        found = {name: daft.col("_pii").get(name) for name in fields}
        # A text without anything does not travel through Python.
        return frame.with_columns({**found, "text": found["text"].fill_null(daft.col("text"))})

    def _row(self, text: str) -> dict[str, Any]:
        """The columns for one text; `text` is None if it does not change."""
        from seedbed.corpus.tagging import edits_json
        from seedbed.corpus.text.personal import find

        found = find(text, self.kinds)
        numbers = Counter(item.kind for item in found)
        row: dict[str, Any] = {f"pii_{kind}": numbers[kind] for kind in self.kinds}
        row |= {"text": None, "reason": None, "edits": None}
        if self.action == "tag" or not found:
            return row
        if len(found) > self.most:
            shown = ", ".join(f"{kind} {number}" for kind, number in sorted(numbers.items()))
            return row | {"reason": f"{len(found)} pieces of personal data, more than {self.most} ({shown})"}
        parts, end = [], 0
        for item in found:
            parts += [text[end : item.start], MASKS[item.kind]]
            end = item.end
        edits = [(f"personal data: {item.kind}", f"{item.end - item.start} characters") for item in found]
        return row | {"text": "".join([*parts, text[end:]]), "edits": edits_json(edits)}
