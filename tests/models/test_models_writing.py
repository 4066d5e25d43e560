"""Writing: the same tokens with and without what is kept of those before, drawn as they are likely."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from test_models_backbones import CASES, VOCABULARY, network, tokens

from seedbed.core.counters import uniform
from seedbed.core.errors import InputError
from seedbed.models.kept import Kept
from seedbed.models.transformer import Transformer
from seedbed.models.writing.choice import Choice
from seedbed.models.writing.loop import write
from seedbed.models.writing.reading import NetworkReader, Reader

END, SIZE = 3, 8
AGAIN = ("decoder of rwkv7", "decoder with copies")  # which have nothing that could be kept
OTHERS = ("hyena", "megalodon", "moduleformer", "implicit", "energies")  # nor have these
WRITE = [case for case in CASES if case.startswith(("decoder", "encoder_decoder")) and not case.endswith(OTHERS)]
BOTH = ("decoder as normformer, alibi", "encoder_decoder", "decoder with prefix")
PROMPTS = [row[:size].tolist() for row, size in zip(tokens(5, 9), (1, 9, 4, 8, 2), strict=True)]
MOST = [4, 7, 8, 3, 8]
FREE = np.arange(VOCABULARY) < 3


class Logged(Reader):
    """A reader that remembers what it said."""

    def __init__(self, reader: NetworkReader) -> None:
        self.reader, self.said = reader, list[torch.Tensor]()

    def logits(self, rows: Any) -> torch.Tensor:
        self.said.append(self.reader.logits(rows))
        return self.said[-1]

    def select(self, row_B: np.ndarray) -> None:
        self.reader.select(row_B)


def wide(made: Transformer) -> Transformer:
    """With weights that are large enough for choices to differ."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.2)
    return made


def written(made: Transformer, choice: Choice, keep: bool) -> tuple[list[list[int]], list[Logged]]:
    readers: list[Logged] = []
    pairs = made.attention == "encoder-decoder"

    def reader_of(rows: np.ndarray) -> Reader:
        more: dict[str, Any] = {"before": [0], "sources": [PROMPTS[row] for row in rows]} if pairs else {}
        more["prefix"] = made.attention == "prefix"
        readers.append(Logged(NetworkReader(made, keep=keep, **more)))
        return readers[-1]

    beginnings = [[] for _ in PROMPTS] if pairs else PROMPTS
    lengths = [len(row) + most for row, most in zip(PROMPTS, MOST, strict=True)]
    return write(reader_of, beginnings, MOST, choice, lengths=lengths, stops=[[5], [7, 8]]), readers


@pytest.mark.parametrize(
    ("case", "drawn"),
    [(case, drawn) for number, case in enumerate(WRITE) for drawn in (0, 1) if case in BOTH or number % 2 == drawn],
)
def test_what_is_kept_changes_nothing(case: str, drawn: int) -> None:
    made, temperature = wide(network(case, kernel="sdpa" if drawn else "products")), float(drawn)
    choice = Choice(FREE, temperature, top_p=0.9, stream=3)
    (one, readers), (other, slow) = written(made, choice, True), written(made, choice, False)
    assert one == other and max(map(len, one)) == 8
    assert readers[0].reader.keep == (case not in AGAIN)
    for reader, again in zip(readers, slow, strict=True):
        for said, wanted in zip(reader.said, again.said, strict=True):
            assert float((said - wanted).abs().max() / wanted.std()) < 1e-5


@pytest.mark.parametrize("window", [(3, None), (2, 5)])
def test_windows_and_several_tokens_at_once(window: tuple[int | None, ...]) -> None:
    plain = network("decoder grouped, untied")
    a = replace(plain.architecture, windows=window, local_rope_theta=100.0)
    made = wide(Transformer(a, seed=1, kernel="products"))
    row = tokens(2, 14, 4)
    segments = torch.zeros(2, 6, dtype=torch.int64)
    segments[1, 4:] = -1
    kept = Kept()
    with torch.no_grad():
        made.hidden(row[:, :6], segments, kept=kept)
        assert kept.lengths_B is not None and kept.lengths_B.tolist() == [6, 4]
        for first, last in ((6, 9), (9, 10), (10, 14)):
            given = torch.stack([row[0, first:last], row[1, first - 2 : last - 2]])
            found = made.hidden(given, kept=kept)
        for index, place in ((0, 14), (1, 12)):
            wanted = made.hidden(row[index : index + 1, :place])[0, -4:]
            torch.testing.assert_close(found[index], wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", ["decoder", "encoder_decoder", "decoder of rwkv7"])
@pytest.mark.parametrize("keep", [True, False])
def test_flops_are_those_of_the_products(case: str, keep: bool) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    made = network(case)
    prompts = [row.tolist() for row in tokens(2, 16)]
    more: dict[str, Any] = {"sources": prompts, "before": [0]} if made.attention == "encoder-decoder" else {}
    with FlopCounterMode(display=False) as counter:
        reader = NetworkReader(made, keep=keep, **more)
        beginnings = [[], []] if more else prompts
        write(lambda rows: reader, beginnings, 6, Choice(FREE), lengths=[22, 22])
    rel = 0.35 if case == "decoder of rwkv7" else 0.01  # which goes by whole chunks
    assert counter.get_total_flops() == pytest.approx(reader.flops, rel=rel)


def chain(chances_VV: np.ndarray) -> Any:
    """A network whose next token hangs on the last one alone."""
    log_VV = torch.from_numpy(np.log(np.maximum(chances_VV, 1e-12)))
    return SimpleNamespace(
        parameters=lambda: iter([log_VV]),
        hidden=lambda tokens_BL, segments_BL: log_VV[tokens_BL],
        logits=lambda hidden: hidden,
    )


def chained(chances_VV: np.ndarray, prompts: list[list[int]], most: int, choice: Choice, **more: Any) -> Any:
    made, lengths = chain(chances_VV), [len(row) + most for row in prompts]
    return write(lambda rows: NetworkReader(made), prompts, most, choice, lengths=lengths, **more)


@pytest.mark.parametrize("noise", ["one", "each"])
def test_tokens_are_drawn_as_they_are_likely(noise: Any) -> None:
    chances = np.random.default_rng(0).dirichlet(np.ones(SIZE), SIZE)
    forbidden = np.zeros(SIZE, bool)
    forbidden[[0, 5]] = True
    choice = Choice(forbidden, 1.0, stream=9, noise=noise)
    said = chained(chances, [[4]] * 4000, 2, choice, stops=[[END]])
    allowed = np.where(forbidden, 0, chances)
    allowed /= allowed.sum(1, keepdims=True)
    first = np.bincount([row[0] if row else END for row in said], minlength=SIZE) / 4000
    np.testing.assert_allclose(first, allowed[4], atol=0.03)
    behind = [row for row in said if row and row[0] == 6]
    second = np.bincount([row[1] if len(row) > 1 else END for row in behind], minlength=SIZE) / len(behind)
    np.testing.assert_allclose(second, allowed[6], atol=0.08)


@pytest.mark.parametrize("noise", ["one", "each"])
@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"top_k": 2}, [0, 3]),
        ({"top_p": 0.5}, [0, 3]),
        ({"top_p": 0.39}, [0]),
        ({"top_p": 0.71}, [0, 1, 3]),
        ({"top_k": 3, "top_p": 0.72}, [0, 3]),
        ({"top_k": 1}, [0]),
    ],
)
def test_only_the_likeliest_are_drawn(noise: Any, settings: dict[str, Any], left: list[int]) -> None:
    chances = np.array([0.4, 0.2, 0.1, 0.3])
    choice = Choice(np.zeros(4, bool), 1.0, stream=4, noise=noise, **settings)
    logits = torch.from_numpy(np.log(chances)).expand(3000, 4)
    said = np.bincount(choice.tokens(logits, np.arange(3000), 0), minlength=4) / 3000
    wanted = np.where(np.isin(np.arange(4), left), chances, 0)
    np.testing.assert_allclose(said, wanted / wanted.sum(), atol=0.04)
    assert (said > 0).tolist() == (wanted > 0).tolist()


def test_a_draw_by_hand() -> None:
    """The number falls on the chances in order; a temperature sharpens them."""
    logits, e = torch.tensor([[1.0, 2.0, 0.0, 3.0]]), math.e ** (1 / 0.7)
    choice = Choice(np.array([False, False, True]), 0.7, stream=11)  # and row 3 of the table is no token
    for counter in range(20):
        wanted = int(uniform(11, counter, 5) >= e / (e + e**2))
        assert choice.tokens(logits, np.array([counter]), 5) == [wanted]


def test_stops_end_a_text() -> None:
    chances = np.zeros((SIZE, SIZE))
    chances[1, 2] = chances[2, END] = chances[4, 4] = chances[6, 7] = chances[7, 6] = 1.0
    choice, prompts = Choice(np.zeros(SIZE, bool), 1.0), [[1], [4], [6]]
    assert chained(chances, prompts, 5, choice, stops=[[END]]) == [[2], [4] * 5, [7, 6, 7, 6, 7]]
    assert chained(chances, prompts, 5, choice, stops=[[END], [6, 7], [4, 4]]) == [[2], [], [7]]
    assert chained(chances, prompts, 0, choice) == [[], [], []] and chained(chances, [], 3, choice) == []


def test_the_same_whatever_else_is_asked() -> None:
    chances = np.random.default_rng(1).dirichlet(np.ones(SIZE), SIZE)
    choice = Choice(np.zeros(SIZE, bool), 1.0, stream=4)
    whole = chained(chances, [[1], [2], [6]], 6, choice)
    assert chained(chances, [[1], [2]], 6, choice) == whole[:2]
    assert chained(chances, [[6], [1]], 6, choice, counters=[2, 0]) == [whole[2], whole[0]]
    assert chained(chances, [[1], [2], [6]], 6, replace(choice, stream=5)) != whole


def test_bad_settings() -> None:
    for name, value in (("temperature", -0.1), ("top_k", 0), ("top_p", 0.0), ("top_p", 1.1)):
        with pytest.raises(InputError, match=name):
            Choice(FREE, **{name: value})
