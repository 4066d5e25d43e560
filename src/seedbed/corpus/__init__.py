"""Documents with provenance: from files, through curation, to a corpus as Parquet.

Readers yield documents one at a time; curation works on Daft frames of them; `build_corpus` runs both. The
methods stand in `reading/` and `curating/`, one file each (a subpackage named like its registry would replace it
in this namespace once it is imported).
"""

from typing import Any

from seedbed.core.registry import Registry
from seedbed.corpus.documents import Curation, Document, Reader, Unreadable
from seedbed.corpus.input.pages import Extractor
from seedbed.corpus.scoring import Scoring, Trainable

readers: Registry[Any] = Registry(
    "reader", "seedbed.corpus.reading", about="from files to documents with id, source, license, domain, metadata"
)
extractors: Registry[Any] = Registry(
    "extractor", "seedbed.corpus.extraction", about="from a web page to what is worth reading of it"
)
curation: Registry[Any] = Registry(
    "curation", "seedbed.corpus.curating", about="what is changed, scored or dropped in a corpus, with reasons"
)
scorers: Registry[Any] = Registry(
    "scorer", "seedbed.corpus.rating", about="what learns to score documents: quality, perplexity, language, toxicity"
)

__all__ = [
    "Curation",
    "Document",
    "Extractor",
    "Reader",
    "Scoring",
    "Trainable",
    "Unreadable",
    "curation",
    "extractors",
    "readers",
    "scorers",
]
