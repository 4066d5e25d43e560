"""What is checked when a batch is put together."""

import numpy as np
import pytest

from seedbed.core.errors import InputError
from seedbed.data import samplers


def test_an_id_outside_the_vocabulary_names_token_and_document(token_file):
    one, other = token_file([30, 40, 50]), token_file([20, 30])
    one.tokens, other.tokens = np.array(one.tokens) % 90, np.array(other.tokens) % 90
    one.vocabulary = other.vocabulary = 90
    for files in ({"one": one}, {"one": one, "other": other}):
        stream = samplers.create("packed").stream(files, dict.fromkeys(files, 1.0), 16, 0, seed=1)
        stream.next(12)  # all is well
    one.tokens[int(one.offsets[1]) + 7] = 90
    for files in ({"one": one}, {"one": one, "other": other}):
        stream = samplers.create("packed").stream(files, dict.fromkeys(files, 1.0), 16, 0, seed=1)
        with pytest.raises(InputError, match=r"the id 90 in document 'd1' is outside the vocabulary") as caught:
            stream.next(30)
        assert "0 to 89" in str(caught.value)
    one.vocabulary = 0  # not known
    stream.next(30)
