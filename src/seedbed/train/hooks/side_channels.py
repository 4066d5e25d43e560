"""What tokens look and sound like, beside what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.corpus.input.examples import CorpusOrFiles
from seedbed.train import Intervention, interventions

if TYPE_CHECKING:
    from seedbed.train.run import Run
    from seedbed.train.sources import Sources
    from seedbed.vocabulary.artifact import Tokenizer


@interventions.register("side_channels", papers=["049"])
class SideChannels(Intervention):
    """The input embedding is a fusion of the token's own, its glyph's and its pronunciation's, then come positions
    (ChineseBERT, Sun et al., 2021).

    The glyph's is a linear layer of the pixels; the pronunciation's a convolution of width 2 over eight letters (a
    romanized syllable and its tone), 128 wide, with max pooling; the fusion a linear layer of all three. Both are fixed
    for a token, so when the run ends the fused embeddings of the vocabulary become an ordinary table, and the saved
    model is an ordinary one with the same logits. The output embedding is what it was in training: with `tied` the
    table of the tokens' own embeddings, without channels, as in the authors' code. So the saved model is not tied.

    glyphs: a file of bitmaps, null for none; sounds: a file of pronunciations; or a corpus of the world `script`, which
    has both (formats: docs/side-channels.md). A token's row is found by its text. Tokens without one, special tokens
    among them, have a blank glyph and no letters; how many is said. A token of several characters has its own row or
    none, as the authors give pronunciations to single characters alone. shuffled: the control: the tokens that have a
    glyph or a sound get those of another one, by the run's seed.

    Deviations: a token has one pronunciation, where the authors choose that of a heteronym by its sentence; the fusion
    is added to the token's embedding, with a factor, and begins at zero, where the authors' (the same functions) is
    drawn like the rest of the network: so a model can be continued with channels and begins as it was. Whole words are
    masked by the objective or not, where the authors alternate. FLOPs count the layers at every position, as in the
    authors' code; computed is each different token of a micro-batch once.

    A run with tied embeddings cannot be branched off: its saved network is another one than its checkpoints'.
    """

    def __init__(
        self, glyphs: CorpusOrFiles | None, sounds: CorpusOrFiles | None = None, shuffled: bool = False
    ) -> None:
        if glyphs is None and sounds is None:
            raise InputError("glyphs", "neither glyphs nor sounds are given", fix="a table of one of them at least")
        self.tables = {"glyph": glyphs, "sound": sounds}
        self.shuffled = shuffled
        self._said: list[str] = []
        self._weights = 0

    def on_data(self, sources: Sources, tokenizer: Tokenizer) -> None:
        """Take the run's tokenizer."""
        self.tokenizer = tokenizer

    def prepare(self, network: Any, seed: int) -> None:
        """The tables in the order of the vocabulary, and the layers that read them."""
        import torch

        from seedbed.models.channels import attach
        from seedbed.vocabulary.side_tables import side_table

        found = {
            name: side_table(table, name, self.tokenizer)  # type: ignore[arg-type]
            for name, table in self.tables.items()
            if table is not None
        }
        ordinary = int((~self.tokenizer.vocabulary().special_V).sum())
        for name, table in found.items():
            known = int(table.known_V.sum())
            others = f"; {table.unused:,} rows are of other tokens" if table.unused else ""
            self._said.append(f"{known:,} of {ordinary:,} tokens have a {name}{others}")
        rows_W = np.flatnonzero(np.any([table.known_V for table in found.values()], axis=0))
        if self.shuffled:
            from_W = generator(seed, "side_channels").permutation(rows_W)
            for table in found.values():
                table.values[rows_W] = table.values[from_W]
        values = {}
        for name, table in found.items():  # a continued model may have more rows than its tokenizer has tokens
            padding = np.zeros((network.vocabulary_size - len(table.values), table.values.shape[1]), table.values.dtype)
            values[name] = torch.from_numpy(np.concatenate((table.values, padding)))
        made = attach(network, values.get("glyph"), values.get("sound"), seed)
        self._weights = sum(layer.weight.numel() for layer in (made.fusion, made.glyph) if layer is not None)

    def added_flops(self) -> float:
        """Of a token, forward and backward: products with the fusion and the glyph's layer; those of the letters are
        made once a pass. Nothing before the tables are read."""
        return 6.0 * self._weights

    def on_start(self, run: Run) -> None:
        """Say what the tables know."""
        for line in self._said:
            run.say(line)

    def on_end(self, run: Run) -> None:
        """Say what will be saved."""
        run.say("the fused embeddings become a plain table: the saved model is an ordinary one")

    def export(self, network: Any) -> None:
        """The plain network with the same logits."""
        from seedbed.models.channels import bake

        bake(network)
