"""Side channels of tokens: an input embedding that is told what each token looks and sounds like.

What a token looks and sounds like is fixed, so the fused embedding is a function of the token's id: it is computed once
for each different token of a pass, and in the end for the whole vocabulary, which is an ordinary table.

Shapes: V vocabulary, U different tokens, B rows, L tokens a row, D width, G pixels, A letters (the first is padding), E
width of a letter; a pronunciation has 8 letters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from seedbed.core.errors import InputError
from seedbed.models.factored import refuse_primitives
from seedbed.models.initialize import initialize
from seedbed.models.layers import Embedding, Linear
from seedbed.models.replace import refuse_width_transfer

if TYPE_CHECKING:
    from seedbed.models.transformer import Transformer

Tensor = torch.Tensor
LETTER_WIDTH = 128
SCALE = 0.1  # of the fusion
_CHUNK = 4096  # tokens of the vocabulary at a time


class ChannelEmbedding(Embedding):
    """x = c + 0.1 (W [c; g; p] + b), of a token's embedding c, its glyph's g and its pronunciation's p.

    g is linear in the pixels. p is the largest, over the 7 pairs of neighbors among the letters, of a convolution of
    width 2. As letters are few, their two products with the convolution's weights are made once and picked from.

    These are the functions of the fusion W' [c; g; p] + b' (Sun et al., 2021), with other numbers to be trained. Adam
    changes every number by about as much in a step, and with as many of them at work on every token the channels would
    outgrow c, by which alone tokens with the same components differ. Therefore the factor; and therefore pixels count
    from their mean over the vocabulary, so that what all glyphs have in common is left to b. Linear layers before W
    need no bias, as b makes up for it. Memory: a pass keeps about 11 U D numbers and U G pixels for the way back.
    """

    glyphs_VG: Tensor | None
    sounds_V8: Tensor | None
    mean_G: Tensor | None

    def __init__(self, tokens: Embedding, glyphs_VG: Tensor | None, sounds_V8: Tensor | None) -> None:
        """`tokens` has the table of c. Pixels are bytes (255 is black); letters are numbers from 0, the padding."""
        super().__init__(*tokens.weight.shape)
        self.weight = tokens.weight
        width = self.embedding_dim
        self.register_buffer("glyphs_VG", glyphs_VG, persistent=False)
        self.register_buffer("mean_G", None if glyphs_VG is None else glyphs_VG.float().mean(0) / 255, persistent=False)
        self.register_buffer("sounds_V8", sounds_V8, persistent=False)
        self.glyph: Linear | None = None
        self.letters: Embedding | None = None
        self.sound: Linear | None = None
        if glyphs_VG is not None:
            self.glyph = Linear(glyphs_VG.shape[1], width, bias=False)
        if sounds_V8 is not None:
            self.letters = Embedding(int(sounds_V8.max()) + 1, LETTER_WIDTH)
            self.sound = Linear(LETTER_WIDTH, 2 * width, bias=False, parts=(width, width))
        channels = 1 + (glyphs_VG is not None) + (sounds_V8 is not None)
        self.fusion = Linear(channels * width, width, bias=True)

    def forward(self, tokens_BL: Tensor) -> Tensor:
        tokens_U, places_BL = torch.unique(tokens_BL, return_inverse=True)
        return functional.embedding(places_BL, self.fused(tokens_U))

    def fused(self, tokens_U: Tensor) -> Tensor:
        """The embeddings (U, D) of these tokens."""
        token_UD = functional.embedding(tokens_U, self.weight)
        parts = [token_UD]
        if self.glyph is not None and self.glyphs_VG is not None and self.mean_G is not None:
            pixels_UG = self.glyphs_VG[tokens_U].to(token_UD.dtype) / 255
            parts.append(self.glyph(pixels_UG - self.mean_G))
        if self.sound is not None and self.letters is not None and self.sounds_V8 is not None:
            first_AD, second_AD = self.sound(self.letters.weight).chunk(2, dim=1)
            letters_U8 = self.sounds_V8[tokens_U]
            pairs_U7D = functional.embedding(letters_U8[:, :-1], first_AD)
            pairs_U7D = pairs_U7D + functional.embedding(letters_U8[:, 1:], second_AD)
            parts.append(pairs_U7D.amax(1))
        fused_UD: Tensor = token_UD + SCALE * self.fusion(torch.cat(parts, dim=1))
        return fused_UD


def attach(network: Transformer, glyphs_VG: Tensor | None, sounds_V8: Tensor | None, seed: int) -> ChannelEmbedding:
    """Put the embedding with channels into the place of a network's table, which it goes on with. The fusion begins at
    zero, so the network computes at first what it did; the rest is drawn as the network's own weights are."""
    refuse_width_transfer(network, "side_channels")
    refuse_primitives(network.architecture.primitives, "side_channels")
    if type(network.embedding) is not Embedding:
        raise InputError("interventions", "the token embeddings are replaced already", fix="side_channels once")
    made, weight = ChannelEmbedding(network.embedding, glyphs_VG, sounds_V8), network.embedding.weight
    for name, parameter in made.named_parameters():
        if parameter is not weight:
            initialize(f"embedding.{name}", parameter, seed, network.architecture)
            parameter.requires_grad_(weight.requires_grad)
    torch.nn.init.zeros_(made.fusion.weight)
    network.embedding = made.to(weight.device)
    return made


@torch.no_grad()
def bake(network: Transformer) -> None:
    """An ordinary table of the fused embeddings in the place of the channels: the same logits from a plain network. A
    table that was the output's too stays there, so that input and output are no longer tied."""
    made = network.embedding
    assert isinstance(made, ChannelEmbedding)
    ids_V = torch.arange(len(made.weight), device=made.weight.device)
    fused_VD = torch.cat([made.fused(tokens_U) for tokens_U in ids_V.split(_CHUNK)])
    if network.output_embedding is None:
        network.output_embedding = _table(made.weight)
        network.architecture = replace(network.architecture, tied=False)
    network.embedding = _table(fused_VD)


def _table(weight_VD: Tensor) -> Embedding:
    made = Embedding(*weight_VD.shape)
    made.weight = torch.nn.Parameter(weight_VD.detach().clone())
    return made
