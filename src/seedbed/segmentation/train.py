"""The step `train_segmenter`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.errors import InputError
from seedbed.core.step import StepContext, step
from seedbed.corpus.input.examples import Texts, examples_of, is_held_back
from seedbed.segmentation.artifact import Segmenter, Splitter

if TYPE_CHECKING:
    from seedbed.segmentation.units import Units

PIECE = 64  # lines that are held back, or not, together


@step("train_segmenter", gives=Segmenter, papers=["385"])
def train_segmenter(
    context: StepContext,
    *,
    texts: list[Texts],
    fields: list[str] = ["text"],  # noqa: B006
    lines: int = 200_000,
    start: Segmenter | None = None,
    strip: float = 0.1,
    remove: float = 0.2,
    width: int = 64,
    layers: int = 3,
    behind: int = 32,
    lookahead: int = 48,
    steps: int = 600,
    rows: int = 16,
    lr: float = 2e-3,
    held_back: float = 0.1,
    threshold: float | None = None,
    seed: int = 0,
) -> None:
    """Trains a network that says where sentences end (SaT, Frohmann et al., 2024), from texts whose line ends say it.

    texts: a corpus, or files; every line that is not blank is a unit that ends, and so does every text, so that
    sentences, one a record and in their order, will do as well as paragraphs. `lines`: at most so many. The network
    sees the lines in one row, without their ends, and predicts these, and which mark follows each word. So that it
    learns to do without marks, a share of the rows (`strip`) has neither punctuation nor capitals, and the others lose
    a share (`remove`) of the marks within lines; shares as in the authors' code, which has 0.1 and 0.2.
    `lookahead`: it looks so many words and marks ahead, each layer its part, as the paper's 48 tokens. `start`: a
    segmenter to go on from, in its sizes, such as one of paragraphs with a few lines of sentences (all weights learn,
    where the paper has low-rank adapters). The same seed gives the same network, on as many threads. Memory: some 70
    bytes for each word and mark.

    `threshold`: the probability from which a sentence ends; by default the one that is best on one half of the pieces
    of text that are held back (`held_back`: their share; with 0, 0.5), in the mean of F1 with and without marks. Texts
    whose lines are paragraphs teach what ends paragraphs, and want a lower one for sentences (0.01 in the authors' code
    for training). On the other half the counts have precision, recall and F1 of line ends, of the network and of a
    splitter by rules (`seedbed.segmentation.rules`), on text as it is (`clean`) and without punctuation and capitals
    (`stripped`).

    Unlike the paper, whose networks are 3 to 12 layers of XLM-R, trained on 85 languages and then on sentences of
    several treebanks: words as hashed features in the place of subwords, some 2 million weights that begin at random,
    and a window of `behind` words for each layer in the place of 256 tokens.
    """
    from seedbed.segmentation.fitting import Training, fit
    from seedbed.segmentation.network import SentenceEnds, Sizes

    _check(strip=strip, remove=remove, held_back=held_back, threshold=threshold)
    sizes = _sizes(width, layers, behind, lookahead) if start is None else None
    if steps < 1 or rows < 1 or lr <= 0:
        raise InputError("steps", "steps, rows and lr must be above 0", value=[steps, rows, lr])
    known, held = _pieces(_lines(texts, fields), lines, held_back, seed)
    if not any(ends_N[:-1].any() for _, ends_N in known) or (held_back and len(held) < 2):
        raise InputError(
            "texts", "too few lines to learn where they end, and to measure it", value=len(known) + len(held)
        )
    base = None if start is None else SentenceEnds.read(start.path)
    training = Training(steps=steps, rows=rows, lr=lr, strip=strip, remove=remove)
    network = fit(known, sizes or Sizes(), training, seed, context.say, base)
    splitter = Splitter(network, 0.5 if threshold is None else threshold)
    if held and threshold is None:
        splitter.threshold = best_threshold(splitter, held[::2])
    network.write(context.folder, threshold=splitter.threshold)
    context.counts |= {"pieces": {"train": len(known), "held_back": len(held)}, "threshold": splitter.threshold}
    if held:
        context.counts |= measured(splitter, held[1::2])
        for name in ("clean", "stripped"):
            found = context.counts[name]
            context.say(f"{name} text: F1 {found['f1']:.4f}, by rules {found['rules']['f1']:.4f}")


def _check(*, threshold: float | None, **shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1 or (name == "held_back" and share > 0.5):
            raise InputError(name, "is a share between 0 and " + ("0.5" if name == "held_back" else "1"), value=share)
    if threshold is not None and not 0 < threshold < 1:
        raise InputError("threshold", "must lie between 0 and 1", value=threshold)


def _sizes(width: int, layers: int, behind: int, lookahead: int) -> Any:
    from seedbed.segmentation.network import Sizes

    if width < 16 or width % 16:
        raise InputError("width", "must be a multiple of 16", value=width)
    if layers < 1 or behind < 1:
        raise InputError("layers" if layers < 1 else "behind", "must be at least 1", value=min(layers, behind))
    if lookahead < 0 or lookahead % layers:
        raise InputError("lookahead", f"must be a multiple of the {layers} layers", value=lookahead)
    return Sizes(width, layers, width // 16, behind, lookahead)


def _lines(texts: Sequence[Any], fields: list[str]) -> Iterator[str]:
    """Every line that is not blank, of all texts in their order."""
    for source in texts:
        for example in examples_of(source, fields, key="texts"):
            yield from filter(None, map(str.strip, example.text.splitlines()))


def _pieces(
    lines: Iterator[str], most: int, share: float, seed: int
) -> tuple[list[tuple[Units, np.ndarray]], list[list[str]]]:
    """Pieces of the text to learn from, as units and line ends; and those that are held back, as lines."""
    from seedbed.segmentation.units import lines_of

    known, held = [], []
    limited = itertools.islice(lines, most)
    while piece := list(itertools.islice(limited, PIECE)):
        if is_held_back("\n".join(piece), share, seed):
            held.append(piece)
        else:
            known.append(lines_of(piece))
    return [piece for piece in known if len(piece[0])], held


def stripped(lines: Sequence[str]) -> list[str]:
    """Lines without punctuation and capitals, those that are left."""
    import unicodedata

    plain = ("".join(c for c in line if unicodedata.category(c)[0] != "P").lower() for line in lines)
    return [line for line in (" ".join(line.split()) for line in plain) if line]


def best_threshold(splitter: Splitter, pieces: Sequence[Sequence[str]]) -> float:
    """Of a grid of odds, the one with the best mean F1 on text with and without punctuation."""
    from seedbed.segmentation.units import joined

    grid = 1 / (1 + np.exp(-np.linspace(-6, 4, 41)))
    scores = np.zeros(len(grid))
    for change in (list, stripped):
        truth, chances = [], []
        for piece in pieces:
            text, wanted = joined(change(piece))
            ends_N, chances_N = splitter.probabilities(text)
            truth.append(np.isin(ends_N, wanted)[:-1])
            chances.append(chances_N[:-1])  # the end of a text is known
        is_end, chance = np.concatenate(truth), np.concatenate(chances)
        for place, threshold in enumerate(grid):
            said = chance > threshold
            scores[place] += 2 * (said & is_end).sum() / max(1, said.sum() + is_end.sum())
    return float(grid[scores.argmax()])


def measured(splitter: Splitter, pieces: Sequence[Sequence[str]]) -> dict[str, Any]:
    """What the network and the rules find in text as it is and in stripped text; the ends of pieces do not count."""
    from seedbed.segmentation.rules import f1_of, rule_ends
    from seedbed.segmentation.units import joined

    found: dict[str, Any] = {}
    for name, change in (("clean", list), ("stripped", stripped)):
        truth: list[int] = []
        said: dict[str, list[int]] = {"network": [], "rules": []}
        offset = 0
        for piece in pieces:
            text, wanted = joined(change(piece))
            truth += [offset + end for end in wanted[:-1]]
            for who, ends in (("network", splitter.ends(text)), ("rules", rule_ends(text))):
                said[who] += [offset + end for end in ends if end != len(text)]
            offset += len(text) + 1
        found[name] = {**f1_of(truth, said["network"]), "rules": f1_of(truth, said["rules"])}
    return found
