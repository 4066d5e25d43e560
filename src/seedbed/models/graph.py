"""A graph beside a text: attention over nodes, which exchanges states with a transformer layer by layer.

Shapes: B rows, L tokens a row, N nodes of a row, D width of the text's states, G width of the nodes', H heads, E width
of a head, T types of edges, P triples, K wrong nodes.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.core.files import storage_errors
from seedbed.data.knowledge import NO_EDGE, PADDING, KnowledgeGraph, Subgraphs
from seedbed.models.initialize import DEVIATION

if TYPE_CHECKING:
    from seedbed.models.network import Network

FILE = "graph.safetensors"
EXTRA = "graph"  # in `network.extra`
Fusion = Literal["deep", "late"]
Tensor = torch.Tensor


@dataclass(frozen=True)
class GraphShape:
    """`width` of a node's state, `heads` of attention, `fused` layers, how they meet the text, `nodes` of a row at
    most, and how many `hops` away from what is mentioned."""

    width: int = 64
    heads: int = 2
    fused: int = 2
    fusion: Fusion = "deep"
    nodes: int = 32
    hops: int = 2


class GraphLayer(torch.nn.Module):
    """Attention of each node over its neighbors, by their states and by the edges' types, then a feedforward."""

    def __init__(self, shape: GraphShape, types: int) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.attention_norm, self.feedforward_norm = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.qkv = torch.nn.Linear(width, 3 * width, bias=False)  # types' keys and values stand in its place
        self.type_keys, self.type_values = (torch.nn.Parameter(torch.empty(types, width)) for _ in range(2))
        self.attention_out = torch.nn.Linear(width, width)
        self.feedforward_in, self.feedforward_out = torch.nn.Linear(width, 2 * width), torch.nn.Linear(2 * width, width)

    def forward(self, nodes_BNG: Tensor, types_BNN: Tensor) -> Tensor:
        """The nodes' next states."""
        mixed = nodes_BNG + self.attention_out(self.attend(self.attention_norm(nodes_BNG), types_BNN))
        inner = functional.gelu(self.feedforward_in(self.feedforward_norm(mixed)))
        return mixed + self.feedforward_out(inner)  # type: ignore[no-any-return]

    def attend(self, nodes_BNG: Tensor, types_BNN: Tensor) -> Tensor:
        """For each node i the sum over its neighbors j, itself among them, of a_ij (v_j + v_type(ij)), with a the
        softmax of q_i (k_j + k_type(ij)) / sqrt(E)."""
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(nodes_BNG).chunk(3, -1))
        keys_THE, values_THE = (p.unflatten(-1, (self.heads, -1)) for p in (self.type_keys, self.type_values))
        index_BHNN = types_BNN[:, None].expand(-1, self.heads, -1, -1)
        scores_BHNN = q @ k.transpose(2, 3) + torch.einsum("bhne,the->bhnt", q, keys_THE).gather(3, index_BHNN)
        scores_BHNN = scores_BHNN / math.sqrt(q.shape[-1])
        shares_BHNN = scores_BHNN.masked_fill(index_BHNN == NO_EDGE, -torch.inf).softmax(-1)
        by_type = shares_BHNN.new_zeros(*shares_BHNN.shape[:3], len(keys_THE)).scatter_add(3, index_BHNN, shares_BHNN)
        mixed = shares_BHNN @ v + torch.einsum("bhnt,the->bhne", by_type, values_THE)
        return mixed.transpose(1, 2).flatten(2)


class Exchange(torch.nn.Module):
    """Two layers over the states of the token and of the node where text and graph meet, added to both. Its outputs
    begin small, so a network begins nearly as it was without a graph."""

    def __init__(self, text: int, graph: int) -> None:
        super().__init__()
        self.norm = torch.nn.LayerNorm(text + graph)
        self.inner, self.outer = (torch.nn.Linear(text + graph, text + graph) for _ in range(2))

    def forward(self, token_BD: Tensor, node_BG: Tensor) -> tuple[Tensor, Tensor]:
        """Both, after they have met."""
        met = self.outer(functional.gelu(self.inner(self.norm(torch.cat((token_BD, node_BG), -1)))))
        change_BD, change_BG = met.split((token_BD.shape[-1], node_BG.shape[-1]), -1)
        return token_BD + change_BD, node_BG + change_BG


@dataclass
class _State:
    """The nodes of a pass, as far as they have come, and their edges."""

    nodes_BNG: Tensor
    types_BNN: Tensor


class GraphSide(torch.nn.Module):
    """What stands beside a bidirectional network's last `fused` layers: node embeddings, as many layers of attention
    over nodes, exchanges, and DistMult's relations (Yang et al., 2015). `deep` exchanges before each of the layers,
    `late` has the same parameters and makes all of its exchanges behind the last. Once it is attached, texts that are
    read through it have their graphs beside them; the network's other passes are as they were."""

    def __init__(self, shape: GraphShape, graph: KnowledgeGraph, text_width: int, seed: int) -> None:
        super().__init__()
        self.shape, self.graph = shape, graph
        self.embedding = torch.nn.Embedding(graph.num_nodes, shape.width)
        self.mentioned = torch.nn.Parameter(torch.empty(shape.width))
        self.layers = torch.nn.ModuleList(GraphLayer(shape, graph.num_types) for _ in range(shape.fused))
        self.exchanges = torch.nn.ModuleList(Exchange(text_width, shape.width) for _ in range(shape.fused))
        self.last_norm = torch.nn.LayerNorm(shape.width)
        self.relations = torch.nn.Parameter(torch.empty(len(graph.relations), shape.width))
        self._draw(seed)
        self._state: _State | None = None
        self._handles: list[Any] = []

    @torch.no_grad()
    def _draw(self, seed: int) -> None:
        """Every parameter by a generator of its own: matrices of layers by their width, what exchanges give small, and
        tables, to which all nodes' states are normed, with a deviation of 1."""
        from seedbed.core.counters import key

        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif "norm" in name:
                parameter.fill_(1.0)
            else:
                source = torch.Generator().manual_seed(key(seed, "graph side", name) >> 1)
                table = name in ("relations", "embedding.weight", "mentioned") or ".type_" in name
                narrow = DEVIATION if ".outer." in name else parameter.shape[-1] ** -0.5
                deviation = 1.0 if table else narrow
                parameter.copy_(torch.randn(parameter.shape, generator=source) * deviation)

    def attach(self, network: Any) -> None:
        """Stand beside a network's last layers."""
        for number, layer in enumerate(network.layers[-self.shape.fused :]):
            self._handles.append(layer.register_forward_pre_hook(self._hook(number)))

    def remove(self) -> None:
        """The network as it was."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _hook(self, number: int) -> Any:
        def before(module: torch.nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
            del module
            if self._state is None:
                return None
            hidden_BLD, *beside = given
            if self.shape.fusion == "deep":
                hidden_BLD = self._meet(number, hidden_BLD, self._state)
            with torch.autocast(hidden_BLD.device.type, enabled=False):
                self._state.nodes_BNG = self.layers[number](self._state.nodes_BNG, self._state.types_BNN)
            return (hidden_BLD, *beside)

        return before

    def read(
        self, network: Network, tokens_BL: Tensor, segments_BL: Any, positions_BL: Any, graphs: Subgraphs
    ) -> tuple[Tensor, Tensor]:
        """The text's last hidden states (B, L, D) and the nodes' (B, N, G; float32). The token where they meet is the
        first of the row."""
        assert self._handles, "attach it first"
        self._state = state = _State(self._embedded(graphs), graphs.types_BNN)
        try:
            hidden_BLD = network.hidden(tokens_BL, segments_BL, positions_BL)
        finally:
            self._state = None
        if self.shape.fusion == "late":
            for number in range(self.shape.fused):
                hidden_BLD = self._meet(number, hidden_BLD, state)
        with torch.autocast(hidden_BLD.device.type, enabled=False):
            return hidden_BLD, self.last_norm(state.nodes_BNG)

    def _embedded(self, graphs: Subgraphs) -> Tensor:
        """Nodes by their numbers; those that the text mentions are marked."""
        there_BN = graphs.nodes_BN != PADDING
        mentioned_BN = graphs.types_BNN[:, 0] == self.graph.num_types - 1
        nodes_BNG = self.embedding(graphs.nodes_BN) * there_BN[..., None] + self.mentioned * mentioned_BN[..., None]
        return nodes_BNG.float()  # type: ignore[no-any-return]

    def _meet(self, number: int, hidden_BLD: Tensor, state: _State) -> Tensor:
        with torch.autocast(hidden_BLD.device.type, enabled=False):
            token_BD, node_BG = self.exchanges[number](hidden_BLD[:, 0].float(), state.nodes_BNG[:, 0])
        state.nodes_BNG = torch.cat((node_BG[:, None], state.nodes_BNG[:, 1:]), 1)
        return torch.cat((token_BD.to(hidden_BLD.dtype)[:, None], hidden_BLD[:, 1:]), 1)

    def link_scores(self, nodes_BNG: Tensor, graphs: Subgraphs) -> tuple[Tensor, Tensor]:
        """DistMult's of the triples that are held out (P), and of those with a wrong node in their place (P, K): the
        sum over G of head, relation and tail, over sqrt(G)."""
        row_P = graphs.row_P
        head_PG, tail_PG = nodes_BNG[row_P, graphs.head_P], nodes_BNG[row_P, graphs.tail_P]
        relation_PG = self.relations[graphs.relation_P] / math.sqrt(self.shape.width)
        kept_PG = torch.where(graphs.heads_P[:, None], tail_PG, head_PG)
        wrong_PKG = nodes_BNG[row_P[:, None], graphs.wrong_PK]
        return (head_PG * relation_PG * tail_PG).sum(-1), ((kept_PG * relation_PG)[:, None] * wrong_PKG).sum(-1)

    @staticmethod
    def flops_per_row(shape: GraphShape, types: int, text_width: int) -> float:
        """Forward and backward for the graph of a row: products with matrices, and attention."""
        nodes, width = shape.nodes, shape.width
        layer = nodes * (8 * width * width + 2 * nodes * width + 2 * types * width)
        return 6.0 * shape.fused * (layer + 2 * (text_width + width) ** 2)

    def save(self, folder: Path) -> None:
        """`graph.safetensors`: the weights, the triples, and in its metadata names and shape."""
        from safetensors.torch import save_file

        tensors = {name: value.detach().float().cpu().contiguous() for name, value in self.state_dict().items()}
        tensors["triples"] = torch.from_numpy(self.graph.triples_E3.copy())
        known = {"entities": self.graph.entities, "relations": self.graph.relations, "shape": asdict(self.shape)}
        with storage_errors(folder / FILE):
            folder.mkdir(parents=True, exist_ok=True)
            save_file(tensors, folder / FILE, metadata={"graph": json.dumps(known, ensure_ascii=False)})

    @classmethod
    def load(cls, folder: Path, text_width: int) -> GraphSide | None:
        """That of a model's folder; None if it has none."""
        from safetensors import safe_open

        if not (folder / FILE).is_file():
            return None
        with safe_open(folder / FILE, framework="pt") as file:
            known = json.loads(file.metadata()["graph"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
        graph = KnowledgeGraph(known["entities"], known["relations"], tensors.pop("triples").numpy())
        side = cls(GraphShape(**known["shape"]), graph, text_width, 0)
        side.load_state_dict(tensors)
        return side


def check_layers(network: Any, shape: GraphShape, parameter: str) -> None:
    """Raises InputError for a network that has fewer layers than are to be fused."""
    if shape.fused > len(network.layers):
        raise InputError(parameter, f"are more than the network's {len(network.layers)} layers", value=shape.fused)
