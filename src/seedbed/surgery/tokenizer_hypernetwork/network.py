"""The hypernetwork: from the pieces that a model's tokenizer makes of a token to the token's embeddings.

Shapes: N tokens, P pieces of all of them, G tokens of equally many pieces, L pieces of one, D width of the model,
E columns of what is read of a piece (D for each table), H width of the hypernetwork.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn import functional

from seedbed.core.counters import key
from seedbed.models.initialize import initialize
from seedbed.models.segments import Context
from seedbed.models.stack import Layer
from seedbed.surgery.initializers.subtokens import mean_of_pieces
from seedbed.surgery.tokenizer_hypernetwork.sizes import Sizes

Tensor = torch.Tensor
Tables = dict[str, Tensor]
_ANCHORS = 2048  # old tokens by which the outputs are scaled
_AT_ONCE = 8192  # tokens
_EPSILON = 1e-8


class EmbeddingPredictor(torch.nn.Module):
    """A small transformer over the old embeddings of a token's pieces; what stands at the first piece in the end is
    made into the new embeddings (Minixhofer et al., 2024, and the authors' code).

    A piece is read as its old embeddings, input and output side by side where they are not tied, each column brought to
    mean 0 and deviation 1 (0.02 there). Then a projection, three post-norm layers with a table of positions, and a head
    for each table, whose columns are scaled once, at the beginning, so that the embeddings of old tokens have the mean
    and deviation that the old table has. A token of which the old tokenizer knows nothing is read as one learned
    vector.

    With `residual` the heads give what is added to the mean of the pieces' old embeddings, and begin at zero: that is
    ours. Tokens of equally many pieces go through together, so that there is no padding.
    """

    source_mean_E: Tensor
    source_scale_E: Tensor

    def __init__(self, sizes: Sizes, *, seed: int | None = None) -> None:
        """With a seed the weights are drawn, without one they are left unset."""
        super().__init__()
        self.sizes = sizes
        read, hidden = len(sizes.tables) * sizes.width, sizes.hidden
        self.register_buffer("source_mean_E", torch.zeros(read))
        self.register_buffer("source_scale_E", torch.ones(read))
        for name in sizes.tables:
            self.register_buffer(f"{name}_shift_D", torch.zeros(sizes.width))
            self.register_buffer(f"{name}_scale_D", torch.ones(sizes.width))
        self.nothing_E = torch.nn.Parameter(torch.zeros(read))
        self.projection = torch.nn.Sequential(torch.nn.Linear(read, hidden), _Block(hidden))
        self.position_embedding = torch.nn.Embedding(sizes.pieces, hidden)
        self.embedding_norm = torch.nn.LayerNorm(hidden)
        self.layers = torch.nn.ModuleList(Layer(sizes.layer, index) for index in range(sizes.layers))
        self.heads = torch.nn.ModuleDict(
            {name: torch.nn.Sequential(_Block(hidden), torch.nn.Linear(hidden, sizes.width)) for name in sizes.tables}
        )
        if seed is not None:
            self._initialize(seed)

    def forward(self, pieces_P: Tensor, token_P: Tensor, tokens: int, old: Tables) -> Tables:
        """(N, D) for each table, of tokens 0 to `tokens` - 1: `pieces_P` are old ids, in order, and `token_P` the
        tokens that they belong to. `old` are the tables of the old vocabulary."""
        old = {name: old[name] for name in self.sizes.tables}
        groups = list(_groups(pieces_P, token_P, tokens, self.sizes.pieces))
        order_N = torch.argsort(torch.cat([group_G for group_G, _ in groups]))
        hidden_NH = torch.cat([self._read(pieces_GL, old) for _, pieces_GL in groups])[order_N]
        found = {}
        for name, old_VD in old.items():
            made_ND = self.heads[name](hidden_NH) * self._of(name, "scale") + self._of(name, "shift")
            base_ND = mean_of_pieces(old_VD, pieces_P, token_P, tokens) if self.sizes.residual else 0.0
            found[name] = base_ND + made_ND
        return found

    @torch.no_grad()
    def predict(self, pieces_P: Tensor, token_P: Tensor, tokens: int, old: Tables) -> Tables:
        """The same without gradients, for any number of tokens."""
        parts = []
        for start in range(0, tokens, _AT_ONCE):
            here = (token_P >= start) & (token_P < start + _AT_ONCE)
            number = min(_AT_ONCE, tokens - start)
            parts.append(self(pieces_P[here], token_P[here] - start, number, old))
        return {name: torch.cat([part[name] for part in parts]) for name in self.sizes.tables}

    @torch.no_grad()
    def fit_scales(self, old: Tables, plain_K: Tensor) -> None:
        """Fix the scales of what is read and of what is given, for the tables of a model; `plain_K` are its ordinary
        tokens."""
        read_KE = torch.cat([old[name][plain_K] for name in self.sizes.tables], dim=1)
        self.source_mean_E.copy_(read_KE.mean(0))
        self.source_scale_E.copy_(1 / (read_KE.std(0, correction=0) + _EPSILON))
        anchors = plain_K[:_ANCHORS]
        made = self.predict(anchors, torch.arange(len(anchors), device=anchors.device), len(anchors), old)
        for name in self.sizes.tables:
            wanted_KD = old[name][plain_K]
            deviation_D = wanted_KD.std(0, correction=0)
            if self.sizes.residual:
                self._of(name, "scale").copy_(deviation_D)
                continue
            scale_D = deviation_D / (made[name].std(0, correction=0) + _EPSILON)
            self._of(name, "scale").copy_(scale_D)
            self._of(name, "shift").copy_(wanted_KD.mean(0) - scale_D * made[name].mean(0))

    def _read(self, pieces_GL: Tensor, old: Tables) -> Tensor:
        """The state at the first piece (G, H)."""
        if pieces_GL.shape[1]:
            read_GLE = torch.cat([functional.embedding(pieces_GL, old_VD) for old_VD in old.values()], dim=-1)
            read_GLE = (read_GLE - self.source_mean_E) * self.source_scale_E
        else:
            read_GLE = self.nothing_E.expand(len(pieces_GL), 1, -1)
        x_GLH = self.projection(read_GLE) + self.position_embedding.weight[: read_GLE.shape[1]]
        x_GLH = self.embedding_norm(x_GLH)
        for layer in self.layers:
            x_GLH = layer(x_GLH, Context("products", causal=False))
        first: Tensor = x_GLH[:, 0]
        return first

    def _of(self, name: str, what: str) -> Tensor:
        found: Tensor = self.get_buffer(f"{name}_{what}_D")
        return found

    @torch.no_grad()
    def _initialize(self, seed: int) -> None:
        """A pure function of the seed and the names: the layers as in any network here, other matrices with a deviation
        of 1 / sqrt(inputs), the last ones zero where they give a residual."""
        for name, parameter in self.named_parameters():
            if name.startswith("layers.") or "norm." in name or parameter.ndim == 1:
                initialize(name, parameter, key(seed, "tokenizer hypernetwork"), self.sizes.layer)
                continue
            drawing = torch.Generator().manual_seed(key(seed, "tokenizer hypernetwork", name) >> 1)
            is_last = name.startswith("heads.") and name.endswith(".1.weight")
            deviation = 0.0 if is_last and self.sizes.residual else 1 / math.sqrt(parameter.shape[1])
            parameter.normal_(0.0, deviation, generator=drawing)


class _Block(torch.nn.Module):
    """Two layers with GELUs beside what goes in, and a norm: the authors' projector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(width, 2 * width), torch.nn.Linear(2 * width, width)
        self.norm = torch.nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Any:
        inner = functional.gelu(self.first(x), approximate="tanh")
        return self.norm(x + functional.gelu(self.second(inner), approximate="tanh"))


def _groups(pieces_P: Tensor, token_P: Tensor, tokens: int, most: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens of equally many pieces (G), and these (G, L); of more than `most` only the first ones."""
    counts_N = torch.bincount(token_P, minlength=tokens)
    starts_N = counts_N.cumsum(0) - counts_N
    sizes_N = counts_N.clamp(max=most)
    for size in torch.unique(sizes_N).tolist():
        group_G = (sizes_N == size).nonzero()[:, 0]
        yield group_G, pieces_P[starts_N[group_G][:, None] + torch.arange(size, device=pieces_P.device)]


def arrays(pieces: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Each token's pieces, as `forward` takes them."""
    flat_P = torch.tensor([index for one in pieces for index in one], dtype=torch.int64)
    counts_N = torch.tensor([len(one) for one in pieces], dtype=torch.int64)
    return flat_P, torch.repeat_interleave(torch.arange(len(pieces)), counts_N)
