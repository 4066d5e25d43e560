"""What objectives share that write a text for another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from seedbed.objectives.denoising.pairs import Kind, Marks
from seedbed.objectives.prediction import TokenPrediction

if TYPE_CHECKING:
    from seedbed.vocabulary.artifact import Vocabulary


class Writing(TokenPrediction):
    """Base: what writes is an encoder-decoder, or a decoder that reads the other text as a prefix (`network`); a token,
    the `mode`, may stand before what is read."""

    reshapes: ClassVar[bool] = True

    def __init__(self, network: Kind, mode: str | None = None) -> None:
        self.attention: Kind = network  # type: ignore[misc]
        self.mode = mode

    def wanted_tokens(self) -> list[str]:
        """The mode's token."""
        return [self.mode] if self.mode is not None else []

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer lacks the mode's token."""
        self._marks = Marks.of(vocabulary)
        self._mode = self._marks.mode(vocabulary, self.mode)
