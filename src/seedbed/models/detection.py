"""What detection adds to an encoder while it trains: a head that judges every token, and a small network that writes
the replacements. Shapes: T targets, N judged tokens, D width, E width of shared tables, G width of the generator,
V vocabulary, C rows of a chunk.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.core.files import write_json
from seedbed.models.factored import refuse_primitives
from seedbed.models.families.base import Part
from seedbed.models.families.electra import GENERATOR, PROJECTION, Electra
from seedbed.models.huggingface import CONFIG, WEIGHTS, write_network
from seedbed.models.initialize import initialize
from seedbed.models.layers import Embedding, Linear, Norm, activate
from seedbed.models.transformer import Transformer

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture

Tensor = torch.Tensor
Sharing = Literal["shared", "disentangled", "none"]
_VOCABULARY_HEAD = ("head_dense", "head_norm", "output_embedding", "output_bias")
_CHUNK_VALUES = 1 << 22  # probabilities held at a time


class DetectionHead(torch.nn.Module):
    """Dense, activation, and one logit for each token, above 0 if it was replaced: ELECTRA's."""

    def __init__(self, architecture: Architecture, name: str, seed: int) -> None:
        super().__init__()
        self.activation = architecture.activation
        self.dense = Linear(architecture.width, architecture.width, bias=True)
        self.dense_prediction = Linear(architecture.width, 1, bias=True)
        for part, parameter in self.named_parameters():
            initialize(f"{name}.{part}", parameter, seed, architecture)

    def forward(self, hidden_ND: Tensor) -> Tensor:
        """Logits (N), in float32."""
        logits_N1: Tensor = self.dense_prediction(activate(self.dense(hidden_ND), self.activation))
        return logits_N1.squeeze(1).float()


@dataclass
class VocabularyHead:
    """What a network without its head over the vocabulary had, to be put back."""

    architecture: Architecture
    modules: dict[str, Any]


def headless(architecture: Architecture) -> Architecture:
    """The same encoder without a head over the vocabulary."""
    return replace(architecture, head=False, head_bias=False, output_bias=False, tied=True)


def take_head(network: Transformer) -> VocabularyHead | None:
    """Take the head over the vocabulary away, which detection does not train; None if there is none."""
    if network.architecture == headless(network.architecture):
        return None
    taken = VocabularyHead(network.architecture, {name: getattr(network, name) for name in _VOCABULARY_HEAD})
    for name in _VOCABULARY_HEAD:
        setattr(network, name, None)
    network.architecture = headless(network.architecture)
    return taken


def put_head_back(network: Transformer, taken: VocabularyHead) -> None:
    """The head as it was, where the network's class cannot be without one."""
    for name, module in taken.modules.items():
        setattr(network, name, None if module is None else module.to(network.embedding.weight.device))
    network.architecture = replace(taken.architecture, special=network.architecture.special)


def save_head(head: DetectionHead, folder: Path) -> None:
    """The head among the tensors of an ELECTRA, or in `detection_head.safetensors` of its own elsewhere."""
    from safetensors.torch import load_file, save_file

    from seedbed.core.files import read_json

    is_electra = (folder / CONFIG).is_file() and read_json(folder / CONFIG)["model_type"] == "electra"
    path = folder / (WEIGHTS if is_electra else "detection_head.safetensors")
    prefix = "discriminator_predictions." if is_electra else ""
    others = load_file(path) if is_electra else {}
    own = {prefix + name: p.detach().to("cpu", torch.float32).contiguous() for name, p in head.named_parameters()}
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    save_file({**others, **own}, temporary, metadata={"format": "pt"})
    temporary.replace(path)


def load_head(folder: Path, architecture: Architecture) -> DetectionHead:
    """What `save_head` has written, or another ELECTRA's. Raises InputError where there is none."""
    from safetensors import safe_open

    made = DetectionHead(architecture, "detection", 0)
    for path, prefix in ((folder / "detection_head.safetensors", ""), (folder / WEIGHTS, "discriminator_predictions.")):
        if not path.is_file():
            continue
        with safe_open(path, "pt") as file:
            known = set(file.keys())
            found = {name: file.get_tensor(prefix + name) for name in made.state_dict() if prefix + name in known}
        if len(found) == len(made.state_dict()):
            made.load_state_dict(found)
            return made.eval()
    raise InputError(str(folder), "has no head that judges tokens", fix="train with an objective of detection: rtd")


class Projected(Transformer):
    """An encoder with another one's tables, of another width: its input is projected from their width, and its head
    projects back to it (ELECTRA's generator with shared embeddings)."""

    table_norm: Norm | None

    def __init__(self, architecture: Architecture, tables: dict[str, Any], width: int, seed: int, kernel: str) -> None:
        super().__init__(architecture, kernel=kernel)
        a = architecture
        self.embedding_norm = None
        for name, module in tables.items():
            setattr(self, "table_norm" if name == "embedding_norm" else name, module)
        self.projection = Linear(width, a.width, bias=True)
        self.head_dense = Linear(a.width, width, a.head_bias)
        self.head_norm = Norm(width, a.norm_kind, a.norm_eps, a.norm_bias)
        given = {p for module in tables.values() if module is not None for p in module.parameters()}
        for name, parameter in self.named_parameters():
            if parameter not in given:
                initialize(f"generator.{name}", parameter, seed, a)

    def _placed(self, x: Tensor, positions_BL: Tensor | None, length: int) -> Tensor:
        """With the embeddings of positions and types, projected to the width of the layers."""
        x = super()._placed(x, positions_BL, length).to(self._dtype())
        projected: Tensor = self.projection(x if self.table_norm is None else self.table_norm(x))
        return projected


class Disentangled(torch.nn.Module):
    """A table that is the sum of another network's, which it does not train, and of its own, which begins at zero
    (gradient-disentangled embedding sharing; He et al., 2021, DeBERTaV3)."""

    def __init__(self, base: Embedding) -> None:
        super().__init__()
        self.own_embedding = Embedding(*base.weight.shape)
        torch.nn.init.zeros_(self.own_embedding.weight).requires_grad_(base.weight.requires_grad)
        self._base = [base]  # in a list, or its weights would be this module's too

    @property
    def weight(self) -> Tensor:
        return self._base[0].weight.detach() + self.own_embedding.weight

    def forward(self, tokens_BL: Tensor) -> Tensor:
        own: Tensor = self.own_embedding(tokens_BL)
        return own + functional.embedding(tokens_BL, self._base[0].weight.detach())


def small_architecture(architecture: Architecture, *, width: float, layers: float) -> Architecture:
    """A generator of these shares of the width and layers, with heads at least as wide as the discriminator's."""
    a = architecture
    size = max(8, round(a.width * width / 8) * 8)
    heads = next(n for n in range(max(1, size // a.head_width), 0, -1) if size % n == 0 and size // n % 2 == 0)
    count = max(1, round(a.layers * layers))
    return replace(
        a,
        width=size,
        embedding_width=None,
        primitives=None,
        layers=count,
        heads=heads,
        kv_heads=heads,
        head_width=size // heads,
        feedforward=max(8, round(a.feedforward * size / a.width / 8) * 8),
        windows=a.windows[:count],
        head=True,
        head_activation="gelu",
        head_bias=a.feedforward_bias,
        output_bias=True,
        tied=True,
    )


def generator_flops(small: Architecture, length: int, *, tables: int, classes: int, targets: float) -> float:
    """Forward and backward for a token of a generator of `small` over tables of this width: its logits over `classes`
    are for a share of the tokens, and are computed a second time to draw from."""
    projection = 6.0 * tables * small.width if tables != small.width else 0.0
    logits = targets * tables * (6.0 * small.width + 8.0 * classes)
    return small.flops_per_token(length, 0.0) + projection + logits


def make_generator(network: Transformer, small: Architecture, sharing: Sharing, seed: int) -> Transformer:
    """The generator, with the network's tables (tokens, positions, types, and their norm), with such as the network's
    are then told apart from, or with its own."""
    if sharing == "none":
        return Transformer(small, seed=seed, kernel=network.kernel)
    names = ("embedding", "position_embedding", "type_embedding", "embedding_norm")
    tables: dict[str, Any] = {name: getattr(network, name) for name in names}
    refuse_primitives(network.architecture.primitives, "objective")
    if type(network.embedding) is not Embedding:
        raise InputError("objective", "the token embeddings are replaced already", fix="sharing: none")
    if sharing == "disentangled":
        tables = copy.deepcopy(tables)
        for name in names[:2]:
            if tables[name] is not None:
                setattr(network, name, Disentangled(tables[name]))
    table_width = network.architecture.table_width
    if small.width != table_width:
        return Projected(small, tables, table_width, seed, network.kernel)
    made = Transformer(small, seed=seed, kernel=network.kernel)
    for name, module in tables.items():
        setattr(made, name, module)
    return made


@torch.no_grad()
def entangle(network: Transformer) -> None:
    """Plain tables in the place of `Disentangled` ones."""
    for name in ("embedding", "position_embedding"):
        module = getattr(network, name)
        if isinstance(module, Disentangled):
            made = Embedding(*module.weight.shape)
            made.weight = torch.nn.Parameter(module.weight.clone())
            setattr(network, name, made)


@torch.no_grad()
def draw(states_TD: Tensor, weight_VD: Tensor, bias_V: Tensor | None, draws_T: Tensor) -> Tensor:
    """A token for each state, from the softmax of its logits: the first whose cumulated probability exceeds the
    uniform number drawn for it."""
    found = [states_TD.new_empty(0, dtype=torch.int64)]
    with torch.autocast(states_TD.device.type, enabled=False):
        matrix_VD = weight_VD.to(states_TD.dtype)
        bias = None if bias_V is None else bias_V.to(states_TD.dtype)
        size = max(1, _CHUNK_VALUES // len(weight_VD))
        for states_CD, draws_C in zip(states_TD.split(size), draws_T.split(size), strict=True):
            chances_CV = functional.linear(states_CD, matrix_VD, bias).softmax(-1, dtype=torch.float32)
            sums_CV = chances_CV.cumsum(-1, dtype=torch.float64)
            wanted_C1 = (draws_C * sums_CV[:, -1])[:, None]
            found.append(torch.searchsorted(sums_CV, wanted_C1, right=True).squeeze(1))
    return torch.cat(found).clamp_(max=len(weight_VD) - 1)


def save_generator(generator: Transformer, folder: Path) -> None:
    """A folder of the generator's class. One with shared tables of another width is an ELECTRA's where the rest is
    BERT's; else no class has it, and its weights are kept under our names."""
    if not isinstance(generator, Projected):
        write_network(generator, folder)
        return
    from safetensors.torch import save_file

    a, family = generator.architecture, Electra()
    width = {"embedding_size": generator.embedding.weight.shape[1]}
    names: dict[str, tuple[Part, ...]] = {}
    config: dict[str, Any] = {"model_type": "seedbed-generator", "architecture": a.to_json(), **width}
    if family.describes(a):
        names = _names_of_projected(a)
        config = {**family.config(a), "architectures": [GENERATOR], **width}
    tensors: dict[str, Tensor] = {}
    for ours, parameter in generator.named_parameters():
        parts = names.get(ours, (Part(ours, len(parameter)),))
        rows = [part.rows for part in parts] if len(parts) > 1 else [len(parameter)]
        for part, value in zip(parts, parameter.detach().split(rows), strict=True):
            tensors[part.name] = value.to("cpu", torch.float32, copy=True).contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / CONFIG, {**config, "dtype": "float32", "torch_dtype": "float32"})
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def _names_of_projected(architecture: Architecture) -> dict[str, tuple[Part, ...]]:
    """ELECTRA's names, of which those of the tables' norm and the projection have other ones here."""
    names = Electra().names(architecture)
    moved = {ours.replace("embedding_norm", "table_norm"): parts for ours, parts in names.items()}
    return {
        **moved,
        "projection.weight": (Part(f"{PROJECTION}.weight", architecture.width),),
        "projection.bias": (Part(f"{PROJECTION}.bias", architecture.width),),
    }
