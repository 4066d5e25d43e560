"""What convolutions cost; no torch, so that plans can count."""

from __future__ import annotations

import math

PRODUCTS_UP_TO = 512  # tokens, to which a product with the matrix of a kernel is the faster way on CPUs


def transform_size(length: int) -> int:
    """Tokens of a Fourier transform for rows of a length: a power of two at which nothing wraps around."""
    return 1 << (2 * length - 1).bit_length()


def convolution_flops(length: int) -> float:
    """For a token of a channel, forward and backward: six real transforms of 2.5 N log2 N (of the input, the output
    and the gradients; those of kernels are shared by all rows, and left out)."""
    size = transform_size(length)
    return 6 * 2.5 * size * math.log2(size) / length


DELTA_CHUNK = 16  # tokens between which decays may be divided by each other: at the strongest, by 0.545 ** 16
SELECTIVE_CHUNK = 64  # tokens between which a selective state space is computed as attention with decays
