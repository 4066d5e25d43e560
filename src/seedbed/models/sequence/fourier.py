"""Fourier and cosine transforms of rows of any length, by products.

Shapes: B rows (1 where all are full), L tokens, D channels, N points of a transform.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from seedbed.models.segments import Context
from seedbed.models.sequence.part import Part

Tensor = torch.Tensor


class FourierMixer(Part):
    """The transform over channels, then over tokens."""

    def __init__(self, block: Any, *given: Any) -> None:
        super().__init__(block, *given)
        self.transform = block.transform

    def forward(self, x_BLD: Tensor, context: Context) -> Tensor:
        length, width = x_BLD.shape[1:]
        valid_BL = context.valid_BL
        sizes_B = x_BLD.new_tensor([length], dtype=torch.long) if valid_BL is None else valid_BL.sum(1)
        widths_1 = sizes_B.new_tensor([width])
        if self.transform == "dct":
            over_DD, over_BLL = cosine_transform(widths_1, width)[0], cosine_transform(sizes_B, length)
            return _over_tokens(over_BLL, x_BLD @ over_DD.T.to(x_BLD.dtype))
        (cosine_1DD, sine_1DD), (cosine_BLL, sine_BLL) = fourier(widths_1, width), fourier(sizes_B, length)
        real = _over_tokens(cosine_BLL, x_BLD @ cosine_1DD[0].to(x_BLD.dtype))
        return real - _over_tokens(sine_BLL, x_BLD @ sine_1DD[0].to(x_BLD.dtype))


def _over_tokens(matrix_BLL: Tensor, x_BLD: Tensor) -> Tensor:
    matrix = matrix_BLL.to(x_BLD.dtype)
    return matrix.expand(len(x_BLD), -1, -1) @ x_BLD


def fourier(sizes_B: Tensor, points: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines (B, N, N) of transforms of so many of the N points, over its root; 0 elsewhere."""
    place_N = torch.arange(points, device=sizes_B.device)
    size_B11 = sizes_B.clamp(min=1)[:, None, None]
    angle_BNN = (place_N[:, None] * place_N % size_B11).double() * (2 * math.pi) / size_B11
    scale_BNN = _inside(sizes_B, place_N) / size_B11.sqrt()
    return angle_BNN.cos() * scale_BNN, angle_BNN.sin() * scale_BNN


def cosine_transform(sizes_B: Tensor, points: int) -> Tensor:
    """The orthonormal cosine transform of type II (B, N outputs, N inputs) of so many of the N points; 0 elsewhere."""
    place_N = torch.arange(points, device=sizes_B.device)
    size_B11 = sizes_B.clamp(min=1)[:, None, None]
    angle_BNN = (place_N[:, None] * (2 * place_N + 1) % (4 * size_B11)).double() * math.pi / (2 * size_B11)
    scale_BNN = _inside(sizes_B, place_N) * (2 / size_B11).sqrt()
    scale_BNN[:, 0] /= math.sqrt(2)
    return angle_BNN.cos() * scale_BNN


def _inside(sizes_B: Tensor, place_N: Tensor) -> Tensor:
    """1 where both points belong to the transform (B, N, N)."""
    inside_BN = (place_N < sizes_B[:, None]).double()
    return inside_BN[:, :, None] * inside_BN[:, None]
