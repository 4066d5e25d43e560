"""The computation graph of a network, as a hypernetwork reads it.

A node is an operation or a parameter: a matrix, a norm's gain, a table or a bias each has one of its own, in the order
of the forward pass. An edge goes from what is computed to what it is needed for. A tied output embedding is an
operation without parameters.

Shapes: N nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

OPERATIONS = (
    *("input", "sum", "attention", "gate", "activation", "output"),
    *("norm", "bias", "qkv", "attention_out", "feedforward_in", "feedforward_out", "head_dense"),
    *("embedding", "position_embedding", "type_embedding", "output_embedding"),
)


@dataclass
class Graph:
    """`names` has the parameter of a node, or None; `sources` of a node are numbers of earlier ones."""

    shapes: dict[str, tuple[int, ...]]  # of all parameters
    operations: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    sources: list[tuple[int, ...]] = field(default_factory=list)

    def operation(self, kind: str, *sources: int, name: str | None = None) -> int:
        """Add a node; its number."""
        assert kind in OPERATIONS
        self.operations.append(kind)
        self.names.append(name)
        self.sources.append(sources)
        return len(self.names) - 1

    def module(self, path: str, source: int) -> int:
        """Add the weight and the bias that a module has; the last node's number, which is `source` if it has none."""
        kind = "norm" if path.endswith("norm") else path.rpartition(".")[2]
        for leaf, what in (("weight", kind), ("bias", "bias")):
            if f"{path}.{leaf}" in self.shapes:
                source = self.operation(what, source, name=f"{path}.{leaf}")
        return source

    def distances(self) -> np.ndarray:
        """(N, N): edges on the shortest way from a node to another one; 0 to itself and where there is no way."""
        size = len(self.names)
        far = np.iinfo(np.int32).max // 2
        distances_NN = np.full((size, size), far, np.int32)
        np.fill_diagonal(distances_NN, 0)
        for node, sources in enumerate(self.sources):  # which are complete: they came earlier
            for source in sources:
                distances_NN[:, node] = np.minimum(distances_NN[:, node], distances_NN[:, source] + 1)
        return np.where(distances_NN >= far, 0, distances_NN)


def graph_of(architecture: Architecture) -> Graph:
    """The graph of a network; every parameter of it is at one node."""
    a = architecture
    graph = Graph(a.shapes())

    def attend(layer: str, x: int) -> int:
        mixed = graph.operation("attention", graph.module(f"{layer}.qkv", x))
        return graph.module(f"{layer}.attention_out", mixed)

    def feed(layer: str, x: int) -> int:
        kind = "gate" if a.gated else "activation"
        inner = graph.operation(kind, graph.module(f"{layer}.feedforward_in", x))
        return graph.module(f"{layer}.feedforward_out", inner)

    first = graph.operation("input")
    tables = [graph.module(f"{kind}embedding", first) for kind in ("", "position_", "type_")]
    tables = [node for node in tables if node != first]
    x = graph.operation("sum", *tables) if len(tables) > 1 else tables[0]
    x = graph.module("embedding_norm", x)
    for index in range(a.layers):
        layer = f"layers.{index}"
        for norm, block in ((f"{layer}.attention_norm", attend), (f"{layer}.feedforward_norm", feed)):
            if a.norm == "post":
                x = graph.module(norm, graph.operation("sum", x, block(layer, x)))
            else:
                x = graph.operation("sum", x, block(layer, graph.module(norm, x)))
    x = graph.module("final_norm", x)
    if a.head:
        x = graph.module("head_norm", graph.operation("activation", graph.module("head_dense", x)))
    x = graph.operation("output", x) if a.tied else graph.module("output_embedding", x)
    if a.output_bias:
        graph.operation("bias", x, name="output_bias")
    return graph
