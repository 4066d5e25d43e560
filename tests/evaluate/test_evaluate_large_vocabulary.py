"""The inverted index against a comparison with all rows; the task against a network that is widened by hand."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.index import InvertedIndex
from seedbed.evaluate.suite.large_vocabulary import head_states, widened
from seedbed.evaluate.task import EvaluationContext
from seedbed.models.artifact import Model


@pytest.mark.parametrize("biased", [False, True])
def test_the_index_against_all_rows(biased: bool) -> None:
    draw = np.random.default_rng(1)
    centers = draw.standard_normal((12, 8)) * 3
    rows_VD = centers[draw.integers(12, size=600)] + draw.standard_normal((600, 8)) * draw.uniform(0.1, 2, (600, 1))
    bias_V = draw.standard_normal(600) * 3 if biased else None
    states_TD = draw.standard_normal((300, 8))
    scores = states_TD @ rows_VD.T + (bias_V if bias_V is not None else 0.0)
    index = InvertedIndex(rows_VD, bias_V, 20, 3)
    exact_T, seen_T = index.best(states_TD)
    assert np.array_equal(exact_T, scores.argmax(1)) and (seen_T == 600).all()
    assert sorted(np.concatenate(index.members).tolist()) == list(range(600))
    agreement = []
    for probes in (1, 3, 8, len(index.members)):
        best_T, seen_T = index.best(states_TD, probes)
        chosen = np.argsort(-(np.c_[states_TD, np.ones(300)] @ index.centers_KE.T), axis=1)[:, :probes]
        for query in range(0, 300, 37):
            inside = np.concatenate([index.members[cluster] for cluster in chosen[query]])
            assert best_T[query] == inside[scores[query, inside].argmax()] and seen_T[query] == len(inside)
        agreement.append(float((best_T == exact_T).mean()))
    assert agreement == sorted(agreement) and agreement[-1] == 1.0
    assert agreement[0] > 0.3, "far more than the twentieth that chance would find"


def test_more_tokens(decoder: Model, corpus: Corpus) -> None:
    """Words that are several tokens become one; bits, lengths and the index' states by hand."""
    context = EvaluationContext(decoder)
    target = tasks.get("large_vocabulary").target
    task = target(corpus=corpus, units=6, probes=[1, 1000], clusters=10, max_documents=4, max_length=32, max_states=90)
    result = task.run(context)
    runs = {run.system: {name: measure.value for name, measure in run.measures.items()} for run in result.runs}
    assert list(runs) == ["model", "mean"] and result.counts == {"documents": 4, "units": 6}
    tokenizer = decoder.tokenizer().load()
    counts: Counter[tuple[int, ...]] = Counter()
    for document in corpus.documents("train"):
        encoding = tokenizer.encode(document["text"], add_special_tokens=False)
        words: dict[Any, list[int]] = {}
        for index, word in zip(encoding.ids, encoding.word_ids, strict=True):
            words.setdefault(word, []).append(index)
        counts.update(tuple(word) for word in words.values() if len(word) > 1)
    new = sorted(counts, key=lambda word: (-counts[word], word))[:6]
    network: Any = context.trained
    rows = torch.stack([network.embedding.weight[list(word)].mean(0) for word in new]).detach()
    wide = widened(network, {"input": rows} if network.output_embedding is None else {"input": rows, "output": rows})
    assert wide.vocabulary_size == network.vocabulary_size + 6 == len(wide.output()[0])
    nats, left, own, size = 0.0, 0, 0, 0
    for _, text in result.test_texts:
        ids = tokenizer.encode(text).ids
        own, size = own + len(ids), size + len(text.encode())
        merged: list[int] = []
        start = 0
        while start < len(ids):
            hit = next((n for n, word in enumerate(new) if tuple(ids[start : start + len(word)]) == word), None)
            merged.append(ids[start] if hit is None else network.vocabulary_size + hit)
            start += 1 if hit is None else len(new[hit])
        left += len(merged)
        nats += _nats(wide, merged, 32)
    assert left < own and runs["mean"]["tokens"] == pytest.approx(left / own)
    assert runs["mean"]["bits_per_byte"] == pytest.approx(nats / math.log(2) / size, rel=1e-4)
    for values in runs.values():
        assert values["agreement_1000"] == values["compared_1000"] == 1.0
        assert 0.02 < values["compared_1"] < 0.6 and 0 <= values["agreement_1"] <= 1
    assert runs["model"]["tokens"] == 1.0 and result.higher_is_better["agreement_1"]
    states = head_states(network, [[1, 5, 9], [7, 3]], 2, 4)
    assert [len(part) for part in states] == [3, 1]
    with torch.no_grad():
        assert np.allclose(states[0][2], network.head(network.hidden(torch.tensor([[9]]))[0, 0]).numpy(), atol=1e-5)


def _nats(network: Any, ids: list[int], length: int) -> float:
    """Windows that overlap by half."""
    total, begin, done = 0.0, 0, 1
    while done < len(ids):
        end = min(begin + length, len(ids))
        with torch.no_grad():
            logits = network.logits(network.hidden(torch.tensor([ids[begin:end]]))[0])
        chances = torch.log_softmax(logits, -1)
        total -= sum(float(chances[place - 1 - begin, ids[place]]) for place in range(done, end))
        begin, done = end - length // 2, end
    return total


def test_what_cannot_be_asked(
    encoder: Model, decoder: Model, corpus: Corpus, tmp_path: Path, make_corpus: Callable[..., Corpus]
) -> None:
    target = tasks.get("large_vocabulary").target
    with pytest.raises(InputError, match="needs a causal model"):
        target(corpus=corpus).run(EvaluationContext(encoder))
    letters = make_corpus(tmp_path / "letters", {"train": ["a"], "test": ["b"]})
    with pytest.raises(InputError, match="every word of the split 'train' is one token"):
        target(corpus=letters).run(EvaluationContext(decoder))
    bad: list[dict[str, Any]] = [{"probes": []}, {"probes": [0]}, {"units": 0}, {"clusters": 0}]
    for parameters in bad:
        with pytest.raises(InputError, match="must be at least 1"):
            target(corpus=corpus, **parameters)
