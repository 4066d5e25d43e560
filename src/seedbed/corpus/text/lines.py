"""Texts without some of their lines, and what went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seedbed.corpus.tagging import edits_json

from .characters import Spans, Texts

Edit = tuple[str, str]  # why, and the text that went


def without(
    texts: Texts, lines: Spans, why_S: np.ndarray, names: Sequence[str], shorter: Mapping[int, tuple[str, Edit]] | None
) -> tuple[list[str], list[str | None]]:
    """Each text's lines for which `why` is 0, and the edits.

    The others name in `names` (from 1) why they go; a blank one goes untold. `shorter` has for some lines what remains
    of them, and the edit.
    """
    kept_texts, edits, shorter = [], [], shorter or {}
    bounds = zip(lines.offsets.tolist(), lines.offsets[1:].tolist(), texts.starts_D.tolist(), strict=False)
    for text, (first, after, origin) in zip(texts.texts, bounds, strict=True):
        starts = (lines.starts[first:after] - origin).tolist()
        ends = (lines.ends[first:after] - origin).tolist()
        kept, gone = [], []
        for row, a, b, why in zip(range(first, after), starts, ends, why_S[first:after].tolist(), strict=True):
            if why == 0 and row in shorter:
                line, edit = shorter[row]
                kept.append(line)
                gone.append(edit)
            elif why == 0:
                kept.append(text[a:b])
            elif a < b and not (line := text[a:b]).isspace():
                gone.append((names[why - 1], line))
        kept_texts.append("\n".join(kept).strip())
        edits.append(edits_json(gone))
    return kept_texts, edits
