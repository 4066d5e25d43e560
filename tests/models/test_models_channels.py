"""Embeddings with side channels: against the paper's layers written out, and as the plain table that they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers

from seedbed.core.errors import InputError
from seedbed.models import backbones
from seedbed.models.artifact import Model
from seedbed.models.channels import LETTER_WIDTH, ChannelEmbedding, attach, bake

SIZE, WIDTH, PIXELS, LETTERS = 30, 16, 12, 9
BERT = {"norm": "post", "positions": "learned", "gated": False, "bias": True}


def network_of(name: str = "encoder", **options: Any) -> Any:
    given = {"layers": 2, "width": WIDTH, "heads": 2, "max_length": 16, "kernel": "products"}
    return backbones.create(name, **{**given, **options}).network(SIZE, 3, pad=0)


def channels_of(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Bytes of pixels, and letters: the first five tokens have neither."""
    random = torch.Generator().manual_seed(seed)
    glyphs = torch.randint(0, 256, (SIZE, PIXELS), generator=random, dtype=torch.uint8)
    sounds = torch.randint(1, LETTERS, (SIZE, 8), generator=random)
    for row, length in enumerate(torch.randint(1, 9, (SIZE,), generator=random).tolist()):
        sounds[row, length:] = 0
    glyphs[:5] = 0
    sounds[:5] = 0
    return glyphs, sounds


def stirred(network: Any, *, glyph: bool = True, sound: bool = True) -> ChannelEmbedding:
    """Channels whose every weight has been moved, as if they had been trained."""
    glyphs, sounds = channels_of()
    made = attach(network, glyphs if glyph else None, sounds if sound else None, 7)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=random) * 0.5)
    return made


def by_hand(made: ChannelEmbedding, token: int) -> torch.Tensor:
    """One token's embedding by torch's own convolution and pooling, as the authors' layers are described: the fusion's
    matrix is a tenth of ours, with the identity added at the token's embedding."""
    parts = [made.weight[token]]
    if made.glyph is not None:
        glyphs = channels_of()[0].double() / 255
        parts.append(made.glyph.weight @ (glyphs[token] - glyphs.mean(0)).float())
    if made.sound is not None:
        letters_81 = made.letters.weight[channels_of()[1][token]]
        kernel = torch.stack((made.sound.weight[:WIDTH], made.sound.weight[WIDTH:]), dim=-1)
        convolved = F.conv1d(letters_81.T[None], kernel)
        assert convolved.shape == (1, WIDTH, 7)
        parts.append(F.max_pool1d(convolved, 7)[0, :, 0])
    matrix = 0.1 * made.fusion.weight + torch.eye(WIDTH, made.fusion.weight.shape[1])
    return matrix @ torch.cat(parts) + 0.1 * made.fusion.bias


@pytest.mark.parametrize(("glyph", "sound"), [(True, True), (True, False), (False, True)])
def test_embeddings_and_gradients_are_those_of_the_layers_written_out(glyph: bool, sound: bool) -> None:
    made = stirred(network_of(), glyph=glyph, sound=sound)
    assert LETTER_WIDTH == 128
    tokens = torch.tensor([[7, 3, 7, 29], [11, 0, 28, 3]])
    wanted = torch.stack([by_hand(made, token) for token in tokens.flatten().tolist()]).view(2, 4, WIDTH)
    torch.testing.assert_close(made(tokens), wanted)
    weights = torch.randn(2, 4, WIDTH)
    parameters = list(made.parameters())
    ours = torch.autograd.grad((made(tokens) * weights).sum(), parameters)
    theirs = torch.autograd.grad((wanted * weights).sum(), parameters)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
        assert one.abs().sum() > 0


def test_it_begins_as_the_network_was_and_goes_on_with_its_table() -> None:
    network = network_of()
    tokens = torch.arange(16)[None]
    before = network.logits(network.hidden(tokens)[0])
    weight = network.embedding.weight
    made = attach(network, *channels_of(), 7)
    assert torch.equal(network.logits(network.hidden(tokens)[0]), before)
    assert made.weight is weight and network.output()[0] is weight, "the output is tied to the tokens' own embeddings"
    again = attach(network_of(), *channels_of(), 7)
    other = attach(network_of(), *channels_of(), 8)
    assert torch.equal(made.glyph.weight, again.glyph.weight) and torch.equal(made.letters.weight, again.letters.weight)
    assert not torch.equal(made.glyph.weight, other.glyph.weight)
    assert made.glyph.weight.std().item() == pytest.approx(0.02, rel=0.2) and not made.fusion.weight.any()
    kept = network.state_dict().keys()
    assert not any("glyphs_VG" in name or "sounds_V8" in name for name in kept), "tables are read anew, not saved"


def test_channels_of_a_frozen_table_are_frozen() -> None:
    network = network_of()
    network.embedding.weight.requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in attach(network, *channels_of(), 7).parameters())


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"tied": False}, BERT], ids=["modernbert", "untied", "bert"])
def test_the_baked_network_is_a_stock_one_with_the_same_logits(options: dict[str, Any], tmp_path: Path) -> None:
    network = network_of(**options)
    made = stirred(network)
    tokens = torch.arange(16)[None] + 9
    before = network.logits(network.hidden(tokens)[0])
    table = made.weight.clone()
    output = network.output()[0].clone()
    bake(network)
    torch.testing.assert_close(network.logits(network.hidden(tokens)[0]), before, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(network.embedding.weight, table, atol=0.1)
    assert torch.equal(network.output()[0], output) and not network.architecture.tied
    plain = network_of(**{**options, "tied": False})
    assert {n: p.shape for n, p in network.named_parameters()} == {n: p.shape for n, p in plain.named_parameters()}

    network.save(tmp_path)
    model = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    assert model.config.model_type == ("bert" if "norm" in options else "modernbert")
    torch.testing.assert_close(model(tokens).logits[0], before, atol=1e-4, rtol=1e-4)
    loaded = Model.open(tmp_path).network()
    loaded.use_kernel("products")
    assert torch.equal(loaded.hidden(tokens), network.hidden(tokens))


@torch.no_grad()
def test_a_decoder_takes_channels_too(tmp_path: Path) -> None:
    network = network_of("decoder")
    stirred(network)
    tokens = torch.arange(16)[None]
    before = network.logits(network.hidden(tokens)[0])
    bake(network)
    network.save(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(model(tokens).logits[0], before, atol=1e-4, rtol=1e-4)


def test_bad_input() -> None:
    network = network_of()
    attach(network, *channels_of(), 0)
    with pytest.raises(InputError, match="replaced already"):
        attach(network, *channels_of(), 0)
    with pytest.raises(InputError, match="width_transfer"):
        attach(network_of(width_transfer=8), *channels_of(), 0)
