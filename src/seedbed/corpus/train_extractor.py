"""The step `train_extractor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step

from .input.examples import Texts
from .neural.extractor import TrainedExtractor

if TYPE_CHECKING:
    from .neural.extractor import NodeTagger
    from .neural.labeled import LabeledPage


@step("train_extractor", gives=TrainedExtractor, papers=["101"])
def train_extractor(
    context: StepContext,
    *,
    pages: list[Texts],
    folds: int = 5,
    width: int = 64,
    layers: int = 2,
    epochs: int = 8,
    lr: float = 2e-3,
    dropout: float = 0.5,
    seed: int = 0,
) -> None:
    """Trains a network that takes the main content out of web pages (NeuScraper, Xu et al., 2024): the text nodes of a
    page in their order, a small transformer over them, keep or drop for each by binary cross-entropy.

    pages: files of records with `html`, and `article` (the page's text) or `must_have` and `must_not` (strings, which
    decide the nodes in which they stand; of the others nothing is learned), and `url`. One of `folds` parts of the
    sites (the one that `seed` names) is held back; the counts say what is found on their pages: `nodes` (precision,
    recall and F1 over all nodes that are known), `words` (means over pages with an article), `strings` (the share that
    is treated as it should be). `folds: 0` learns from all. `dropout` is the share of words and marks that a step does
    not see. The same seed gives the same network, on as many threads.

    Unlike the paper, which learns from ClueWeb22 on eight GPUs for 40 hours, this is for some hundred pages: bags of
    hashed words stand for the layer of XLM-R, 2 layers of width 64 for 3 of width 256; besides the text it sees tags,
    names of classes, and numbers of the layout; nodes end at blocks, not at every tag, and tables and lists are no
    nodes as a whole; there is one label ("primary") of the six, and a node is kept from a probability of 0.5 on, not
    0.9.
    """
    from .neural.fitting import Labeled, Training, fit
    from .neural.labeled import check_folds, is_held_back, labeled_pages
    from .neural.nodes import LAYOUT, read_page
    from .neural.segments import NUMBERS
    from .neural.tagger import Sizes

    check_folds(folds)
    if width % 16 or width < 16:
        raise InputError("width", "must be a multiple of 16", value=width)
    for name, value in (("layers", layers), ("epochs", epochs)):
        if value < 1:
            raise InputError(name, "must be at least 1", value=value)
    if not 0 <= dropout < 1:
        raise InputError("dropout", "is a share, at least 0 and below 1", value=dropout)
    known, held = [], []
    for page in labeled_pages(pages):
        if is_held_back(page, folds, seed):
            held.append(page)
            continue
        nodes = read_page(page.html)
        if nodes.texts:
            known.append(Labeled(nodes.segments(), page.labels(nodes.texts)[:, None], np.zeros(0, np.int8)))
    if not known or (folds and not held):
        raise InputError("pages", "too few sites to learn from some and measure with others", value=len(known))
    sizes = Sizes(NUMBERS + LAYOUT, 1, width=width, layers=layers, heads=width // 16)
    tagger = fit(known, sizes, Training(epochs=epochs, lr=lr, dropout=dropout), seed, context.say)
    tagger.write(context.folder)
    context.counts["pages"] = {"train": len(known), "held_back": len(held)}
    if held:
        context.counts.update(_measured(TrainedExtractor(context.folder).load(), held))
        context.say(f"{len(held)} pages of other sites: F1 of nodes {context.counts['nodes']['f1']:.4f}")


def _measured(extractor: NodeTagger, pages: list[LabeledPage]) -> dict[str, Any]:
    """What it finds on held-back pages."""
    from .neural.fitting import found
    from .neural.nodes import read_page
    from .neural.quality import Quality

    truth, said = [], []
    quality = Quality()
    for page in pages:
        nodes = read_page(page.html)
        is_kept_N, labels_N = extractor.keep(nodes), page.labels(nodes.texts)
        truth.append(labels_N[labels_N >= 0] > 0)
        said.append(is_kept_N[labels_N >= 0])
        quality.add(page, "\n".join(text for text, is_kept in zip(nodes.texts, is_kept_N, strict=True) if is_kept))
    return {"nodes": found(np.concatenate(truth), np.concatenate(said)), **quality.counts()}
