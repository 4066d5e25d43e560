"""What a noise is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seedbed.objectives.denoising.ragged import Ragged
    from seedbed.objectives.denoising.spans import Texts
    from seedbed.vocabulary.artifact import Vocabulary


class Noise:
    """Base of ways to damage texts."""

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids."""

    def damaged(self, texts: Texts, seed: int) -> Ragged:
        """The texts' tokens with the noise: a pure function of their counters and the seed."""
        raise NotImplementedError
