from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from seedbed.core.checks import check_counts
from seedbed.core.errors import InputError
from seedbed.corpus.artifact import Corpus
from seedbed.evaluate import tasks
from seedbed.evaluate.task import EvaluationContext, TaskResult
from seedbed.surgery.tokenizer_hypernetwork.artifact import TokenizerHypernetwork

if TYPE_CHECKING:
    import numpy as np

    from seedbed.evaluate.merging import Ids
    from seedbed.evaluate.task import Measure


@tasks.register("large_vocabulary", papers=["382"])
class LargeVocabulary:
    """A causal model with many more tokens, and an index by which it need not compare all of them.

    After Feher, Vulić and Minixhofer (2025): the vocabulary gets the `units` most frequent words of the corpus'
    training split that are several tokens now, with embeddings that are made and not learned, as in
    `dynamic_tokenization`: the mean of their tokens' (`mean`), or predicted by a hypernetwork (`hypernetwork`).
    Held-out documents are then read and predicted with these words as single tokens. Where a model writes, it needs the
    likeliest token; an inverted file over the output embeddings (`index.InvertedIndex`, with `clusters` lists, by
    default the root of their number) looks for it in the `probes` nearest lists only.

    Systems: `model`, with its own tokens; `mean` and `hypernetwork`. Metrics: bits per byte of the documents, as in the
    task of that name, so that other tokens compare; `tokens`, the tokens that are left as a share of the model's own;
    `agreement_P`, how often the index with P lists finds what the comparison with all finds, on tokens of the documents
    (at most `max_states` of them), and `compared_P`, the share of rows that it looked at. Nothing is random.

    The paper has a million tokens and ScaNN's index; here lists are searched as they are, without compression, and no
    text is written. Memory: a row of floats for each unit, in each table, twice.
    """

    def __init__(
        self,
        corpus: Corpus,
        *,
        hypernetwork: TokenizerHypernetwork | None = None,
        units: int = 10_000,
        clusters: int | None = None,
        probes: list[int] = [1, 4, 16],  # noqa: B006
        split: str = "test",
        max_documents: int = 100,
        max_length: int = 512,
        max_states: int = 5_000,
        train_split: str = "train",
        max_train: int = 5_000,
        name: str = "large_vocabulary",
    ) -> None:
        check_counts(units=units, max_states=max_states, **{"probes": min(probes, default=0)})
        if clusters is not None:
            check_counts(clusters=clusters)
        self.corpus, self.hypernetwork, self.units = corpus, hypernetwork, units
        self.clusters, self.probes, self.split = clusters, probes, split
        self.max_documents, self.max_length, self.max_states = max_documents, max_length, max_states
        self.train_split, self.max_train, self.name = train_split, max_train, name

    def run(self, context: EvaluationContext) -> TaskResult:
        import numpy as np

        from seedbed.evaluate.documents import sample_documents
        from seedbed.evaluate.dynamic import ways
        from seedbed.evaluate.suite.bits_per_byte import causal_nats
        from seedbed.evaluate.task import Items, Measure, SystemRun
        from seedbed.models.scoring import pad_id

        context.require("causal", self.name, instead="dynamic_tokenization")
        coder = context.coder(self.max_length)
        documents = sample_documents(self.corpus, self.split, self.max_documents, seed=context.seed)
        documents = [document for document in documents if document["text"]]
        if not documents:
            raise InputError("split", f"the split '{self.split}' holds no text", value=str(self.corpus.path))
        words = [self._words(coder, context, document["text"]) for document in documents]
        new = self._frequent(coder, context)
        places = {word: context.trained.vocabulary_size + number for number, word in enumerate(new)}
        own = [coder.wrap([index for word in text for index in word]) for text in words]
        large = [
            coder.wrap([index for word in text for index in ([places[word]] if word in places else word)])
            for text in words
        ]
        networks: dict[str, tuple[Any, list[list[int]]]] = {"model": (context.trained, own)}
        for way, embed in ways(context.trained, context.model, self.hypernetwork).items():
            networks[way] = widened(context.trained, embed(new)), large
        bytes_U = np.array([len(document["text"].encode()) for document in documents])
        runs, padding = [], pad_id(context.vocabulary)
        for system, (network, ids) in networks.items():
            arrays = [np.array(row, dtype=np.int64) for row in ids]
            nats = causal_nats(network, arrays, start=bool(coder.prefix), length=coder.max_length, pad=padding)
            bits_U = np.array([part.sum() for part in nats]) / math.log(2)
            measures = {
                "bits_per_byte": Measure(bits_U, bytes_U),
                "tokens": Measure(np.array([*map(len, ids)]), np.array([*map(len, own)])),
                **self._searched(network, ids, coder.max_length, context.seed),
            }
            runs.append(SystemRun(system, None, measures, Items()))
        higher = {name: name.startswith("agreement") for name in runs[0].measures}
        counts = {"documents": len(documents), "units": len(new)}
        return TaskResult(runs, higher, [(str(one["id"]), str(one["text"])) for one in documents], counts)

    def _words(self, coder: Any, context: EvaluationContext, text: str) -> list[Ids]:
        from seedbed.evaluate.dynamic import cut_words

        (encoding,) = coder.encode([text])
        return cut_words(encoding.ids, encoding.word_ids, context.vocabulary)

    def _frequent(self, coder: Any, context: EvaluationContext) -> list[Ids]:
        """The most frequent words of several tokens."""
        from collections import Counter

        from seedbed.evaluate.documents import sample_documents

        counts: Counter[Ids] = Counter()
        for document in sample_documents(self.corpus, self.train_split, self.max_train, seed=context.seed):
            counts.update(word for word in self._words(coder, context, document["text"]) if len(word) > 1)
        if not counts:
            raise InputError("corpus", f"every word of the split '{self.train_split}' is one token: nothing is added")
        return sorted(counts, key=lambda word: (-counts[word], word))[: self.units]

    def _searched(self, network: Any, ids: list[list[int]], length: int, seed: int) -> dict[str, Measure]:
        """Of each document's states, how often the index agrees and what share of the rows it compares."""
        import numpy as np

        from seedbed.evaluate.index import InvertedIndex
        from seedbed.evaluate.task import Measure

        states = head_states(network, ids, length, self.max_states)
        document_T = np.repeat(np.arange(len(ids)), [len(part) for part in states])
        states_TD, number_U = np.concatenate(states), np.bincount(document_T, minlength=len(ids))
        rows_VD, bias_V = (None if one is None else one.detach().float().cpu().numpy() for one in network.output())
        assert rows_VD is not None
        index = InvertedIndex(rows_VD, bias_V, self.clusters or round(math.sqrt(len(rows_VD))), seed)
        exact_T, _ = index.best(states_TD)
        found = {}
        for probes in self.probes:
            best_T, seen_T = index.best(states_TD, probes)
            values = {"agreement": best_T == exact_T, "compared": seen_T / len(rows_VD)}
            for name, value_T in values.items():
                found[f"{name}_{probes}"] = Measure(np.bincount(document_T, value_T, len(ids)), number_U)
        return found


def widened(network: Any, made: dict[str, Any]) -> Any:
    """A copy with more rows in its tables, and with the mean of the logits' bias for each."""
    import copy

    import torch

    from seedbed.surgery.vocabulary.change import TABLES

    wide = copy.deepcopy(network)
    number = len(made["input"])
    for name, rows in made.items():
        table = wide.get_submodule(TABLES[name].removesuffix(".weight"))
        table.weight = torch.nn.Parameter(torch.cat((table.weight.detach(), rows)), requires_grad=False)
    if wide.output_bias is not None:
        bias_V = wide.output_bias.detach()
        wide.output_bias = torch.nn.Parameter(torch.cat((bias_V, bias_V.mean().expand(number))), requires_grad=False)
    wide.vocabulary_size += number
    return wide.eval()


def head_states(network: Any, ids: list[list[int]], length: int, most: int) -> list[np.ndarray]:
    """What the output embeddings are multiplied with (T, D) in each document, which is cut into rows that do not
    overlap; after `most` tokens of all documents there are none."""
    import numpy as np
    import torch

    found, device = [], next(network.parameters()).device
    with torch.no_grad():
        for row in ids:
            kept, parts = row[:most], [np.zeros((0, network.width), np.float32)]
            most -= len(kept)
            for start in range(0, len(kept), length):
                hidden_BLD = network.hidden(torch.tensor([kept[start : start + length]], device=device))
                parts.append(network.head(hidden_BLD[0]).float().cpu().numpy())
            found.append(np.concatenate(parts))
    return found
