"""Parts for layers that differ: the dense feedforward by itself, and transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seedbed.models import backbones
from seedbed.models.segments import Context

SMALL = {"layers": 2, "width": 16, "heads": 4, "max_length": 16, "kernel": "products"}


@pytest.mark.parametrize("gated", [True, False])
def test_a_dense_feedforward_is_the_networks_own(gated: bool) -> None:
    more = {"gated": gated, "bias": True, "feedforward": 40}
    plain = backbones.create("encoder", **SMALL, **more).network(40, 1, pad=0).layers[0]
    other = backbones.create("encoder", **SMALL, **more, feed="dense").network(40, 1, pad=0).layers[0]
    for mine, theirs in (
        (other.feedforward.inner, plain.feedforward_in),
        (other.feedforward.out, plain.feedforward_out),
    ):
        mine.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(other.transform(x, Context("products", causal=False)), plain.feed(x))


@torch.no_grad()
@pytest.mark.parametrize("transform", ["dft", "dct"])
def test_transforms_of_each_text_alone(transform: str) -> None:
    import scipy.fft

    part = backbones.create("encoder", **SMALL, mixer={"fourier": {"transform": transform}}).network(40, 1, pad=0)
    x = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    valid = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    x = x * valid[:, :, None]
    found = part.layers[0].mixer(x, Context("products", causal=False, valid_BL=valid))
    full = part.layers[0].mixer(x[:1], Context("products", causal=False))
    torch.testing.assert_close(found[:1], full)
    for row, size in ((0, 6), (1, 4)):
        own = x[row, :size].numpy()
        if transform == "dft":
            expected = np.fft.fft2(own).real / np.sqrt(size * 16)
        else:
            expected = scipy.fft.dctn(own, type=2, norm="ortho")
        np.testing.assert_allclose(found[row, :size].numpy(), expected, atol=1e-9)
        assert not found[row, size:].any()
