"""The step `measure_extraction`."""

from __future__ import annotations

import json
from typing import Annotated

from seedbed.core.artifact import Artifact
from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step

from . import Extractor, extractors
from .input.examples import Texts


class Extracted(Artifact):
    """pages.jsonl: of each page `id`, `site`, what is right (`precision`, `recall`, `f1`, or `right` of `strings`), and
    the `text` that was extracted."""

    kind = "extracted"


@step("measure_extraction", gives=Extracted, version=2)
def measure_extraction(
    context: StepContext,
    *,
    extractor: Annotated[Extractor, extractors],
    pages: list[Texts],
    folds: int = 5,
    seed: int = 0,
) -> None:
    """Extracts the text of pages of which it is known, and counts what is right; of the pages that `train_extractor`
    with these `folds` and this `seed` holds back, or with `folds: 0` of all.

    The counts: `words` (precision, recall and F1 of the multiset of words, means over the pages with an `article`),
    `strings` (the share of `must_have` that is there and of `must_not` that is not), `pages`, and `without_text`.
    """
    from .input.pages import NoText
    from .neural.labeled import check_folds, is_held_back, labeled_pages
    from .neural.quality import Quality

    check_folds(folds)
    quality = Quality()
    without_text = num_pages = 0
    with open(context.folder / "pages.jsonl", "w", encoding="utf8") as file:
        for page in labeled_pages(pages):
            if folds and not is_held_back(page, folds, seed):
                continue
            try:
                text = extractor.extract(page.html.encode("utf8", "replace"), "utf-8").text
            except NoText:
                text, without_text = "", without_text + 1
            row = {"id": page.id, "site": page.site, **quality.add(page, text), "text": text}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            num_pages += 1
    if not num_pages:
        raise InputError("pages", "none of their sites is held back by this seed", value=seed)
    context.counts.update(pages=num_pages, without_text=without_text, **quality.counts())
