"""lingua's languages of texts, for `language_identification.py`. Needs lingua-language-detector only.

python benchmarks/lingua_languages.py texts.jsonl labels.json
"""

from __future__ import annotations

import json
import sys
import time

from lingua import LanguageDetectorBuilder


def main(source: str, target: str) -> None:
    with open(source, encoding="utf8") as file:
        texts = [json.loads(line)["text"] for line in file]
    detector = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()
    start = time.process_time()
    found = [detector.detect_language_of(text) for text in texts]
    seconds = time.process_time() - start
    known = sorted(language.iso_code_639_3.name.lower() for language in type(found[0]).all()) if found else []
    labels = [language.iso_code_639_3.name.lower() if language else None for language in found]
    with open(target, "w", encoding="utf8") as file:
        json.dump({"labels": labels, "seconds": seconds, "known": known}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
