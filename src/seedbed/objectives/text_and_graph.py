"""Masked tokens and missing links of a text and the part of a knowledge graph that it speaks of.

Shapes: B rows, L tokens a row, N nodes of a row, P triples held out, F documents of a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from weakref import WeakKeyDictionary

import numpy as np

from seedbed.core.checks import check_counts, check_rate
from seedbed.core.counters import hash64, key
from seedbed.core.errors import InputError
from seedbed.core.source import Source
from seedbed.corpus.artifact import Corpus
from seedbed.corpus.input.examples import CorpusOrFiles
from seedbed.data.knowledge import KnowledgeGraph
from seedbed.data.metadata import Metadata
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.masking import Mask, masks
from seedbed.objectives.mlm import MaskedLanguageModeling
from seedbed.objectives.prediction import cross_entropy
from seedbed.objectives.shares import Share

if TYPE_CHECKING:
    from pathlib import Path

    from seedbed.data.artifact import TokenFile
    from seedbed.data.batch import Batch
    from seedbed.models.architecture import Architecture
    from seedbed.models.network import Network
    from seedbed.vocabulary.artifact import Vocabulary

_MADE_UP = 3  # entities of a row that comes from no corpus


@dataclass
class TextAndGraphs(Examples):
    """Masked text, the graphs of its rows (`Subgraphs`), and what the loss of each triple weighs: the tokens that are
    expected to be masked in its row, over the row's triples."""

    graphs: Any = None
    weight_P: Any = None


@objectives.register("text_and_graph", papers=["026"])
class TextAndGraph(Objective):
    """Masked language modeling and link prediction on texts and the subgraphs of a knowledge graph that they speak of,
    which read each other (DRAGON; Yasunaga et al., 2022, and their code).

    Beside the network's last layers stand as many layers of graph attention over the nodes of a row: the entities that
    the text mentions, their neighbors, and one node where text and graph meet, joined to those mentioned. Before each
    of these layers that node and the row's first token exchange their states. Tokens are masked as by `mlm` and
    predicted by the network's own head; triples within the subgraph are held out and told by DistMult from wrong ones.

    A row has the graph of its first text, so give each document a row: the sampler `bucketed`. Entities are found by
    their names, as whole words, in the document's text.

    graph: the triples: a generated corpus with truth/triples.jsonl, or a file (docs/graphs.md). width, heads: of the
    nodes' states, and of their attention. fused: layers that have a graph beside them. fusion: `deep`, or for
    comparison `late`, with the same parameters, which exchanges behind the last layer only, so that no token but the
    first is read beside the graph, and that one in tasks only. nodes: of a row at most, with the one that meets the
    text. hops: away from what is mentioned. held: the share of the triples that is held out. negatives: wrong nodes for
    each of these, of the same row, in the place of its tail or its head. weight: of link prediction; a row's triples
    count, together, as much as the tokens that are expected to be masked in it. rate, replace, random, mask: as of
    `mlm`.

    The saved model is an ordinary encoder, with the graph and its side in graph.safetensors beside it, which the task
    `multiple_choice` reads; as a part of a `mixture` it leaves the file in the part's folder, where no task looks for
    it. A run that continues the model begins another graph side.

    Deviations: node embeddings are learned (theirs are made by a language model from names, and fixed); exchanges are
    added to what was there, and stand before each layer, since no masked token and no link reads what the last one
    would give behind it; the first token meets the graph, not one of its own; layer norm stands where they have batch
    norm; wrong nodes are of the same row; of types of nodes there are three (the one that meets the text, those
    mentioned, the others). Not here: TransE and RotatE, self-adversarial sampling, relevance scores, several triples
    between the same two entities as several edges.
    """

    attention: ClassVar[str] = "bidirectional"

    def __init__(
        self,
        graph: CorpusOrFiles,
        width: int = 64,
        heads: int = 2,
        fused: int = 2,
        fusion: Literal["deep", "late"] = "deep",
        nodes: int = 32,
        hops: int = 2,
        held: float = 0.15,
        negatives: int = 8,
        weight: float = 1.0,
        rate: Share = 0.15,
        replace: Share = 0.8,
        random: Share = 0.1,
        mask: Annotated[Mask, masks] = "tokens",  # type: ignore[assignment]
    ) -> None:
        check_counts(width=width, heads=heads, fused=fused, hops=hops, negatives=negatives)
        check_rate("weight", weight)
        if width % heads:
            raise InputError("heads", "must divide the width", value=heads)
        if nodes < 3:
            raise InputError("nodes", "leave no place for two entities", value=nodes)
        if not 0 <= held < 1:
            raise InputError("held", "is a share below 1", value=held)
        self.shape = {"width": width, "heads": heads, "fused": fused, "fusion": fusion, "nodes": nodes, "hops": hops}
        self.nodes, self.hops = nodes, hops
        self.held, self.negatives, self.weight = held, negatives, weight
        self.masking = MaskedLanguageModeling(rate, replace=replace, random=random, mask=mask)
        self._source = graph
        self._mentions: WeakKeyDictionary[TokenFile, list[list[int]]] = WeakKeyDictionary()
        self._side: Any = None

    @cached_property
    def graph(self) -> KnowledgeGraph:
        """The knowledge graph, read when it is first wanted."""
        return KnowledgeGraph.read(self._source, "objective.text_and_graph.graph")

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids."""
        self.masking.bind(vocabulary)
        self._special_V = np.asarray(vocabulary.special_V, dtype=bool)

    def prepare(self, network: Any, seed: int) -> None:
        """The graph's side, among the modules that only the training needs."""
        from seedbed.models.graph import EXTRA, GraphShape, GraphSide, check_layers
        from seedbed.models.replace import refuse_width_transfer

        refuse_width_transfer(network, "objective.text_and_graph")
        shape = GraphShape(**self.shape)  # type: ignore[arg-type]
        check_layers(network, shape, "objective.text_and_graph.fused")
        side = network.extra[EXTRA] = GraphSide(shape, self.graph, network.width, key(seed, EXTRA) >> 1)
        side.attach(network)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> TextAndGraphs:
        """Masked tokens, and subgraphs without the triples that are held out. A row without words has no graph."""
        found = self.masking.corrupt(batch, seed=seed, progress=progress)
        maskable_BL = (batch.segments_BL >= 0) & ~self._special_V[batch.tokens_BL]
        expected_B = self.masking.rate_at(progress) * maskable_BL.sum(1)
        graphs = self.graph.subgraphs(
            [of_row if expected else [] for of_row, expected in zip(self._mentioned(batch), expected_B, strict=True)],
            nodes=self.nodes,
            hops=self.hops,
            held=self.held,
            negatives=self.negatives,
            rows_B=batch.rows_B,
            stream=key(seed, "text_and_graph"),
        )
        number_B = np.bincount(graphs.row_P, minlength=len(batch.rows_B))
        weight_P = (expected_B / np.maximum(number_B, 1))[graphs.row_P].astype(np.float32)
        given = found.tokens_BL, found.segments_BL, found.positions_BL, found.where_T, found.targets_T
        return TextAndGraphs(*given, graphs=graphs, weight_P=weight_P)

    def _mentioned(self, batch: Batch) -> list[list[int]]:
        """The entities of each row's first text. Without files it is a batch of made-up tokens: some by its rows."""
        if not batch.files:
            places = hash64(key(0, "mentioned"), batch.rows_B[:, None], np.arange(_MADE_UP)[None, :])
            drawn = (places % np.uint64(len(self.graph.entities))).astype(np.int64)
            return [list(dict.fromkeys(row)) for row in drawn.tolist()]
        found: list[list[int]] = [[] for _ in batch.rows_B]
        for row, column, _, source, document in batch.pieces_N6[:, :5].tolist():
            if column == 0:
                found[row] = self._of_file(batch.files[source])[document]
        return found

    def _of_file(self, file: TokenFile) -> list[list[int]]:
        if file not in self._mentions:
            assert isinstance(file.metadata, Metadata)
            self._mentions[file] = [self.graph.mentions(text) for text in file.metadata.column("text")]
        return self._mentions[file]

    def loss(self, network: Network, examples: TextAndGraphs) -> Loss:
        """Cross-entropy at masked tokens; of held-out triples and wrong ones the logistic loss, half each."""
        import torch
        from torch.nn.functional import softplus

        from seedbed.models.graph import EXTRA

        side: Any = network.extra[EXTRA]
        given = examples.tokens_BL, examples.segments_BL, examples.positions_BL
        hidden_BLD, nodes_BNG = side.read(network, *given, examples.graphs)
        hidden_TD = hidden_BLD.flatten(0, 1).index_select(0, examples.where_T)
        masked = cross_entropy(network, hidden_TD, examples.targets_T)
        with torch.autocast(hidden_BLD.device.type, enabled=False):
            right_P, wrong_PK = side.link_scores(nodes_BNG, examples.graphs)
            loss_P = (softplus(-right_P) + softplus(wrong_PK).mean(1)) / 2
            found = (right_P[:, None] > wrong_PK).float().mean(1).sum()
            total = masked.sum + self.weight * (loss_P * examples.weight_P).sum()
        # Where no triple is held out, and behind the last exchange, parameters have a gradient of zeros.
        total = total + 0.0 * sum(parameter.sum() for parameter in side.parameters())
        links = Loss(loss_P.sum(), len(loss_P), {"accuracy": found.detach()})
        return Loss(total, masked.count, {}, {"masked": masked.detached(), "links": links.detached()})

    def flops_per_token(self, architecture: Architecture, length: int, targets: float) -> float:
        """Forward and backward for a token: the network, and the graph's side once a row."""
        from seedbed.models.graph import GraphShape, GraphSide

        shape = GraphShape(**self.shape)  # type: ignore[arg-type]
        made = isinstance(self._source, Corpus | Source)  # a plan is made before the corpus is
        side = GraphSide.flops_per_row(shape, self.graph.num_types if made else 0, architecture.width)
        return float(architecture.flops_per_token(length, targets)) + side / length

    def export(self, network: Any) -> None:
        """The graph's side goes, and is kept."""
        from seedbed.models.graph import EXTRA

        self._side = network.extra[EXTRA]
        self._side.remove()
        del network.extra[EXTRA]

    def save(self, folder: Path) -> None:
        """The graph and its side beside the model."""
        self._side.save(folder)
