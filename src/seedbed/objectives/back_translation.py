"""Back-translation while training.

Shapes: S texts, N tokens of all of them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seedbed.core.checks import check_positive, check_rate
from seedbed.core.counters import key
from seedbed.core.errors import InputError
from seedbed.objectives import objectives
from seedbed.objectives.base import Examples, Loss, Objective
from seedbed.objectives.denoising.languages import Languages
from seedbed.objectives.denoising.pairs import Kind, Marks, as_examples, texts_of
from seedbed.objectives.denoising.ragged import Ragged
from seedbed.objectives.prediction import cross_entropy, target_states, with_auxiliary

if TYPE_CHECKING:
    from seedbed.data.batch import Batch
    from seedbed.vocabulary.artifact import Vocabulary


@dataclass
class Originals(Examples):
    """Texts that are read as they are; what they are to be read as is written when the loss is computed. Beside them
    the texts' tokens (N) and lengths (S), the rows that they go to, the tokens of their own and another language, and
    their numbers in what is drawn (S)."""

    text_N: Any = None
    length_S: Any = None
    row_S: Any = None
    own_S: Any = None
    other_S: Any = None
    counter_S: Any = None
    stream: int = 0


@objectives.register("back_translation", papers=["064"])
class BackTranslation(Objective):
    """Back-translation while training (Lample et al., 2018; Artetxe et al., 2018): the network as it is writes each
    text in another language, and learns to write the text for what it has written. With `denoising_autoencoding` of
    both languages in a `mixture` it is unsupervised translation, which Baziotis et al. (2021) fine-tune by.

    languages: a token for each language, which is the `domain` of its documents; it stands before what is read and says
        what to write, as with `denoising_autoencoding`. Of several other languages one is drawn for each text.
    temperature: 0 writes the likeliest token, again and again; above it tokens are drawn.
    longest: how many times as many tokens as the text a translation may have, and two more.
    network: `encoder-decoder`, or `prefix` for a decoder that reads as a prefix.

    No gradient goes through what is written. Each text is a document's part in its row, so rows of `packed` are best as
    long as short documents are. Not here: the noise that Lample et al. put upon the translation, and their adversary
    that makes the languages' states alike. It costs a forward pass over text and translation more than
    `denoising_autoencoding`, and takes far longer than that on a CPU, since tokens are written one after the other.
    """

    reshapes: ClassVar[bool] = True

    def __init__(
        self,
        languages: dict[str, str],
        temperature: float = 0.0,
        longest: float = 1.5,
        network: Kind = "encoder-decoder",
    ) -> None:
        if len(set(languages.values())) < 2:
            raise InputError("languages", "must have two tokens or more", value=languages, fix="{DOMAIN: TOKEN, ...}")
        check_rate("temperature", temperature)
        check_positive(longest=longest)
        self.attention: Kind = network  # type: ignore[misc]
        self.languages, self.temperature, self.longest = languages, temperature, longest

    def wanted_tokens(self) -> list[str]:
        """The languages'."""
        return list(self.languages.values())

    def wanted_sources(self) -> list[str]:
        """Those whose languages are said."""
        return list(self.languages)

    def bind(self, vocabulary: Vocabulary) -> None:
        """Learn the ids. Raises InputError if the tokenizer lacks a language's token."""
        self._marks = Marks.of(vocabulary)
        self._languages = Languages(self.languages, self._marks, vocabulary)

    def corrupt(self, batch: Batch, *, seed: int, progress: float) -> Originals:
        """The texts, and in which language each is to be written first."""
        texts = texts_of(batch, self._marks.special_V)
        own_S = self._languages.own(texts, batch)
        rows, tokens = len(batch.rows_B), texts.tokens
        as_they_are = as_examples(tokens, tokens, texts.row_S, rows, self.attention, self._marks, own_S)
        return Originals(
            **vars(as_they_are),
            text_N=tokens.values_N,
            length_S=tokens.lengths_S,
            row_S=texts.row_S,
            own_S=own_S,
            other_S=self._languages.other(own_S, texts, key(seed, "back_translation", "language")),
            counter_S=texts.number_S * batch.tokens_BL.shape[1] + texts.column_S,
            stream=key(seed, "back_translation", "write"),
        )

    def loss(self, network: Any, examples: Originals) -> Loss:
        """Cross-entropy of the texts, for the translations that the network writes of them."""
        if examples.added_TK is not None:
            raise InputError("interventions", "add to targets in a row's order, which back_translation makes anew")
        given = (examples.text_N, examples.length_S, examples.row_S, examples.own_S)
        text_N, length_S, row_S, own_S = (part.cpu().numpy() for part in given)
        texts, rows = Ragged(text_N, length_S), len(examples.tokens_BL)
        source = Ragged.of(self._translated(network, texts, examples))
        made = as_examples(source, texts, row_S, rows, self.attention, self._marks, own_S)
        made = made.to(examples.tokens_BL.device)
        loss = cross_entropy(network, target_states(network, made), made.targets_T)
        return with_auxiliary(loss, network, made)

    def _translated(self, network: Any, texts: Ragged, examples: Originals) -> list[list[int]]:
        """What the network writes for each text."""
        from seedbed.models.writing.choice import Choice
        from seedbed.models.writing.loop import write
        from seedbed.models.writing.reading import NetworkReader, Reader

        marks, ends = self._marks, np.append(texts.starts_S, len(texts.values_N))
        read = [
            [int(other), *texts.values_N[begin:end].tolist(), marks.end]
            for other, begin, end in zip(examples.other_S.cpu(), ends[:-1], ends[1:], strict=True)
        ]
        most_S = np.ceil(self.longest * texts.lengths_S).astype(np.int64) + 2
        forbidden_V = marks.special_V.copy()
        forbidden_V[marks.end] = False
        apart = self.attention == "encoder-decoder"

        def reader(numbers: np.ndarray) -> Reader:
            if not apart:
                return NetworkReader(network, prefix=True, pad=marks.pad)
            return NetworkReader(network, before=[marks.pad], sources=[read[n] for n in numbers], pad=marks.pad)

        return write(
            reader,
            [[] for _ in read] if apart else read,
            most_S.tolist(),
            Choice(forbidden_V, temperature=self.temperature, stream=examples.stream),
            lengths=[len(row) + int(most) for row, most in zip(read, most_S, strict=True)],
            stops=[[marks.end]],
            counters=examples.counter_S.cpu().tolist(),
        )

    def flops_per_token(self, architecture: Any, length: int, targets: float) -> float:
        """Forward and backward, and forward once more to write."""
        return float(architecture.flops_per_token(length, targets)) * 4 / 3
