"""Word vectors from counts: positive pointwise mutual information, and its truncated singular vectors.

Shapes: P pairs, W words, K columns of the subspace, D dimensions of the vectors.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from seedbed.core.counters import generator

from .cooccurrence import both_directions

if TYPE_CHECKING:
    import torch

_SPARE = 16  # columns beyond D
_ROUNDS = 3  # of the subspace iteration


def ppmi(
    keys_P: np.ndarray, weights_P: np.ndarray, num_words: int, *, shift: float, smoothing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, columns, values) of max(0, log(n_ab n / (n_a n_b)) - log(shift)), where n_b is raised to the power
    `smoothing` and brought to the same sum (Levy, Goldberg and Dagan, 2015, sections 2.1 and 3.2), over the counts of
    both directions; zeros are left out, rows are sorted.
    """
    first, second = np.divmod(keys_P, num_words)
    near_W = np.bincount(np.concatenate([first, second]), np.concatenate([weights_P, weights_P]), minlength=num_words)
    smooth_W = near_W**smoothing
    smooth_W *= near_W.sum() / smooth_W.sum()
    rows, columns, values = both_directions(keys_P, weights_P, num_words)
    information = np.log(values * near_W.sum() / (near_W[rows] * smooth_W[columns])) - np.log(shift)
    positive = information > 0
    return rows[positive], columns[positive], information[positive].astype(np.float32)


def singular_vectors(
    rows: np.ndarray, columns: np.ndarray, values: np.ndarray, num_words: int, dimensions: int, power: float, seed: int
) -> np.ndarray:
    """U S^power (W, D) of the sparse matrix: its D leading left singular vectors, weighted by their singular values.

    Randomized subspace iteration with an orthonormal basis in every half round (Halko, Martinsson and Tropp, 2011,
    algorithms 4.4 and 5.1). Memory: the matrix twice, and four dense ones of W times D.
    """
    import torch

    matrix = csr(rows, columns, values, num_words)
    order = np.lexsort((rows, columns))
    transposed = csr(columns[order], rows[order], values[order], num_words)
    num_columns = min(dimensions + _SPARE, num_words)
    start = generator(seed, "word vectors").standard_normal((num_words, num_columns), dtype=np.float32)
    basis_WK = torch.linalg.qr(matrix @ torch.from_numpy(start)).Q
    for _ in range(_ROUNDS):
        basis_WK = torch.linalg.qr(transposed @ basis_WK).Q
        basis_WK = torch.linalg.qr(matrix @ basis_WK).Q
    # basis^T matrix is K x W; its left singular vectors turn the basis into those of the matrix.
    small = torch.linalg.svd((transposed @ basis_WK).T.contiguous(), full_matrices=False)
    vectors_WD = basis_WK @ small.U[:, :dimensions] * small.S[:dimensions] ** power
    return np.asarray(vectors_WD.numpy(), dtype=np.float32)


def csr(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, num_words: int) -> torch.Tensor:
    """A sparse matrix (words, words) from entries that are sorted by row."""
    import torch

    starts = np.searchsorted(rows, np.arange(num_words + 1))
    first, second, third = (torch.from_numpy(array) for array in (starts, columns, values))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(first, second, third, size=(num_words, num_words), check_invariants=False)
