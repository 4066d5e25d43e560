"""FLOPs of a network's matrix products, from its description.

6 for each weight of a product, and 12 for each layer, token seen and column of the queries, for scores and mixing:
those of forward and backward (Chowdhery et al., 2022, appendix B), of which forward is a third. Attention counts all
tokens of a row even where it is causal or windowed, as it is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture


def flops_per_token(
    architecture: Architecture, length: int, targets: float = 1.0, written: float | None = None
) -> float:
    """Forward and backward for a token that is read, in a row of `length`. Logits and the head count for the share of
    positions that have `targets`. Of an encoder-decoder the tokens are its encoder's; for each of them its decoder
    reads as many as are `written`, by default as many as there are targets."""
    a = architecture
    attention, dense = _attention(a), _dense(a)
    attends = sum(a.mixer(index) is None for index in range(a.layers))
    feeds = sum(a.has_feedforward(index) and a.feedforward_block(index) is None for index in range(a.layers))
    layers = 6.0 * (attends * attention + feeds * dense)
    seen = 12.0 * attends * a.copies * length * a.query_width
    # a step of an energy's descent: two columns a token forward and their slopes, and the backward of both
    flops = a.energy_steps * (4 * layers + 12 * seen) if a.energy_steps else a.copies * (layers + seen)
    head = a.table_width * a.width if a.head else 0
    flops += 6.0 * targets * (a.token_width * a.vocabulary_size + _primitives(a) + head)
    flops += 6.0 * a.table_width * a.width if a.embedding_width is not None else 0.0
    flops += 6.0 * _primitives(a)
    flops += sum(block.flops(a, layer, length) for _, block, layer in a.blocks())
    if a.decoder_layers:
        written = targets if written is None else written
        flops += written * decoder_flops(a, length * written, length) + memory_flops(a)
    return flops


def decoder_flops(architecture: Architecture, length: float, read: float) -> float:
    """The same for a token of an encoder-decoder's decoder, in a row of `length` over `read` states of the encoder,
    without logits, and without the keys and values of those states."""
    a = architecture
    layer = _attention(a) + _dense(a) * (2 if a.interleaved else 1) + 2 * a.width * a.query_width
    return a.decoder_layers * (6.0 * layer + 12.0 * (length + read) * a.query_width) + 6.0 * _primitives(a)


def memory_flops(architecture: Architecture) -> float:
    """Of the keys and values that a decoder makes of one of the encoder's states."""
    a = architecture
    return a.decoder_layers * 12.0 * a.width * a.kv_width


def _primitives(a: Architecture) -> int:
    """The weights between a token's coordinates and its vector."""
    return 0 if a.primitives is None else a.primitives * a.table_width


def _attention(a: Architecture) -> int:
    """The weights of attention's projections in a layer."""
    return a.width * (a.qkv_width + a.query_width)


def _dense(a: Architecture) -> int:
    """Those of a dense feedforward."""
    return a.width * a.feedforward * (3 if a.gated else 2)
