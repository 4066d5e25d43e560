"""The encoder of a graph hypernetwork: what each node of a computation graph is, in its place.

Shapes: N nodes, D width of the hypernetwork, H heads, W width of a head, F features of a number.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from seedbed.surgery.hypernetwork.graph import OPERATIONS

if TYPE_CHECKING:
    from seedbed.surgery.hypernetwork.graph import Graph

Tensor = torch.Tensor
_DEGREES = 8  # numbers of edges that are told apart
_SIZES = 16  # features of a size


class GraphFeatures(torch.nn.Module):
    """A graph as the encoder reads it: tensors that move with the module that holds them."""

    operations_N: Tensor
    sizes_NF: Tensor
    degrees_N2: Tensor
    distances_NN: Tensor

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        distances_NN = graph.distances()
        edges_NN = distances_NN == 1
        degrees_N2 = np.stack([edges_NN.sum(0), edges_NN.sum(1)], axis=1).clip(0, _DEGREES)
        shapes = [graph.shapes[name] if name else () for name in graph.names]
        sizes_N2 = np.array([(*shape, 1, 1)[:2] if shape else (0, 0) for shape in shapes])
        # of the logarithm, in sixteenths of a doubling: a size that was never met lies near others that were
        steps_N2 = torch.from_numpy(16 * np.log2(np.maximum(sizes_N2, 1)) + (sizes_N2 > 0))
        found = {
            "operations_N": torch.tensor([OPERATIONS.index(kind) for kind in graph.operations]),
            "sizes_NF": waves(steps_N2, _SIZES).flatten(1),
            "degrees_N2": torch.from_numpy(degrees_N2),
            "distances_NN": torch.from_numpy(distances_NN).long(),
        }
        for name, tensor in found.items():
            self.register_buffer(name, tensor, persistent=False)


def waves(numbers: Tensor, width: int) -> Tensor:
    """Sines and cosines of numbers (Vaswani et al., 2017, section 3.5); 0 gives zeros: (..., F)."""
    rates_F = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width)).to(numbers.device)
    angles = numbers[..., None].float() * rates_F
    return torch.cat((angles.sin(), angles.cos()), dim=-1) * (numbers != 0)[..., None]


class Encoder(torch.nn.Module):
    """Graphormer (Ying et al., 2021) as GHN-3 has it: attention among all nodes, biased by the lengths of the shortest
    ways between them.

    A node begins as the sum of embeddings of its operation, its parameter's shape, its numbers of edges in and out
    (centrality) and its distance from the input. To the scores of attention of node i to j, for head h,
    MLP([e(d_ij); e(d_ji)])_h is added, with d the shortest distances; it is the same in all layers, which are pre-norm.

    Of GHN-3, there are no tables with a row for each size, distance from the input and shortest distance: sines and
    cosines stand for these numbers, since a network larger than all that were seen would meet rows that no gradient
    has reached. Nor is there a limit to the distances that count as edges.
    """

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.operation = torch.nn.Embedding(len(OPERATIONS), width)
        self.size = torch.nn.Linear(2 * _SIZES, width)
        self.edges_in = torch.nn.Embedding(_DEGREES + 1, width)
        self.edges_out = torch.nn.Embedding(_DEGREES + 1, width)
        self.depth = torch.nn.Linear(width, width)
        self.way_in = torch.nn.Linear(2 * width, width)
        self.way_out = torch.nn.Linear(width, heads)
        self.layers = torch.nn.ModuleList(EncoderLayer(width, heads) for _ in range(layers))
        self.norm = torch.nn.LayerNorm(width)

    def forward(self, graph: GraphFeatures) -> Tensor:
        """(N, D)."""
        ways_NND = waves(graph.distances_NN, self.width).to(graph.sizes_NF.dtype)
        x_ND = self.operation(graph.operations_N) + self.size(graph.sizes_NF) + self.depth(ways_NND[0])
        x_ND = x_ND + self.edges_in(graph.degrees_N2[:, 0]) + self.edges_out(graph.degrees_N2[:, 1])
        both = torch.cat((ways_NND, ways_NND.transpose(0, 1)), dim=-1)
        bias_HNN = self.way_out(functional.relu(self.way_in(both))).permute(2, 0, 1)
        for layer in self.layers:
            x_ND = layer(x_ND, bias_HNN)
        normed: Tensor = self.norm(x_ND)
        return normed


class EncoderLayer(torch.nn.Module):
    """Biased attention and a feedforward of four times the width, each after its norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = torch.nn.LayerNorm(width)
        self.qkv = torch.nn.Linear(width, 3 * width, bias=False)
        self.out = torch.nn.Linear(width, width)
        self.feedforward_norm = torch.nn.LayerNorm(width)
        self.feedforward_in = torch.nn.Linear(width, 4 * width)
        self.feedforward_out = torch.nn.Linear(4 * width, width)

    def forward(self, x_ND: Tensor, bias_HNN: Tensor) -> Tensor:
        nodes, width = x_ND.shape
        qkv = self.qkv(self.attention_norm(x_ND)).view(nodes, 3, self.heads, width // self.heads)
        q_HNW, k_HNW, v_HNW = qkv.permute(1, 2, 0, 3)
        scores_HNN = q_HNW @ k_HNW.transpose(1, 2) / math.sqrt(width // self.heads) + bias_HNN
        mixed_ND = (scores_HNN.softmax(-1) @ v_HNW).transpose(0, 1).reshape(nodes, width)
        x_ND = x_ND + self.out(mixed_ND)
        inner = functional.gelu(self.feedforward_in(self.feedforward_norm(x_ND)))
        grown: Tensor = x_ND + self.feedforward_out(inner)
        return grown
