"""Texts that a language model writes on, a token at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.models.encoding import Coder
from seedbed.models.scoring import pad_id, settled
from seedbed.models.writing.choice import Choice
from seedbed.models.writing.loop import write
from seedbed.models.writing.reading import NetworkReader

if TYPE_CHECKING:
    from seedbed.models.artifact import Model


class Continuing:
    """Writes on, by what the model thinks stands in a mask behind the text, or behind the text if it is causal.

    Of a text that is too long for the model (or for `max_length`) the last tokens are what it sees. Special tokens are
    never written. `temperature`, `top_k` and `top_p` as of `Choice`. `flops` are those of the matrix products so far.
    """

    def __init__(
        self,
        model: Model,
        *,
        max_length: int,
        temperature: float,
        seed: int,
        top_k: int | None = None,
        top_p: float | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.network = settled(model.network(say=say))
        model.check_fit(self.network)
        self.network.eval()
        vocabulary = model.tokenizer().vocabulary()
        self.coder = Coder.of(model.tokenizer(), min(max_length, self.network.max_length))
        self.behind: list[int] = []
        if not self.network.causal:
            if vocabulary.mask is None:
                raise InputError("model", "its tokenizer has no mask token", value=str(model.path))
            self.behind = [vocabulary.mask, *self.coder.suffix]
        self.room = self.coder.max_length - len(self.coder.prefix) - len(self.behind)
        self.pad = pad_id(vocabulary)
        stream = key(seed, "continuations", "token")
        self.choice = Choice(vocabulary.special_V, temperature, top_k, top_p, stream=stream, noise="each")
        self.flops = 0.0

    def written(self, texts: Sequence[str], tokens: Sequence[int], numbers: Sequence[int]) -> list[str]:
        """What the model adds to each text in so many tokens. `numbers` are the texts' counters: what is drawn for one
        depends on nothing else."""
        before = [list(encoding.ids) for encoding in self.coder.encode(texts)]
        readers: list[NetworkReader] = []
        lengths = [min(len(row) + number, self.room) for row, number in zip(before, tokens, strict=True)]
        found = write(
            lambda rows: self._opened(readers), before, tokens, self.choice, lengths=lengths, counters=numbers
        )
        self.flops += sum(reader.flops for reader in readers)
        return [self._text(old, new) for old, new in zip(before, found, strict=True)]

    def _opened(self, readers: list[NetworkReader]) -> NetworkReader:
        """One more of the readers."""
        before, behind = self.coder.prefix, self.behind
        readers.append(NetworkReader(self.network, before=before, behind=behind, room=self.room, pad=self.pad))
        return readers[-1]

    def _text(self, before: list[int], new: list[int]) -> str:
        """The new tokens as text behind the old ones: whether a blank is between them is the tokenizer's affair."""
        decode = self.coder.tokenizer.decode
        old, whole = decode(before), decode([*before, *new])
        return str(whole[len(old) :] if whole.startswith(old) else f" {decode(new)}")
