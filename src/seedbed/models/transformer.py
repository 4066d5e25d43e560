"""The network: one transformer for encoders, decoders and both in one, as `Architecture` says.

It handles number types by itself. Where autocast is on, everything from the embedding to the last norm runs in
autocast's type, residual stream included, on weights that are cast once where they are used; autocast's own rules
(which keep the residual stream and the norms in float32) are off inside. Without autocast it runs in the type of the
weights.

Shapes: B rows, L tokens, M tokens of a decoder, T positions, D width, V vocabulary.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.models.architecture import KERNELS, Architecture, is_hidden
from seedbed.models.attention import cross_mask
from seedbed.models.block_sparse import block_sparse_mask
from seedbed.models.copies import read_copies
from seedbed.models.energy import descend
from seedbed.models.factored import FactoredEmbedding, token_table
from seedbed.models.initialize import initialize
from seedbed.models.kept import Kept
from seedbed.models.kernel import choose_kernel
from seedbed.models.layers import Embedding, Linear, Norm, activate
from seedbed.models.network import Ranks
from seedbed.models.stack import Stack

Tensor = torch.Tensor


class Transformer(Stack):
    """A stack of layers with an output embedding, and for an encoder-decoder another stack behind it; implements
    `Network`."""

    def __init__(self, architecture: Architecture, *, seed: int | None = None, kernel: str = "auto") -> None:
        """With a seed the weights are drawn (`initialize`), without one they are left unset."""
        super().__init__(architecture, architecture.layers)
        a = architecture
        self.attention, self.width = a.attention, a.width
        self.vocabulary_size, self.max_length = a.vocabulary_size, a.max_length
        self.use_kernel(kernel)
        self.decoder = Stack(a, a.decoder_layers, cross=True) if a.decoder_layers else None
        self.head_dense = Linear(a.width, a.table_width, a.head_bias) if a.head else None
        self.head_norm = Norm(a.table_width, a.norm_kind, a.norm_eps, a.norm_bias) if a.head else None
        self.output_embedding = None if a.tied else token_table(a)
        self.output_bias = torch.nn.Parameter(torch.empty(a.vocabulary_size)) if a.output_bias else None
        self.added_embedding: torch.nn.Embedding | None = None  # given by who trains with it, and taken away again
        self.extra = torch.nn.ModuleDict()  # what else only the training needs; never saved
        self.energy_steps = a.energy_steps  # may be set to others, for more or less work on each prediction
        self.energy_head = torch.nn.Parameter(torch.empty(a.width)) if a.energy_steps else None
        self.energy_step = torch.nn.Parameter(torch.empty(1)) if a.energy_steps else None
        self._graphs = False
        if seed is not None:
            for name, parameter in self.named_parameters():
                initialize(name, parameter, seed, a)

    @property
    def stock(self) -> str | None:
        """The model type of Hugging Face's class that this network is; None if there is none."""
        from seedbed.models.families import stock_name

        return stock_name(self.architecture)

    def use_kernel(self, name: str) -> None:
        """Set the attention kernel: "products", "sdpa", "flex", or "auto" to choose by a probe at the first use."""
        if name not in KERNELS:
            raise InputError("kernel", "there is no such attention kernel", value=name, allowed=KERNELS)
        self.kernel = name
        self.kernel_note = f"attention: {name} (as set)"

    def choose_kernel(self, rows: int, length: int, dtype: torch.dtype) -> str:
        """The kernel for batches of this shape and type; `kernel_note` says why."""
        a = self.architecture
        if self.kernel == "auto" and self.distance_embedding is not None and self.embedding.weight.is_cuda:
            self.kernel_note = "attention: sdpa (on GPUs flex is untried with learned biases of distances)"
            return "sdpa"
        if self.kernel == "auto":
            name, self.kernel_note = choose_kernel(
                self.embedding.weight.device,
                dtype,
                rows=rows,
                length=length,
                heads=a.heads,
                kv_heads=a.kv_heads,
                head_width=a.head_width,
                causal=a.causal,
            )
            return name
        return self.kernel

    def _kernel_of(self, rows: int, length: int, dtype: torch.dtype, kept: Kept | None) -> str:
        """The kernel of a pass: masks of what goes on behind what is kept are none of FlexAttention's."""
        if kept is None or not kept.goes_on:
            return self.choose_kernel(rows, length, dtype)
        return "sdpa" if self.kernel != "products" else self.kernel

    def compile_layers(self, *, graphs: bool) -> None:
        """Let torch's compiler take each layer, all of one shape by one program; with `graphs` a GPU replays recorded
        calls (CUDA graphs) in place of being told them one by one, and what `hidden` gives is to be used up, backward
        included, before it is called again."""
        if self.energy_head is not None:
            return  # compiled layers have no gradients of gradients
        self._graphs = graphs
        for layer in (*self.layers, *(self.decoder.layers if self.decoder is not None else ())):
            layer.compile(mode="reduce-overhead" if graphs else None)

    def hidden(
        self,
        tokens_BL: Tensor,
        segments_BL: Tensor | None = None,
        positions_BL: Tensor | None = None,
        ranks: Ranks | None = None,
        kept: Kept | None = None,
    ) -> Tensor:
        """The last hidden states (B, L, D), in the type of the computation; see `Network.hidden`. With `kept`, which
        causal networks can have (`Architecture.goes_on`), tokens stand behind those that were read with it before."""
        if ranks is not None and self.attention not in ("prefix", "bidirectional"):
            raise InputError(
                "ranks",
                "are for networks with prefix attention, and for encoders",
                value=self.attention,
                fix="attention: prefix",
            )
        return self.read(self.embedding(tokens_BL), segments_BL, positions_BL, ranks, kept)

    def read(
        self,
        embedded_BLD: Tensor,
        segments_BL: Tensor | None = None,
        positions_BL: Tensor | None = None,
        ranks: Ranks | None = None,
        kept: Kept | None = None,
    ) -> Tensor:
        """`hidden` for vectors in the place of embedded tokens."""
        assert kept is None or (self.architecture.goes_on and self.decoder is None)
        (rows, length), dtype = embedded_BLD.shape[:2], self._dtype()
        if self.energy_head is not None:
            with _no_autocast(embedded_BLD.device):
                return descend(self, embedded_BLD, segments_BL, positions_BL).to(dtype)
        kernel = self._kernel_of(rows, length, dtype, kept)
        if self._graphs:
            torch.compiler.cudagraph_mark_step_begin()
        with _no_autocast(embedded_BLD.device):
            if self.architecture.copies > 1:
                return read_copies(self, embedded_BLD, segments_BL, positions_BL, dtype=dtype, kernel=kernel)
            mask = self._sparse_mask(segments_BL, positions_BL, (rows, length), ranks, dtype=dtype, kernel=kernel)
            return self.states(
                embedded_BLD, segments_BL, positions_BL, dtype=dtype, kernel=kernel, ranks=ranks, mask=mask, kept=kept
            )

    def _sparse_mask(
        self,
        segments_BL: Tensor | None,
        positions_BL: Tensor | None,
        shape: tuple[int, int],
        ranks: Ranks | None,
        **kinds: Any,
    ) -> Any:
        """That of block-sparse attention; None for other networks."""
        if self.architecture.sparse is None:
            return None
        if ranks is not None:
            raise InputError("ranks", "are not for block-sparse attention, which knows its own", fix="sparse: null")
        device = self.embedding.weight.device
        return block_sparse_mask(self.architecture, segments_BL, positions_BL, shape, device=device, **kinds)

    def decoded(
        self, tokens_BL: Tensor, segments_BL: Tensor | None, positions_BL: Tensor | None, decoder: Any
    ) -> Tensor:
        """The decoder's last hidden states (B, M, D); see `Network.decoded`."""
        return self.decode(self.hidden(tokens_BL, segments_BL, positions_BL), segments_BL, decoder)

    def decode(self, states_BLD: Tensor, segments_BL: Tensor | None, decoder: Any, kept: Kept | None = None) -> Tensor:
        """`decoded` from the encoder's states, for who decodes several times over the same ones. With `kept` the
        decoder's tokens stand behind those that were read with it before."""
        if self.decoder is None:
            raise InputError("model", "has no decoder", value=self.attention, fix="the backbone encoder_decoder")
        (rows, length, _), dtype = states_BLD.shape, states_BLD.dtype
        kernel = self._kernel_of(rows, length, dtype, kept)
        tokens_BM, segments_BM = decoder.tokens_BM, decoder.segments_BM
        shape, embedded_BMD = (rows, tokens_BM.shape[1], length), self.embedding(tokens_BM)
        with _no_autocast(states_BLD.device):
            return self.decoder.states(
                embedded_BMD,
                segments_BM,
                decoder.positions_BM,
                dtype=dtype,
                kernel=kernel,
                over=(states_BLD, cross_mask(segments_BM, segments_BL, shape, dtype, kernel)),
                kept=kept,
            )

    def head(self, hidden_TD: Tensor) -> Tensor:
        """Dense, activation and norm where the architecture has them; else the hidden states. With width transfer
        divided by the ratio of the widths, and where the output is scaled by sqrt(D): the multiplier of the logits. Of
        a factored output embedding the last part is the product with its primitives."""
        a = self.architecture
        ratio = a.width_ratio * (math.sqrt(a.width) if a.scaled_output else 1.0)
        if self.head_dense is not None and self.head_norm is not None:
            with _no_autocast(hidden_TD.device):
                hidden_TD = self.head_norm(activate(self.head_dense(hidden_TD), a.head_activation))
        hidden_TD = hidden_TD if ratio == 1 else hidden_TD / ratio
        table = self._output_table()
        if isinstance(table, FactoredEmbedding):
            with _no_autocast(hidden_TD.device):
                return table.projected(hidden_TD)
        return hidden_TD

    def output(self) -> tuple[Tensor, Tensor | None]:
        return self._output_table().weight, self.output_bias

    def _output_table(self) -> Embedding:
        return self.embedding if self.output_embedding is None else self.output_embedding

    def logits(self, hidden_TD: Tensor) -> Tensor:
        """(T, V), in the type of the hidden states."""
        weight_VD, bias_V = self.output()
        with _no_autocast(hidden_TD.device):
            bias = None if bias_V is None else bias_V.to(hidden_TD.dtype)
            return functional.linear(self.head(hidden_TD), weight_VD.to(hidden_TD.dtype), bias)

    def rate_scale(self, name: str) -> float:
        """How many times the optimizer's learning rate a parameter's is: less than 1 for matrices between layers of a
        network that is wider than the one whose settings it takes over."""
        return 1 / self.architecture.width_ratio if is_hidden(name) else 1.0

    def folded(self, name: str, value: Tensor) -> Tensor:
        """A parameter's value in the standard network that computes the same logits: the multipliers of width transfer
        become part of the queries' projection and of the last norm. (Without a head that norm gives the hidden states,
        which are then divided as well.)"""
        a = self.architecture
        if a.base_width is None:
            return value
        if name.startswith(f"{a.last_norm}."):
            return value / a.width_ratio
        if ".qkv." in name:
            return torch.cat((value[: a.query_width] * a.query_scale, value[a.query_width :]))
        return value

    def save(self, folder: Path) -> None:
        from seedbed.models.huggingface import write_network

        write_network(self, folder)

    def _dtype(self) -> torch.dtype:
        kind = self.embedding.weight.device.type
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else self.embedding.weight.dtype


def _no_autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, enabled=False)
