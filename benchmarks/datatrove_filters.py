"""datatrove's quality filters over documents, for `heuristics.py`: decisions and CPU seconds. Needs datatrove only.

    python benchmarks/datatrove_filters.py documents.jsonl decisions.json own|split

`own` parts words and sentences as datatrove does (spaCy for English); with `split` a word is what white space parts.
"""

from __future__ import annotations

import json
import sys
import time

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)

FILTERS = {
    "gopher_quality": GopherQualityFilter,
    "gopher_repetition": GopherRepetitionFilter,
    "c4": C4QualityFilter,
    "fineweb": lambda: FineWebQualityFilter(stop_chars=tuple(".?!\"'")),
}


def main(source: str, target: str, words: str) -> None:
    with open(source, encoding="utf8") as file:
        texts = [json.loads(line)["text"] for line in file]
    if words == "split":
        from datatrove.pipeline.filters import fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter

        for module in (fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter):
            module.split_into_words = lambda text, language: text.split()
    found = {}
    for name, make in FILTERS.items():
        method = make()
        method.filter(Document(text="Warm up. It loads what it needs.", id=""))
        documents = [Document(text=text, id="") for text in texts]
        start = time.process_time()
        results = [decision(method, document) for document in documents]
        seconds = time.process_time() - start
        changed = [document.text if name == "c4" else None for document in documents]
        found[name] = {"seconds": seconds, "reasons": results, "texts": changed}
    with open(target, "w", encoding="utf8") as file:
        json.dump(found, file)


def decision(method: object, document: Document) -> str | None:
    """Why it goes, or None."""
    try:
        result = method.filter(document)  # type: ignore[attr-defined]
    except ZeroDivisionError:
        return "fails: division by zero"
    return result[1] if isinstance(result, tuple) and not result[0] else None if result is True else "dropped"


if __name__ == "__main__":
    main(*sys.argv[1:])
