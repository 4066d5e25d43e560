"""One tokenizer out of several, each with a vocabulary of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

_IMPOSSIBLE = -500.0  # below this a score says that a piece is never to be used


def join(tokenizers: Sequence[Any], specials: Sequence[str]) -> Any:
    """The union of the vocabularies of tokenizers that one algorithm has made with equal settings.

    Chung et al. (2020) combine separately trained vocabularies of clusters of languages in this way; so does XLM-V
    (Liang et al., 2023). Special tokens come first; then every vocabulary's tokens by their relative rank in it, so
    that no language's merges all come before another's. A token that several have counts once, so the union is smaller
    than the sum. Probabilities of a Unigram model are means over the tokenizers.
    """
    from tokenizers import Tokenizer

    descriptions = [json.loads(tokenizer.to_str()) for tokenizer in tokenizers]
    models = [description["model"] for description in descriptions]
    joined = descriptions[0]
    if models[0]["type"] == "Unigram":
        joined["model"] |= _unigram(models, specials)
    else:
        vocabularies = [sorted(model["vocab"], key=model["vocab"].__getitem__) for model in models]
        merges = _by_rank([[tuple(merge) for merge in model.get("merges", [])] for model in models])
        made = {left + right for left, right in merges}
        first = [[token for token in tokens if token not in made] for tokens in vocabularies]
        tokens = list(dict.fromkeys([*specials, *_by_rank(first), *_by_rank(vocabularies)]))
        joined["model"]["vocab"] = {token: index for index, token in enumerate(tokens)}
        if "merges" in joined["model"]:
            joined["model"]["merges"] = [list(merge) for merge in merges]
    return Tokenizer.from_str(json.dumps(joined))


def _unigram(models: Sequence[dict[str, Any]], specials: Sequence[str]) -> dict[str, Any]:
    unknown = models[0]["vocab"][models[0]["unk_id"]][0]
    scores = [dict(map(tuple, model["vocab"])) for model in models]
    order = _by_rank([[piece for piece, _ in model["vocab"]] for model in models])
    tokens = list(dict.fromkeys([*specials, unknown, *order]))
    vocabulary = []
    for token in tokens:
        found = [score[token] for score in scores if token in score]
        usable = [math.exp(score) for score in found if score > _IMPOSSIBLE]
        vocabulary.append([token, math.log(sum(usable) / len(scores)) if usable else min(found)])
    return {"vocab": vocabulary, "unk_id": tokens.index(unknown)}


def _by_rank(lists: Sequence[Sequence[Any]]) -> list[Any]:
    """All items once, in the order of their places relative to their list's length."""
    ranked = [
        (place / len(items), number, item) for number, items in enumerate(lists) for place, item in enumerate(items)
    ]
    return list(dict.fromkeys(item for _, _, item in sorted(ranked)))
