"""Linear transforms over tokens and channels, without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from seedbed.models import mixers
from seedbed.models.block import Block, Shapes

if TYPE_CHECKING:
    from seedbed.models.architecture import Architecture
    from seedbed.models.sequence.fourier import FourierMixer

Transform = Literal["dft", "dct"]


@mixers.register("fourier", papers=["190"])
class Fourier(Block):
    """A fixed linear transform over tokens and channels in place of attention: FlexiBERT's third kind of operation
    (Tuli et al., 2022), of FNet (Lee-Thorp et al., 2021). For encoders; a text is transformed by itself.

    transform: `dft`, the real part of the discrete Fourier transforms over channels and tokens, y = C_L x C_D - S_L x
        S_D with cosines C and sines S; `dct`, the cosine transform (type II) over both.

    Both are scaled to keep lengths (1 / sqrt(tokens * channels) for the real part), which FNet does not do: ours, for
    norms that stand before. Computed by matrix products, which suits rows of at most some hundred tokens.
    """

    serves: ClassVar[tuple[str, ...]] = ("bidirectional",)

    def __init__(self, transform: Transform = "dft") -> None:
        self.configuration: dict[str, Any] = {"transform": transform}
        self.transform: Transform = transform

    def shapes(self, architecture: Architecture, layer: int) -> Shapes:
        return {}

    def flops(self, architecture: Architecture, layer: int, length: int) -> float:
        return (8.0 if self.transform == "dft" else 4.0) * architecture.width * (architecture.width + length)

    def module(self, architecture: Architecture, layer: int) -> FourierMixer:
        from seedbed.models.sequence.fourier import FourierMixer

        return FourierMixer(self, architecture, layer)
