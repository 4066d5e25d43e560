"""Embeddings of languages beside a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.models.languages import Languages


def test_there_and_back_and_the_nearest_first(tmp_path: Path) -> None:
    vectors = {"x": [1.0, 0.0], "y": [0.9, 0.1], "z": [-1.0, 0.2]}
    languages = {name: np.array(vector, np.float32) for name, vector in vectors.items()}
    made = Languages(languages, {"latin": np.ones(2, np.float32)}, {"x": ["latin"], "y": ["latin"], "z": ["greek"]})
    made.save(tmp_path)
    known = Languages.read(tmp_path)
    assert known.written == made.written and np.array_equal(known.scripts["latin"], [1, 1])
    for name, vector in languages.items():
        assert np.array_equal(known.languages[name], vector)
    ranked = known.donors()
    names = {name: [donor for donor, _ in donors] for name, donors in ranked.items()}
    assert names == {"x": ["y", "z"], "y": ["x", "z"], "z": ["y", "x"]}
    for name, donors in ranked.items():
        for donor, cosine in donors:
            one, other = languages[name], languages[donor]
            assert cosine == pytest.approx(float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)), rel=1e-5)


def test_a_folder_without_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not trained with embeddings of languages"):
        Languages.read(tmp_path)
