"""Word vectors as the first input embeddings of a run.

Shapes: V tokens of the network's table, N tokens of the tokenizer, D dimensions of the word vectors, E width of the
table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seedbed.core.counters import generator
from seedbed.core.errors import InputError
from seedbed.train import Intervention, interventions
from seedbed.vectors.artifact import WordVectors

if TYPE_CHECKING:
    from seedbed.train.run import Run
    from seedbed.train.sources import Sources
    from seedbed.vocabulary.artifact import Tokenizer


@interventions.register("initial_embeddings", papers=["125"])
class InitialEmbeddings(Intervention):
    """The run's input embeddings begin as word vectors: those of `train_graph_vectors`, as Ghosh, Maji and Desarkar
    (2021) begin a classifier, or any others.

    A token's vector is the mean of those of the words that it is a part of, weighted by their counts; special tokens
    and those in no word keep the rows that they have. Vectors are brought to the table's width, without a change to
    their cosines where it is at least as wide (a random rotation), else by their leading singular directions; and to
    the mean length of the table's rows.

    vectors: made by this package or read from a file. weight: a row is to begin as (1 - weight) times what it was plus
    `weight` times the vector, at the length that rows have. At 1 it is the vector alone; less leaves tokens apart that
    the vectors put in one place.

    Of a continued model the embeddings are replaced. With tied embeddings the output's begin alike. Nothing is frozen,
    and the saved model is an ordinary one.
    """

    elementwise: ClassVar[bool] = True

    def __init__(self, vectors: WordVectors, weight: float = 1.0) -> None:
        if not 0 < weight <= 1:
            raise InputError("weight", "must lie above 0, up to 1", value=weight)
        self.vectors, self.weight = vectors, weight
        self._said = ""

    def on_data(self, sources: Sources, tokenizer: Tokenizer) -> None:
        """Take the run's tokenizer."""
        self.tokenizer = tokenizer

    def prepare(self, network: Any, seed: int) -> None:
        """Fill the rows; a resumed run's checkpoint comes after that."""
        import torch

        from seedbed.models.factored import refuse_primitives
        from seedbed.vectors.subwords import token_vectors

        refuse_primitives(network.architecture.primitives, "initial_embeddings")
        found_ND = token_vectors(self.tokenizer, [self.vectors.table], "frequency")
        known_N = np.flatnonzero(found_ND.any(1))
        if not len(known_N):
            problem = "none of the tokenizer's tokens is part of a word with a vector"
            raise InputError("initial_embeddings.vectors", problem, value=str(self.vectors.path))
        table_VE = network.embedding.weight
        where_N = torch.from_numpy(known_N).to(table_VE.device)
        with torch.no_grad():
            new_NE = blend(table_VE[where_N].float().cpu().numpy(), found_ND[known_N], self.weight, seed)
            table_VE[where_N] = torch.from_numpy(new_NE).to(table_VE)
        self._said = f"{len(known_N):,} of {len(found_ND):,} tokens begin with a word vector"

    def on_start(self, run: Run) -> None:
        """Say how many tokens have a vector."""
        run.say(self._said)


def blend(rows_NE: np.ndarray, vectors_ND: np.ndarray, weight: float, seed: int) -> np.ndarray:
    """(1 - weight) rows + weight vectors in directions (N, E; float32), all at the rows' mean length."""
    from seedbed.core.directions import unit

    length = float(np.linalg.norm(rows_NE, axis=1).mean())
    mixed_NE = (1 - weight) * unit(rows_NE) + weight * unit(fitted(vectors_ND, rows_NE.shape[1], seed))
    return np.asarray(length * unit(mixed_NE), dtype=np.float32)


def fitted(vectors_ND: np.ndarray, width: int, seed: int) -> np.ndarray:
    """The vectors at another width (N, width): turned, with the same products, or their leading singular directions."""
    dimensions = vectors_ND.shape[1]
    if dimensions > width:
        axes = np.linalg.svd(vectors_ND.T @ vectors_ND, hermitian=True)[0]
        return np.asarray(vectors_ND @ axes[:, :width])
    drawn = generator(seed, "initial embeddings").standard_normal((width, dimensions))
    return np.asarray(vectors_ND @ np.linalg.qr(drawn)[0].T)
