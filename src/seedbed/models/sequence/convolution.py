"""Convolutions along rows, by Fourier transforms, by products or tap by tap.

Shapes: B rows, L tokens, D channels, K taps, N states, A steps of B tokens.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from seedbed.models.sequence.sizes import PRODUCTS_UP_TO, transform_size

Tensor = torch.Tensor


def wide(x: Tensor) -> Tensor:
    """In float32 where it is narrower: for transforms, exponentials and sums over many tokens."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def causal_convolution(x_BLD: Tensor, kernel_LD: Tensor) -> Tensor:
    """y_t = sum over s <= t of kernel_{t-s} x_s, of each channel with its own kernel, by Fourier transforms in float32;
    memory of the transforms 4 B L D complex numbers."""
    length, size = x_BLD.shape[1], transform_size(x_BLD.shape[1])
    x, kernel = (torch.fft.rfft(wide(given), n=size, dim=-2) for given in (x_BLD, kernel_LD))
    return torch.fft.irfft(x * kernel, n=size, dim=-2)[:, :length].to(x_BLD.dtype)


def shared_convolution(x_BLD: Tensor, kernel_L: Tensor, *, backward: bool) -> Tensor:
    """The same with one kernel for all channels; `backward`: from the last token to the first. As a product with the
    kernel's (L, L) matrix where that is small."""
    length = x_BLD.shape[1]
    if length > PRODUCTS_UP_TO:
        x_BLD = x_BLD.flip(1) if backward else x_BLD
        y_BLD = causal_convolution(x_BLD, kernel_L[:, None])
        return y_BLD.flip(1) if backward else y_BLD
    place_L = torch.arange(length, device=x_BLD.device)
    distance_LL = place_L[:, None] - place_L
    matrix_LL = kernel_L[distance_LL.clamp(min=0)].masked_fill(distance_LL < 0, 0.0)
    return (matrix_LL.T if backward else matrix_LL).to(x_BLD.dtype) @ x_BLD


def decaying_waves(weight_DN: Tensor, log_DN: Tensor, length: int) -> Tensor:
    """Re(sum over n of weight_n exp(log_n l)), (L, D), of complex numbers. The exponentials of l = a A + b are products
    of those of a A and of b, so that only about 2 sqrt(L) are taken for each n, and the sums are matrix products."""
    size = 1 << (length.bit_length() // 2)
    step_A, step_B = (
        torch.arange(count, device=log_DN.device, dtype=log_DN.real.dtype) for count in (-(-length // size), size)
    )
    coarse_DAN = weight_DN[:, None] * torch.exp(log_DN[:, None] * (size * step_A)[:, None])
    fine_DBN = torch.exp(log_DN[:, None] * step_B[:, None])
    coarse, fine = torch.view_as_real(coarse_DAN).flatten(-2), torch.view_as_real(fine_DBN.conj_physical()).flatten(-2)
    return (coarse @ fine.transpose(1, 2)).flatten(1)[:, :length].T


def short_convolution(x_BLD: Tensor, taps_DK: Tensor, bias_D: Tensor) -> Tensor:
    """Causal, of K taps for each channel, the last tap being the token itself."""
    taps_DK, taps = taps_DK.to(x_BLD.dtype), taps_DK.shape[1]
    padded = functional.pad(x_BLD, (0, 0, taps - 1, 0))
    y = bias_D.to(x_BLD.dtype)
    for tap in range(taps):
        y = torch.addcmul(y, padded[:, tap : tap + x_BLD.shape[1]], taps_DK[:, tap])
    return y
