"""The graph hypernetwork: from the description of a network to its weights.

Shapes: B rows, L tokens, N nodes, P parameters, D width of the hypernetwork.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.models.architecture import Architecture, is_table
from seedbed.models.transformer import Transformer
from seedbed.surgery.hypernetwork.decoder import LowRankDecoder, normalized
from seedbed.surgery.hypernetwork.encoder import Encoder, GraphFeatures
from seedbed.surgery.hypernetwork.graph import graph_of
from seedbed.surgery.substitution import with_weights

Tensor = torch.Tensor
_ENTRIES = 0.2  # deviation of decoded entries at the beginning


@dataclass(frozen=True)
class Sizes:
    """Of a hypernetwork: `widest` is the largest dimension of a parameter that it can predict."""

    hidden: int
    blocks: int
    heads: int
    rank: int
    widest: int

    def __post_init__(self) -> None:
        for name in ("hidden", "blocks", "heads", "rank"):
            if getattr(self, name) < 1:
                raise InputError(name, "must be at least 1", value=getattr(self, name))
        if self.hidden % (2 * self.heads):
            raise InputError("hidden", f"must be a multiple of twice the heads ({self.heads})", value=self.hidden)


class Target(torch.nn.Module):
    """A network whose weights are predicted. It has none of its own, and no memory for them."""

    def __init__(self, architecture: Architecture, kernel: str = "auto") -> None:
        super().__init__()
        graph = graph_of(architecture)
        self.architecture, self.shapes = architecture, graph.shapes
        self.node = {name: index for index, name in enumerate(graph.names) if name is not None}
        assert self.node.keys() == self.shapes.keys()
        self.features = GraphFeatures(graph)
        with torch.device("meta"):
            network = Transformer(architecture, kernel=kernel)
        self._network = [network]  # in a list, for its parameters are not this module's

    @property
    def network(self) -> Transformer:
        return self._network[0]

    def apply_with(self, weights: dict[str, Tensor], use: Callable[[Transformer], Any]) -> Any:
        """What `use` gives for the network with these weights, through which gradients flow."""
        return with_weights(self.network, weights, use)


class GraphHypernetwork(torch.nn.Module):
    """Encoder and decoder, and the networks (`targets`) that it is trained on. To a training loop it is a network whose
    own weights are the hypernetwork's."""

    def __init__(
        self,
        sizes: Sizes,
        like: Architecture,
        architectures: Sequence[Architecture] = (),
        *,
        seed: int | None = None,
        kernel: str = "auto",
    ) -> None:
        """`like` says what the networks have in common. With a seed the weights are drawn."""
        super().__init__()
        self.sizes, self.like, self.kernel, self.kernel_note = sizes, like, kernel, ""
        self.attention, self.vocabulary_size, self.max_length = like.attention, like.vocabulary_size, like.max_length
        self.encoder = Encoder(sizes.hidden, sizes.blocks, sizes.heads)
        self.decoder = LowRankDecoder(sizes.hidden, sizes.rank, sizes.widest)
        self.targets: Any = torch.nn.ModuleList(Target(architecture, kernel) for architecture in architectures)
        if seed is not None:
            self._initialize(seed)

    def weights(self, target: Target) -> dict[str, Tensor]:
        """All weights of a network by name, in float32. Raises InputError for one that is too wide."""
        widest = max(max(shape) for shape in target.shapes.values())
        if widest > self.sizes.widest:
            raise InputError(
                "to",
                "has a parameter that is too wide for the hypernetwork",
                value=widest,
                allowed=f"dimensions up to {self.sizes.widest}",
                fix="a hypernetwork that was trained with a wider `model`",
            )
        found: dict[str, Tensor] = {}
        with torch.autocast(target.features.sizes_NF.device.type, enabled=False):
            nodes_ND = self.encoder(target.features)
            # apart, for tables have many more rows
            for names in ([n for n in target.node if is_table(n)], [n for n in target.node if not is_table(n)]):
                nodes_PD = nodes_ND[[target.node[name] for name in names]]
                decoded = self.decoder(nodes_PD, [target.shapes[name] for name in names])
                for name, value in zip(names, decoded, strict=True):
                    found[name] = normalized(name, value, target.architecture)
        return found

    @property
    def largest(self) -> Target:
        """Of the networks that it is trained on."""
        found: Target = max(self.targets, key=lambda target: target.architecture.num_parameters())
        return found

    def hidden(self, tokens_BL: Tensor) -> Tensor:
        """Hidden states of the largest network (B, L, its width); for measuring what a pass keeps in memory."""
        states: Tensor = self.largest.apply_with(self.weights(self.largest), lambda network: network.hidden(tokens_BL))
        return states

    def choose_kernel(self, rows: int, length: int, dtype: torch.dtype) -> str:
        """The attention kernel, for all of them as for the largest."""
        target = self.largest
        name: str = target.apply_with(self.weights(target), lambda network: network.choose_kernel(rows, length, dtype))
        self.kernel_note = target.network.kernel_note
        return name

    def use_kernel(self, name: str) -> None:
        """Set it."""
        for target in self.targets:
            target.network.use_kernel(name)

    @torch.no_grad()
    def _initialize(self, seed: int) -> None:
        """A pure function of the seed and the names: matrices normal with a deviation of sqrt(2 / inputs) in the
        decoder (He et al., 2015) and sqrt(1 / inputs) in the encoder, biases zero, embeddings normal with a deviation
        of 1 / sqrt(width) (GHN-3); the decoder's last matrix such that entries of A B have a deviation near 0.2. The
        authors leave most to torch: then biases outweigh what a node says, and all weights begin nearly alike."""
        for path, module in self.named_modules():
            if not isinstance(module, torch.nn.Linear | torch.nn.Embedding):
                continue
            if isinstance(module, torch.nn.Embedding):
                deviation = 1 / math.sqrt(module.embedding_dim)
            else:
                gain = 2.0 if path.startswith("decoder") else 1.0
                if module is self.decoder.fourth:  # a sum of `rank` products of two such entries
                    gain = _ENTRIES / math.sqrt(self.sizes.rank)
                deviation = math.sqrt(gain / module.in_features)
                if module.bias is not None:
                    module.bias.zero_()
            drawing = torch.Generator().manual_seed(key(seed, "hypernetwork", path) >> 1)
            module.weight.normal_(0.0, deviation, generator=drawing)
