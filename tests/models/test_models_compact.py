"""Compact encoders: the number of weights that is published."""

from __future__ import annotations

import pytest

from seedbed.models import backbones


def pooler_and_next_sentence(width: int) -> int:
    return width * width + width + 2 * width + 2


@pytest.mark.parametrize(
    ("size", "vocabulary", "million"),
    [("tiny", 30522, 4.4), ("mini", 30522, 11.3), ("small", 30522, 29.1), ("medium", 30522, 41.7)],
)
def test_miniatures(size: str, vocabulary: int, million: float) -> None:
    backbone = backbones.create("compact", size=size)
    a = backbone.architecture(vocabulary)
    assert backbone.stock == "bert"
    encoder = a.num_parameters() - a.width**2 - 3 * a.width - vocabulary  # without the head for masked tokens
    assert (encoder + a.width**2 + a.width) / 1e6 == pytest.approx(million, abs=0.35)
    assert (a.head_width, a.feedforward) == (64, 4 * a.width)


def test_bioformer() -> None:
    """42,820,610 weights are what the model's card says of Bioformer-8L, whose folder has both heads."""
    count = backbones.create("compact", size="bioformer-8l").num_parameters(32768)
    assert count + pooler_and_next_sentence(512) == 42_820_610
    deeper = backbones.create("compact", size="bioformer-16l").num_parameters(32768)
    assert deeper == pytest.approx(
        0.4 * backbones.create("encoder", layers=12, width=768, heads=12).num_parameters(30522), rel=0.06
    )


def test_electra_small() -> None:
    backbone = backbones.create("compact", size="electra-small")
    assert backbone.stock == "electra"
    assert backbone.num_parameters(30522) / 1e6 == pytest.approx(13.6, abs=0.2)
